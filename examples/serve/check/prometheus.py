"""Prometheus scrapes the service, and an alert made from its promise fires: URL, key, folder."""

import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request

url, key, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
folder.mkdir(parents=True)
PORT = 19090
# 99.9 % of the requests are answered; the windows are those of a test, the factor that of a page.
TARGET, FACTOR = 0.999, 14.4
BAD = 'sum(rate(serve_http_requests_total{code=~"5.."}[%s])) / sum(rate(serve_http_requests_total[%s]))'
burns = [f"{BAD % (window, window)} > {FACTOR * (1 - TARGET):.6g}" for window in ("30s", "10s")]
rules = {"groups": [{"name": "serve", "interval": "1s", "rules": [
    {"alert": "ErrorBudgetBurns", "expr": " and ".join(f"({burn})" for burn in burns), "for": "2s", "labels": {"severity": "page"}},
]}]}
config = {
    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
    "scrape_configs": [{"job_name": "serve", "static_configs": [{"targets": [url.removeprefix("http://")]}]}],
}
# JSON is YAML.
(folder / "rules.yml").write_text(json.dumps(rules))
(folder / "prometheus.yml").write_text(json.dumps(config))
print(subprocess.run(["promtool", "check", "rules", "rules.yml"], cwd=folder, check=True, capture_output=True, text=True).stdout.strip())
scraped = urllib.request.urlopen(f"{url}/metrics").read()
lint = subprocess.run(["promtool", "check", "metrics"], input=scraped, capture_output=True)
print(f"promtool check metrics: {lint.returncode}, {(lint.stdout + lint.stderr).decode().strip() or 'nothing to say'}")

server = subprocess.Popen(
    ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{PORT}"],
    cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
stop = threading.Event()


def overload():
    body = json.dumps({"model": "babble", "max_tokens": 20, "messages": [{"role": "user", "content": "Every"}]}).encode()
    while not stop.is_set():
        request = urllib.request.Request(f"{url}/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        try:
            urllib.request.urlopen(request, timeout=30).read()
        except OSError:
            time.sleep(0.05)


def get(path):
    try:
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=5))
    except OSError:
        return None


try:
    for _ in range(60):
        threading.Thread(target=overload, daemon=True).start()
    deadline = time.monotonic() + 60
    fired = False
    while time.monotonic() < deadline and not fired:
        time.sleep(1)
        alerts = get("/api/v1/alerts")
        fired = bool(alerts) and any(alert["state"] == "firing" for alert in alerts["data"]["alerts"])
    targets = get("/api/v1/targets")["data"]["activeTargets"]
    print(f"target {targets[0]['scrapeUrl']}: {targets[0]['health']}")
    print("the alert fired" if fired else "NO ALERT")
    sys.exit(not (fired and targets[0]["health"] == "up"))
finally:
    stop.set()
    server.terminate()
    server.wait()
