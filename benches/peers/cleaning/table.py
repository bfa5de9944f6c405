"""Drops records with a missing value, then repeated ones, and writes the rest: `table.py TOOL IN.csv OUT.csv`."""

import resource
import sys

from harness import serve

tool, source, target = sys.argv[1:4]


def with_pandas():
    import pandas

    frame = pandas.read_csv(source).dropna().drop_duplicates()
    frame.to_csv(target, index=False)
    return len(frame)


def scan(infer):
    import polars

    return polars.scan_csv(source, infer_schema=infer).drop_nulls()


def count():
    with open(target, "rb") as file:
        import polars

        return polars.scan_csv(file, infer_schema=False).select(polars.len()).collect().item()


def with_polars(infer=True):
    scan(infer).unique(maintain_order=True, keep="first").sink_csv(target, engine="streaming")


def with_duckdb():
    import duckdb

    connection = duckdb.connect()
    connection.sql("set threads=2")
    columns = [row[0] for row in connection.sql(f"describe select * from read_csv('{source}')").fetchall()]
    present = " and ".join(f'"{column}" is not null' for column in columns)
    connection.sql(
        f"copy (select distinct * from read_csv('{source}', header=true) where {present}) to '{target}' (header)"
    )


RUN = {
    "pandas": with_pandas,
    "polars": with_polars,
    "polars-text": lambda: with_polars(False),
    "duckdb": with_duckdb,
}


def rows(result):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": result if result is not None else count(), "peak": peak}


serve(RUN[tool], rows)
