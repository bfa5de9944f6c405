"""What guard and metrics cost: services with and without them stand side by side, and wrk visits them in turns.

    cost.py SERVE FOLDER PORT ROUNDS BLOCKS VARIANT VARIANT…

A round starts one service for each variant anew. A block visits them forwards and then backwards, a second each, and compares
each with the first variant within the block, so that what slows the machine down for longer than a second counts for nothing.
A visit during which anything else took more than a tenth of a processor is repeated. Printed: the median over all blocks, the
interval in which the true median lies with 95 % confidence, and the least and greatest block. Processor time is that of all
threads of the service, the writer of the log and the system's work for it included.
"""

import math
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time
import urllib.request

OPTIONS = {"none": [], "both": ["--without", "guard", "--without", "metrics"]}
ROW = '{"rows":[{"Island":"Biscoe","Culmen Length (mm)":50.0,"Culmen Depth (mm)":15.0,"Flipper Length (mm)":220}]}'
CHAT = '{"model":"babble","stream":true,"max_tokens":64,"seed":3,"messages":[{"role":"user","content":"Every row"}]}'
PATHS = {"predictions": ("/v1/predict", ROW), "streams": ("/v1/chat/completions", CHAT)}
here = pathlib.Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")


def busy():
    """Processor seconds of the whole machine, and those of the callers that ended."""
    user, nice, system, _, _, irq, softirq, *_ = (int(n) for n in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    callers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + irq + softirq) / TICK - callers.ru_utime - callers.ru_stime


class Service:
    repeated = 0

    def __init__(self, serve, folder, port, variant):
        self.folder, self.url, self.log = folder, f"http://127.0.0.1:{port}", folder.with_suffix(".log")
        options = OPTIONS.get(variant, ["--without", variant])
        command = [serve, "--address", f"127.0.0.1:{port}", "--out", folder, "--quota", "100000000000", "--pace", "0", *options]
        self.process = subprocess.Popen(command, stdout=self.log.open("w"), stderr=subprocess.STDOUT)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit(self.log.read_text())
        self.key = re.search("ANALYST_KEY=(.*)", (folder / "callers.env").read_text())[1]

    def nanoseconds(self):
        """Of processor time so far."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def visit(self, what):
        """Requests a second, and processor microseconds a request, over a second."""
        path, body = PATHS[what]
        script = self.folder / "load.lua"
        script.write_text(f'wrk.method = "POST"\nwrk.headers["authorization"] = "Bearer {self.key}"\nwrk.body = [[{body}]]\n')
        command = ["wrk", "-t1", "-c16", "-d1s", "-s", script, self.url + path]
        for _ in range(10):
            others, before = busy(), self.nanoseconds()
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            # The log writes what is pending within 50 ms.
            time.sleep(0.06)
            own = (self.nanoseconds() - before) / 1e9
            others = busy() - others - own
            if "Non-2xx" in said or "Socket errors" in said:
                sys.exit(said)
            if others < 0.1:
                break
            Service.repeated += 1
        requests = int(re.search(r"(\d+) requests in", said)[1])
        return float(re.search(r"Requests/sec: +([\d.]+)", said)[1]), 1e6 * own / requests

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait():
            sys.exit(self.log.read_text())
        if (self.folder / "metrics.prom").exists():
            subprocess.run([sys.executable, here / "books.py", self.folder, self.log], check=True, stdout=subprocess.DEVNULL)


def described(values):
    """The median, its interval by the order of the values (a binomial count of them lies below it), least and greatest."""
    values, n = sorted(values), len(values)
    below, skipped = 0.0, 0
    while (below := below + math.comb(n, skipped) / 2**n) <= 0.025:
        skipped += 1
    low = max(skipped - 1, 0)
    median = (values[(n - 1) // 2] + values[n // 2]) / 2
    return f"{median:7.3f}  [{values[low]:.3f}, {values[n - 1 - low]:.3f}]  {values[0]:.3f} to {values[-1]:.3f}"


def main():
    serve, folder, port, rounds, blocks, *variants = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    results = {}
    for r in range(int(rounds)):
        services = {v: Service(serve, folder / f"{v}-{r}", int(port) + i, v) for i, v in enumerate(variants)}
        for what in PATHS:
            for _ in range(int(blocks)):
                block = {v: [0.0, 0.0] for v in variants}
                for v in [*variants, *reversed(variants)]:
                    rate, cpu = services[v].visit(what)
                    block[v][0] += rate / 2
                    block[v][1] += cpu / 2
                results.setdefault(what, []).append(block)
        for service in services.values():
            service.end()
    print(f"{Service.repeated} visits were disturbed and repeated")
    for what, all_blocks in results.items():
        print(f"{what}, {len(all_blocks)} blocks: median  [95 % interval of the median]  least to greatest")
        first = variants[0]
        for v in variants:
            print(f"  {v:>10}  requests a second   {described([b[v][0] for b in all_blocks])}")
            print(f"  {v:>10}  processor µs         {described([b[v][1] for b in all_blocks])}")
        for v in variants[1:]:
            print(f"  {first} ÷ {v}: throughput        {described([b[first][0] / b[v][0] for b in all_blocks])}")
            print(f"  {first} − {v}: processor µs      {described([b[first][1] - b[v][1] for b in all_blocks])}")


main()
