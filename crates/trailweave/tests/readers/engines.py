"""Engines that read a lake by the statements of `trailweave ddl`: each opens one, and returns what answers SQL with rows.

Their sessions are in New York, so that a zone that they take from the session shows.
"""

import datetime
import decimal
import json
import os
import pathlib
import subprocess
import time
from collections.abc import Callable

Answer = Callable[[str], list[dict]]


def statements(trailweave: str, engine: str, lake: pathlib.Path) -> str:
    """The statements for the lake, which is named as seen from its own folder."""
    asked = [trailweave, "ddl", engine, "--lake", lake.name]
    return subprocess.run(asked, cwd=lake.parent, stdout=subprocess.PIPE, check=True, text=True).stdout


def duckdb(trailweave: str, lake: pathlib.Path) -> tuple[object, Answer]:
    import duckdb

    print(f"duckdb is {duckdb.__version__}")
    db = duckdb.connect()
    db.execute("SET TimeZone = 'America/New_York'")
    db.execute(statements(trailweave, "duckdb", lake))
    return db, lambda sql: db.sql(sql).to_arrow_table().to_pylist()


def clickhouse(trailweave: str, lake: pathlib.Path) -> tuple[object, Answer]:
    from chdb.session import Session

    db = Session()
    db.query("SET session_timezone = 'America/New_York'")
    db.query(statements(trailweave, "clickhouse", lake))
    form = "SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0"
    lines = lambda sql: db.query(f"{sql} {form}", "JSONEachRow").bytes().splitlines()
    return db, lambda sql: [shortened(json.loads(line)) for line in lines(sql)]


def shortened(row: dict) -> dict:
    """The row with times as `query` prints them: without empty milliseconds and microseconds."""
    is_time = lambda it: isinstance(it, str) and len(it) == 27 and it.endswith("000Z")
    return {name: value(datetime.datetime.fromisoformat(it)) if is_time(it) else it for name, it in row.items()}


def spark(trailweave: str, lake: pathlib.Path) -> tuple[object, Answer]:
    from pyspark.sql import SparkSession

    os.environ["TZ"] = "UTC"  # in which python shows times
    time.tzset()
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = builder.config("spark.sql.session.timeZone", "America/New_York").getOrCreate()
    print(f"spark is {session.version}")
    for statement in statements(trailweave, "spark", lake).split(";\n"):
        if statement.strip():
            session.sql(statement)
    zoned = lambda it: it.replace(tzinfo=datetime.timezone.utc) if isinstance(it, datetime.datetime) else it
    rows = lambda sql: session.sql(sql).collect()
    return session, lambda sql: [{key: zoned(it) for key, it in row.asDict().items()} for row in rows(sql)]


ENGINES = {it.__name__: it for it in (duckdb, clickhouse, spark)}


def canonical(rows: list[dict]) -> list[str]:
    return sorted(json.dumps({name: value(it) for name, it in row.items()}, sort_keys=True) for row in rows)


def value(it):
    """A cell as `query --json` prints it."""
    if isinstance(it, datetime.datetime):
        assert it.tzinfo is not None, f"{it} has no zone"
        text = it.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return text.replace(".000Z", "Z")
    if isinstance(it, datetime.date):
        return it.isoformat()
    if isinstance(it, decimal.Decimal):  # DuckDB's sum of integers
        return int(it)
    if isinstance(it, dict):
        return {key: value(entry) for key, entry in it.items()}
    if hasattr(it, "tolist"):
        it = it.tolist()
    if isinstance(it, (list, tuple)):
        is_map = bool(it) and all(isinstance(entry, tuple) for entry in it)
        return {key: value(entry) for key, entry in it} if is_map else [value(entry) for entry in it]
    return it
