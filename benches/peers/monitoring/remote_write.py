"""Remote write by the existing engine: a Prometheus agent scrapes a running service of ours and writes what it found to
a second Prometheus, which is stopped and started again meanwhile. Debian's package `prometheus` has both.

python3 benches/peers/monitoring/remote_write.py

One table is printed; the exit status says whether everything held."""

import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from prometheus import ask, program

RECEIVER, AGENT = "127.0.0.1:19091", "127.0.0.1:19092"
failures = 0


def report(what, held, figure):
    global failures
    failures += not held
    print(f"| {what} | {'yes' if held else 'NO'} | {figure} |", flush=True)


def start(*arguments):
    return subprocess.Popen(["prometheus", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def receiver(folder):
    pathlib.Path(folder, "receiver.yml").write_text("{}\n")
    return start(
        f"--config.file={folder}/receiver.yml", f"--storage.tsdb.path={folder}/receiver", f"--web.listen-address={RECEIVER}",
        "--web.enable-remote-write-receiver", "--enable-feature=native-histograms")


def agent(folder, service):
    pathlib.Path(folder, "agent.yml").write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{service}']}}]}}]\n"
        f"remote_write: [{{url: 'http://{RECEIVER}/api/v1/write', send_native_histograms: true}}]\n")
    return start(
        f"--config.file={folder}/agent.yml", f"--storage.agent.path={folder}/agent", f"--web.listen-address={AGENT}",
        "--enable-feature=agent,native-histograms")


def first(query):
    try:
        found = ask(RECEIVER, query)
    except OSError:
        return None
    return float(found[0]["value"][1]) if found else None


def wait_for(query, seconds):
    for _ in range(seconds):
        if first(query) is not None:
            return True
        time.sleep(1)
    return False


def compare(told):
    report("count of the native histogram", first("histogram_count(shop_wait_seconds)") == told["count"], first("histogram_count(shop_wait_seconds)"))
    for q, exact in told["quantiles"]:
        got = first(f"histogram_quantile({q}, shop_wait_seconds)")
        off = abs(got - exact) / exact
        # The receiver interpolates within a bucket, so it may be off by the bucket's whole width.
        width = 2 * told["bound"] / (1 - told["bound"])
        report(f"histogram_quantile({q})", off <= width, f"{got:.6g} for {exact:.6g}: {100 * off:.3f} % off")
    for query, expected in [("sum(shop_orders_total)", 7), ("shop_phase{shop_phase='ready'}", 1), ("shop_cache_bytes", 4096)]:
        report(query, first(query) == expected, first(query))


def main():
    if not shutil.which("prometheus"):
        sys.exit("prometheus is not installed (Debian: apt-get install prometheus)")
    service = subprocess.Popen([program("expose")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    running = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            told = json.loads(service.stdout.readline())
            print("| what | held | figure |\n| --- | --- | --- |")
            begin = time.time()
            running += [receiver(folder), agent(folder, told["address"])]
            report("samples arrive", wait_for("histogram_count(shop_wait_seconds)", 60), f"after {time.time() - begin:.0f} s")
            compare(told)
            stopped = running[0]
            stopped.terminate()
            stopped.wait(20)
            time.sleep(10)
            running[0] = receiver(folder)
            # The agent tries again with growing pauses of up to 5 s, and catches up from its own log.
            back, times = time.time(), []
            while time.time() - back < 90 and (not times or times[-1] < back):
                time.sleep(1)
                try:
                    found = ask(RECEIVER, "up{job='shop'}[5m]")
                except OSError:
                    continue
                times = [float(at) for at, _ in found[0]["values"]] if found else []
            gap = max((b - a for a, b in zip(times, times[1:])), default=math.inf)
            span = times[-1] - times[0] if times else 0
            held = span > 10 and times[-1] >= back and gap < 1.9
            report("a receiver gone for 10 s: no scrape is lost", held, f"{len(times)} scrapes in {span:.0f} s, {gap:.2f} s apart at most")
        finally:
            # The agent first: it flushes what it holds, for which the receiver must be there.
            for process in reversed(running):
                process.terminate()
                process.wait(90)
            service.stdin.close()
            service.wait(20)
    print(f"{failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
