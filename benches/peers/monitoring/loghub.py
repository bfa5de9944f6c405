"""Grouping accuracy and F1 of grouping on the loghub-2k sets, ours beside Drain3, each with one configuration for all.

python3 benches/peers/monitoring/loghub.py FOLDER

FOLDER holds `<Set>/<Set>_2k.log_structured.csv` as in `data/loghub_2k` of logpai/logparser. The sets are free for research
and not to be passed on, so they are not part of this repository. HPC, Mac, OpenSSH and Zookeeper were never looked at
while the rules were made. Templates are those after the whole file; `shuffled` is the same file in another order."""

import collections
import csv
import json
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
UNSEEN = {"HPC", "Mac", "OpenSSH", "Zookeeper"}


def score(found, true):
    groups, truth = collections.defaultdict(set), collections.defaultdict(set)
    for line, (a, b) in enumerate(zip(found, true)):
        groups[a].add(line)
        truth[b].add(line)
    whole = {frozenset(lines) for lines in truth.values()}
    right = [lines for lines in groups.values() if frozenset(lines) in whole]
    accuracy = sum(map(len, right)) / len(true)
    precision, recall = len(right) / len(groups), len(right) / len(truth)
    return accuracy, 2 * precision * recall / (precision + recall) if right else 0.0


def program():
    built = subprocess.run(
        ["cargo", "build", "--release", "-q", "-p", "modelops-benches", "--features", "monitoring-scripts", "--bin", "mine_templates", "--message-format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    lines = (json.loads(line) for line in built.stdout.splitlines())
    return next(line["executable"] for line in lines if line.get("executable"))


def ours(binary, lines):
    return subprocess.run([binary], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout.split("\n")[:len(lines)]


def drain(lines):
    from drain3 import TemplateMiner
    from drain3.template_miner_config import TemplateMinerConfig
    miner = TemplateMiner(config=TemplateMinerConfig())
    return [miner.add_log_message(line)["cluster_id"] for line in lines]


def main():
    binary = program()
    rows, everything = {}, []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*/*_2k.log_structured.csv")):
        with open(path, newline="") as file:
            table = list(csv.DictReader(file))
        lines, true = [row["Content"].replace("\n", " ").replace("\r", " ") for row in table], [row["EventId"] for row in table]
        everything += lines
        order = random.Random(1).sample(range(len(lines)), len(lines))
        shuffled = ours(binary, [lines[i] for i in order])
        back = [None] * len(lines)
        for place, i in enumerate(order):
            back[i] = shuffled[place]
        rows[path.parent.name] = score(ours(binary, lines), true), score(back, true)
        try:
            rows[path.parent.name] += (score(drain(lines), true),)
        except ImportError:
            pass
    print("| set | ours: GA, FGA | shuffled | Drain3: GA, FGA |\n| --- | --- | --- | --- |")
    show = lambda pairs: " | ".join(f"{a:.3f}, {b:.3f}" for a, b in pairs)
    for name, pairs in rows.items():
        print(f"| {name}{' (unseen)' if name in UNSEEN else ''} | {show(pairs)} |")
    for title, names in [("mean of all", rows), ("mean of the unseen", UNSEEN & rows.keys())]:
        columns = zip(*(rows[name] for name in names))
        means = [tuple(sum(values) / len(values) for values in zip(*column)) for column in columns]
        print(f"| {title} | {show(means)} |")
    text = "\n".join(everything) + "\n"
    rates = [float(subprocess.run([binary, "--time", "10"], input=text, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    print(f"ours: {sorted(rates)[1] / 1e6:.2f} M lines/s of {len(text) / len(everything):.0f} bytes on one thread, median of {[round(r) for r in rates]}")
    try:
        begin = time.process_time()
        drain(everything)
        print(f"Drain3: {len(everything) / (time.process_time() - begin):.0f} lines/s")
    except ImportError:
        print("Drain3 is not installed: missing")


if __name__ == "__main__":
    main()
