"""Prometheus scrapes the service, loads the rules that the service made from its promises, and their alert fires under
overload: URL, key, folder of rules, folder to work in."""

import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

url, key, rules, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
folder.mkdir(parents=True)
PORT = 19090
files = sorted(shutil.copy(path, folder) for path in rules.iterdir())
config = {
    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [pathlib.Path(file).name for file in files],
    "scrape_configs": [{"job_name": "serve", "static_configs": [{"targets": [url.removeprefix("http://")]}]}],
}
# JSON is YAML.
(folder / "prometheus.yml").write_text(json.dumps(config))
print(subprocess.run(["promtool", "check", "rules", *files], cwd=folder, check=True, capture_output=True, text=True).stdout.strip())
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
    # At rest nothing fires.
    time.sleep(5)
    quiet = get("/api/v1/alerts")
    assert quiet and not quiet["data"]["alerts"], quiet
    for _ in range(60):
        threading.Thread(target=overload, daemon=True).start()
    deadline = time.monotonic() + 60
    firing = []
    while time.monotonic() < deadline and not firing:
        time.sleep(1)
        alerts = get("/api/v1/alerts") or {"data": {"alerts": []}}
        firing = [alert for alert in alerts["data"]["alerts"] if alert["state"] == "firing"]
    # The process evaluates the same rules itself, every ten seconds.
    inside = []
    while time.monotonic() < deadline and not inside:
        time.sleep(1)
        promises = json.load(urllib.request.urlopen(f"{url}/status"))["promises"]
        inside = [promise for promise in promises if promise["firing"]]
    targets = get("/api/v1/targets")["data"]["activeTargets"]
    print(f"target {targets[0]['scrapeUrl']}: {targets[0]['health']}")
    for alert in firing:
        labels = alert["labels"]
        print(f"{labels['alertname']} fires: {labels['severity']}, {labels['window']}; {alert['annotations']['summary']}")
    pages = [alert for alert in firing if alert["labels"]["severity"] == "page"]
    for promise in inside:
        print(f"the service itself: {promise['name']}, {promise['bad']} of {promise['total']} bad, {', '.join(promise['firing'])}")
    if not pages:
        print("NO PAGE")
    sys.exit(not (pages and inside and targets[0]["health"] == "up"))
finally:
    stop.set()
    server.terminate()
    server.wait()
