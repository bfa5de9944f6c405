"""A session of Apache Spark with four local worker threads, for spark.rs: reads a statement a line, as a JSON string,
and answers each with `null` or the error, as JSON. Its warehouse is a folder that ends with it."""

import json
import sys
import tempfile

from pyspark.sql import SparkSession

with tempfile.TemporaryDirectory() as folder:
    spark = (
        SparkSession.builder.master("local[4]")
        .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.local.dir", folder)
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    print(json.dumps(spark.version), flush=True)
    for line in sys.stdin:
        try:
            spark.sql(json.loads(line)).collect()
            answer = None
        except Exception as error:  # whatever it is, the test is told
            answer = str(error)
        print(json.dumps(answer), flush=True)
    spark.stop()
