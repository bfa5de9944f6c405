"""Runs statements on Apache Spark: one JSON string a line in, `ok` or what went wrong out.

Four executors, each a process of its own. With SPARK_KILL=1 one of them is killed while the first answer is made.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from pyspark.sql import SparkSession

answers = os.fdopen(os.dup(1), "w")
# Whatever else is printed must not be taken for an answer.
os.dup2(2, 1)
spark = (
    SparkSession.builder.master(os.environ.get("SPARK_MASTER", "local-cluster[4,1,1024]"))
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", "8")
    .config("spark.executor.memory", "900m")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
print("Spark", spark.version, file=sys.stderr)


def executors():
    """The process ids of this session's executors."""
    found = []
    app = spark.sparkContext.applicationId
    lines = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    for line in lines.splitlines():
        if "CoarseGrainedExecutorBackend" in line and app in line:
            found.append(int(line.split()[0]))
    return found


def kill_one():
    time.sleep(0.5)
    victim = executors()[0]
    os.kill(victim, signal.SIGKILL)
    print("killed executor", victim, file=sys.stderr)


kill = os.environ.get("SPARK_KILL") == "1"
for line in sys.stdin:
    statement = json.loads(line)
    if kill and statement.startswith("CREATE TABLE"):
        kill = False
        threading.Thread(target=kill_one).start()
    try:
        spark.sql(statement).collect()
        answers.write("ok\n")
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
        answers.write(str(error).replace("\n", " ")[:500] + "\n")
    answers.flush()
