"""Compares what readers of Iceberg see in a published lake with what trailweave sees: iceberg.py TRAILWEAVE TEST..

Each TEST makes a lake of its own. `cells`: pyiceberg, DuckDB, polars and ClickHouse see every cell that `trailweave query`
sees, after a first run, a late delivery that reopens a date, and a merge of parts; and they filter by date and time.
`snapshots`: of a lake that keeps its snapshots they read each as it was. `loop`: a reader that counts all the time while
events are joined sees committed snapshots and nothing between them. Exits with 1 where anything differs.
"""

import datetime
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import compare
import engines

TABLES = [name for name in compare.TABLES if name != "ledger"]
DUCKDB = os.environ.get("DUCKDB_WITH_ICEBERG", "")
DAY = "2026-03-03"
SINCE = datetime.datetime.fromisoformat("2026-03-03T00:00:00.123Z")


def main(trailweave: str, tests: list[str]) -> int:
    failed = False
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            differences = TESTS[test](trailweave, pathlib.Path(folder).resolve())
            failed |= bool(differences)
            print(f"{test}: {time.monotonic() - began:.1f} s", *differences, sep="\n  ")
    return int(failed)


def run(trailweave: str, *arguments: str) -> str:
    done = subprocess.run([trailweave, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def deliver(folder: pathlib.Path, n: int, records: list[dict]) -> pathlib.Path:
    """Writes a trail of one object."""
    day = folder / f"trail-{n}/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/03"
    day.mkdir(parents=True)
    name = f"111122223333_CloudTrail_eu-west-1_20260303T0005Z_{n:016}.json.gz"
    (day / name).write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    return folder / f"trail-{n}"


def records(n: int) -> list[dict]:
    return [compare.record(1000 + n, f"2026-03-03T01:00:{n % 60:02}Z", **compare.context(nothing=None, n=str(n)))]


def cells(trailweave: str, folder: pathlib.Path) -> list[str]:
    lake = compare.make_lake(trailweave, folder / compare.PLAIN_FOLDER)
    run(trailweave, "publish", "--lake", str(lake))
    differences = compared(trailweave, lake, "after a first run")
    late = deliver(folder, 1, records(1))
    run(trailweave, "run", "--publish", "--source", str(late), "--lake", str(lake))
    differences += compared(trailweave, lake, "after a late delivery")
    run(trailweave, "compact", "--publish", "--lake", str(lake))
    return differences + compared(trailweave, lake, "after a merge")


def compared(trailweave: str, lake: pathlib.Path, when: str) -> list[str]:
    differences = []
    expected = {name: compare.rows_of_query(trailweave, lake, name) for name in TABLES}
    for reader, read in READERS.items():
        for name in TABLES:
            seen = read(lake, name)
            differences += [f"{when}: {it}" for it in compare.compare(name, expected[name], seen, reader)]
        of_day = [row for row in expected["events"] if row["event_date"] == DAY]
        since = [row for row in expected["events"] if datetime.datetime.fromisoformat(row["event_time"]) >= SINCE]
        for what, rows in (("event_date", of_day), ("event_time", since)):
            n_seen = len(read(lake, "events", where=what))
            if n_seen != len(rows) or not rows:
                differences.append(f"{when}: {reader} finds {n_seen} rows by {what}, {len(rows)} are there")
    return differences


def table_of(lake: pathlib.Path, name: str) -> pathlib.Path:
    return lake / "_trailweave/iceberg" / name


def newest(lake: pathlib.Path, name: str) -> pathlib.Path:
    """The newest file of metadata, as the hint says."""
    folder = table_of(lake, name) / "metadata"
    return folder / f"v{(folder / 'version-hint.text').read_text()}.metadata.json"


def snapshot_ids(lake: pathlib.Path, name: str) -> list[int]:
    return [it["snapshot-id"] for it in json.loads(newest(lake, name).read_text())["snapshots"]]


def pyiceberg(lake: pathlib.Path, name: str, where: str = "", snapshot: int | None = None) -> list[dict]:
    from pyiceberg.table import StaticTable

    filters = {"event_date": f"event_date = '{DAY}'", "event_time": f"event_time >= '{SINCE.isoformat()}'"}
    scan = StaticTable.from_metadata(str(newest(lake, name))).scan(snapshot_id=snapshot)
    return (scan.filter(filters[where]) if where else scan).to_arrow().to_pylist()


def duckdb_session(*extensions: str):
    sys.path.insert(0, DUCKDB)
    import duckdb

    db = duckdb.connect()
    for name in ("avro", *extensions, "iceberg"):
        db.execute(f"LOAD '{DUCKDB}/duckdb_extension_{name}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    db.execute("SET TimeZone = 'UTC'")
    return db


SESSIONS = {}


def duckdb(lake: pathlib.Path, name: str, where: str = "", snapshot: int | None = None) -> list[dict]:
    db = SESSIONS.setdefault("duckdb", duckdb_session())
    of = f", snapshot_from_id = {snapshot}" if snapshot else ""
    table = f"iceberg_scan('{table_of(lake, name)}'{of})"
    return db.sql(f"SELECT * FROM {table} {condition(where)}").to_arrow_table().to_pylist()


def condition(where: str) -> str:
    return {"": "", "event_date": f"WHERE event_date = '{DAY}'", "event_time": f"WHERE event_time >= '2026-03-03 00:00:00.123'"}[where]


def polars(lake: pathlib.Path, name: str, where: str = "", snapshot: int | None = None) -> list[dict]:
    import polars

    rows = polars.scan_iceberg(str(newest(lake, name)), snapshot_id=snapshot)
    if where == "event_date":
        rows = rows.filter(polars.col("event_date") == datetime.date.fromisoformat(DAY))
    if where == "event_time":
        rows = rows.filter(polars.col("event_time") >= SINCE)
    return rows.collect().to_dicts()


def clickhouse(lake: pathlib.Path, name: str, where: str = "", snapshot: int | None = None) -> list[dict]:
    from chdb.session import Session

    os.chdir("/")  # where it may read files
    db = SESSIONS.get("clickhouse") or SESSIONS.setdefault("clickhouse", Session())
    db.query("SET session_timezone = 'UTC'")
    of = f", iceberg_snapshot_id = {snapshot}" if snapshot else ""
    form = f"SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0{of}"
    asked = f"SELECT * FROM icebergLocal('{table_of(lake, name)}') {condition(where)} {form}"
    return [engines.shortened(json.loads(line)) for line in db.query(asked, "JSONEachRow").bytes().splitlines()]


def snapshots(trailweave: str, folder: pathlib.Path) -> list[str]:
    lake = folder / "lake"
    trails = [deliver(folder, n, records(n) + records(10 + n)) for n in range(3)]
    ours = lambda name: compare.rows_of_query(trailweave, lake, name)
    seen, differences = [], []
    for n, trail in enumerate(trails):
        run(trailweave, "run", "--publish", "--source", str(trail), "--lake", str(lake))
        if n == 0:
            run(trailweave, "publish", "--keep", "7d", "--lake", str(lake))
        seen.append({name: (snapshot_ids(lake, name)[-1], ours(name)) for name in ("events", "correlated")})
    run(trailweave, "compact", "--publish", "--lake", str(lake))
    run(trailweave, "gc", "--lake", str(lake))
    for reader, read in READERS.items():
        for n, tables in enumerate(seen):
            for name, (snapshot, rows) in tables.items():
                now = read(lake, name, snapshot=snapshot)
                differences += [f"delivery {n}: {it}" for it in compare.compare(name, rows, now, reader)]
    return differences


def loop(trailweave: str, folder: pathlib.Path) -> list[str]:
    return beside(trailweave, folder, str(folder / "lake"), duckdb_session, 20)


# The errors of a reader whose snapshot, or hint in S3, was replaced while it read; it never counts wrongly.
GONE = ("o such file", "annot open file", "404", "the remote file has changed")


def beside(trailweave: str, folder: pathlib.Path, lake: str, session, n_runs: int) -> list[str]:
    """Counts all the time while runs join what was delivered."""
    over, differences, n_reads = threading.Event(), [], 0
    first = deliver(folder, 0, [it for n in range(40) for it in records(n)])
    run(trailweave, "run", "--publish", "--source", str(first), "--lake", lake)
    db, table = session(), f"{lake}/_trailweave/iceberg/correlated"
    count = lambda: db.execute(f"SELECT count(*) FROM iceberg_scan('{table}')").fetchone()[0]
    counts = [count()]

    def deliver_and_join():
        for n in range(n_runs):
            trail = deliver(folder, 100 + n, records(100 + n))
            run(trailweave, "run", "--publish", "--source", str(trail), "--lake", lake)
        over.set()

    thread = threading.Thread(target=deliver_and_join)
    thread.start()
    while not over.is_set():
        try:
            counts.append(count())
            n_reads += 1
        except Exception as error:
            if not any(said in str(error) for said in GONE):
                differences.append(f"a reader failed otherwise: {error}")
    thread.join()
    allowed = {40 + n for n in range(n_runs + 1)}
    differences += [f"a reader counted {it}" for it in sorted(set(counts) - allowed)]
    if counts != sorted(counts):
        differences.append("a reader saw an older snapshot after a newer one")
    if count() != 40 + n_runs or n_reads < 5:
        differences.append(f"at the end there are {count()} rows, after {n_reads} reads")
    print(f"{n_reads} reads saw {len(set(counts))} snapshots")
    return differences


READERS = {it.__name__: it for it in (pyiceberg, duckdb, polars, clickhouse)}
TESTS = {it.__name__: it for it in (cells, snapshots, loop)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= set(TESTS):
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
