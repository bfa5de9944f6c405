"""stages.py FILE: the exact solver of msr-fiddle/dnn-partitioning on one of its inputs; the whole program is timed, reading included.

The folder that DNN_PARTITIONING names is a clone of it, at commit b207b6a, with its solver built there:
`g++ -O3 throughput-dp/dp.cpp -o dp.exe`.
"""

import json
import os
import resource
import subprocess
import sys
import time

program = os.path.join(os.environ["DNN_PARTITIONING"], "dp.exe")
with open(sys.argv[1], "rb") as file:
    text = file.read()
subprocess.run([program], input=b"", capture_output=True, check=False)  # fails here where it cannot be run
print("ready", flush=True)
for _ in sys.stdin:
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([program], input=text, capture_output=True, check=True)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "output": json.loads(done.stdout)["maxLoad"]}), flush=True)
