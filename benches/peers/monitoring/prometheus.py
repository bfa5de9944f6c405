"""A Prometheus server and promtool against what we write and generate. Debian's package `prometheus` has both.

python3 benches/peers/monitoring/prometheus.py

1. `promtool check metrics` finds nothing in anything we expose (vLLM's own names, which hold colons, are counted apart).
2. `promtool check rules` takes every rule we generate, and `promtool test rules` fires the alerts of every scripted
   incident at the minutes at which they fire in the process.
3. A server scrapes a running service, native histograms included; `histogram_quantile` is within the bound of the exact
   quantiles. One table is printed; the exit status says whether everything held."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
failures = 0


def report(what, held, figure):
    global failures
    failures += not held
    print(f"| {what} | {'yes' if held else 'NO'} | {figure} |", flush=True)


def promtool(*arguments, text=None, cwd=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def program(name):
    """The built program; cargo says where it is."""
    built = subprocess.run(
        ["cargo", "build", "-q", "-p", "modelops-benches", "--features", "monitoring-scripts", "--bin", name, "--message-format", "json"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    lines = (json.loads(line) for line in built.stdout.splitlines())
    return next(line["executable"] for line in lines if line.get("target", {}).get("name") == name and line.get("executable"))


def check_metrics(told):
    for name, text in [("registry", told["registry"])] + [(s["scheme"], s["text"]) for s in told["schemes"]]:
        status, said = promtool("check", "metrics", text=text)
        lines = [line for line in said.splitlines() if line.strip()]
        if name == "compat":
            colons = [line for line in lines if "':'" in line or "colons" in line]
            report("promtool check metrics: vLLM names, colons aside", len(lines) == len(colons), f"{len(colons)} lines about colons")
        else:
            report(f"promtool check metrics: {name}", status == 0 and not lines, f"{len(lines)} lint lines; {text.count('# TYPE')} families")
        for line in lines if name != "compat" else []:
            print("   ", line)


def check_rules(folder, told):
    said = subprocess.run([program("burn_rules"), folder], capture_output=True, text=True, check=True).stdout
    pathlib.Path(folder, "alerts.yaml").write_text(told["alerts"])
    rules = sorted(str(path) for path in pathlib.Path(folder).glob("*.yaml") if not path.name.startswith("test-"))
    status, out = promtool("check", "rules", *rules)
    report("promtool check rules", status == 0, f"{len(rules)} files")
    if status:
        print(out)
    tests = sorted(path.name for path in pathlib.Path(folder).glob("test-*.yaml"))
    begin = time.time()
    bad = []
    for test in tests:
        status, out = promtool("test", "rules", test, cwd=folder)
        if status:
            bad.append(test)
            print(f"{test}:\n{out[:2000]}")
    report("promtool test rules: every minute of every incident", not bad,
           f"{len(tests) - len(bad)} of {len(tests)} files, {time.time() - begin:.0f} s; {'; '.join(said.splitlines())}")


def ask(address, query):
    url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def scrape(folder, service, told):
    config = pathlib.Path(folder, "prometheus.yml")
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{told['address']}']}}]}}]\n")
    address = "127.0.0.1:19090"
    server = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}",
         "--enable-feature=native-histograms,exemplar-storage"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        found = []
        for _ in range(60):
            time.sleep(1)
            try:
                found = ask(address, "histogram_count(shop_wait_seconds)")
            except OSError:
                continue
            if found:
                break
        count = float(found[0]["value"][1]) if found else None
        report("server scrapes the native histogram", count == told["count"], f"count {count}")
        if not found:
            print(server.stderr.read()[-2000:] if server.poll() is not None else "no sample after 60 s")
            return
        for q, exact in told["quantiles"]:
            got = float(ask(address, f"histogram_quantile({q}, shop_wait_seconds)")[0]["value"][1])
            # The server interpolates within a bucket whose bounds are b apart; the bound (b - 1)/(b + 1) is that of the
            # middle, so its answer may be off by the whole width b - 1 of a bucket.
            width = 2 * told["bound"] / (1 - told["bound"])
            off = abs(got - exact) / exact
            report(f"histogram_quantile({q})", off <= width, f"{got:.6g} for {exact:.6g}: {100 * off:.3f} % off "
                   f"({'within' if off <= told['bound'] else 'beyond'} {100 * told['bound']:.3f} %, bucket {100 * width:.3f} %)")
        for query, expected in [
            ("sum(shop_orders_total)", 7), ("shop_phase{shop_phase='ready'}", 1), ("shop_build_info{version='1.4.0'}", 1),
            ("shop_cache_bytes", 4096), ("up{job='shop'}", 1), ("process_threads > bool 0", 1),
        ]:
            result = ask(address, query)
            value = float(result[0]["value"][1]) if result else None
            report(query, value == expected, value)
        with urllib.request.urlopen(f"http://{address}/api/v1/query_exemplars?query=shop_orders_total&start={time.time() - 1e9}&end={time.time()}", timeout=10) as answer:
            exemplars = sum(len(series["exemplars"]) for series in json.load(answer)["data"])
        report("exemplars of shop_orders_total", exemplars >= 1, exemplars)
    finally:
        server.terminate()
        server.wait(20)


def main():
    for tool in ["promtool", "prometheus"]:
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed (Debian: apt-get install prometheus)")
    version = promtool("--version")[1]
    print(re.search(r"version ([^ ,]+)", version).group(0))
    print("| what | held | figure |\n| --- | --- | --- |")
    service = subprocess.Popen([program("expose")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            told = json.loads(service.stdout.readline())
            check_metrics(told)
            check_rules(folder, told)
            scrape(folder, service, told)
        finally:
            service.stdin.close()
            service.wait(20)
    print(f"{failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
