"""Everybody calls for a while; memory has to stay: URL, process id, seconds, keys of analyst, guest and leaver."""

import http.client
import json
import random
import sys
import threading
import time

url, pid, seconds = sys.argv[1].removeprefix("http://"), sys.argv[2], int(sys.argv[3])
analyst, guest, leaver = sys.argv[4:7]
stop = time.monotonic() + seconds
counts = {}
lock = threading.Lock()


def memory():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def caller(seed):
    chance = random.Random(seed)
    while time.monotonic() < stop:
        connection = http.client.HTTPConnection(url, timeout=30)
        for _ in range(chance.randrange(1, 50)):
            kind = chance.random()
            key = analyst if kind < 0.9 else guest if kind < 0.97 else leaver
            chat = chance.random() < 0.2
            path = "/v1/chat/completions" if chat else f"/v1/predict?call={chance.random()}"
            body = {"model": "babble", "stream": chance.random() < 0.7, "max_tokens": chance.randrange(1, 200),
                    "messages": [{"role": "user", "content": "Every " * chance.randrange(1, 200)}]} if chat else \
                   {"rows": [{"Island": "Biscoe"}] * chance.randrange(1, 20)}
            try:
                connection.request("POST", path, json.dumps(body), {"authorization": f"Bearer {key}"})
                answer = connection.getresponse()
                if chat and chance.random() < 0.1:
                    answer.read(50)
                    connection.close()
                    break
                answer.read()
                with lock:
                    counts[answer.status] = counts.get(answer.status, 0) + 1
            except (OSError, http.client.HTTPException):
                with lock:
                    counts["broken"] = counts.get("broken", 0) + 1
                break
            time.sleep(0.002)
        connection.close()


threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(8)]
for thread in threads:
    thread.start()
slices = []
while time.monotonic() < stop:
    time.sleep(min(seconds / 10, max(0.1, stop - time.monotonic())))
    slices.append(memory())
    print(f"{seconds - (stop - time.monotonic()):5.0f} s  {slices[-1]:6.1f} MiB  {sum(v for k, v in counts.items() if k != 'broken')} answers", flush=True)
for thread in threads:
    thread.join()
print("answers:", ", ".join(f"{count} x {status}" for status, count in sorted(counts.items(), key=str)))
half = len(slices) // 2
growth = max(slices[half:]) - max(slices[:half])
print(f"memory: at most {max(slices):.1f} MiB, {growth:+.1f} MiB in the second half")
sys.exit(growth > 8)
