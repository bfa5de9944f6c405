"""Holds the books of a stopped service against each other and against its clients: last line, metrics, request log."""

import json
import pathlib
import re
import sys

folder, said = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text()
answers = sum(int(n) for n in re.findall(r"answers (\d+)", " ".join(sys.argv[3:])))
requests, lines, dropped, _ = (int(n) for n in re.findall(r"\d+", said.strip().splitlines()[-1]))

counted, tokens = 0, 0
for line in (folder / "metrics.prom").read_text().splitlines():
    if line.startswith("serve_http_requests_total{"):
        counted += int(float(line.split()[-1]))
    elif line.startswith("serve_llm_generated_tokens_total{"):
        tokens += int(float(line.split()[-1]))
ids, logged, served = set(), 0, 0
for path in sorted((folder / "log").iterdir()):
    for line in path.open():
        record = json.loads(line)
        ids.add(record["id"])
        logged += record.get("completion", 0)
        served += record["status"] == 200 and record["method"] == "POST"

troubles = []
if not requests == counted == lines == len(ids) == max(ids, default=0):
    troubles.append(f"requests {requests}, counted {counted}, lines {lines}, numbers {len(ids)} up to {max(ids)}")
if dropped or tokens != logged:
    troubles.append(f"{dropped} lines dropped; {tokens} tokens in the metrics, {logged} in the log")
# A client that stops at its deadline leaves requests behind that were answered or begun: at most one a connection.
if answers and not answers <= served <= answers + 96:
    troubles.append(f"the client had {answers} answers, the service gave {served}")
for trouble in troubles:
    print(f"books: {trouble}")
print(f"books: {requests} requests, each counted and logged once; {tokens} tokens" if not troubles else "books: WRONG")
sys.exit(bool(troubles))
