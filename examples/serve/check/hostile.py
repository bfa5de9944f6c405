"""Callers that nobody wants, all at once, while an honest one is served: port, key, revoked key, process id."""

import json
import socket
import sys
import time

port, key, revoked, pid = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
ROW = json.dumps({"rows": [{"Island": "Biscoe"}]})


def connect():
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def ask(head, body=""):
    """Sends one request and reads its answer to the end; the status, and the answer."""
    with connect() as stream:
        try:
            stream.sendall(f"{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while part := stream.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
    text = answer.decode(errors="replace")
    return (text.split(" ")[1] if text.startswith("HTTP/1.1 ") else "none"), text


def predict(token=key, body=ROW):
    return ask(f"POST /v1/predict HTTP/1.1\r\nauthorization: Bearer {token}", body)


def memory():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def check(holds, what):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


before = memory()
idle = [connect() for _ in range(1000)]
check(predict()[0] == "200", f"served beside 1,000 idle connections; they cost {memory() - before:.1f} MiB")

slow = [connect() for _ in range(200)]
for stream in slow:
    stream.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: x\r\nx: ")
for _ in range(3):
    for stream in slow:
        stream.sendall(b"y")
    time.sleep(0.2)
check(predict()[0] == "200", "served beside 200 heads that arrive a byte at a time")

CHAT = json.dumps({"model": "babble", "stream": True, "max_tokens": 2000, "temperature": 0, "seed": 1,
                   "messages": [{"role": "user", "content": "Every"}]})
for _ in range(40):
    stream = connect()
    stream.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
                    f"content-length: {len(CHAT)}\r\n\r\n{CHAT}").encode())
    stream.recv(100)
    # An abrupt end, as of a killed process.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    stream.close()
deadline = time.monotonic() + 10
while True:
    status = json.loads(ask("GET /status HTTP/1.1")[1].split("\r\n\r\n", 1)[1])
    analyst = status["quotas"]["callers"][0]
    busy = sum(replica["busy"] for pool in status["placement"]["pools"] for replica in pool["replicas"])
    if busy == 0 and analyst["reserved"] == 0:
        break
    if time.monotonic() > deadline:
        check(False, f"40 killed readers still hold {busy} slots and {analyst['reserved']} tokens")
check(True, "40 killed readers gave back their slots and what they held of the quota")

check(ask("GET /livez HTTP/1.1\r\nx: " + "y" * 65536)[0] == "431", "a head of 64 KiB is 431")
check(predict(body="x" * 300_000)[0] == "413", "a body of 300 kB is 413")
check(predict(body='{"rows":')[0] == "400", "half a JSON is 400")
check(ask("\x16\x03\x01\x02")[0] == "400", "bytes that are no HTTP are 400")
check(predict(token=revoked)[0] == "401", "a revoked key is 401")
check(predict(token=key[:-1] + ("0" if key[-1] != "0" else "1"))[0] == "401", "a misspelt key is 401")
flood = [predict(token="mo_demo_guess")[0] for _ in range(60)]
check(flood[-1] == "429" and set(flood) <= {"401", "429"}, "sixty guesses: the address has to wait")
check(predict()[0] == "200", "a right key passes from the same address")
for stream in slow + idle:
    stream.close()
time.sleep(1)
print(f"memory {before:.1f} MiB before, {memory():.1f} MiB after")
