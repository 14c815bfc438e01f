"""Compares what other readers see in a lake with what trailweave sees, cell by cell: compare.py TRAILWEAVE READER..

It makes a lake of a demo's trail and a few odd records, below folders whose names mislead readers, and reads every
table, the ledger and the views by `trailweave query`. Each READER must see the same rows: duckdb, clickhouse and spark
by the statements of `trailweave ddl`, polars, pyarrow and pandas by the line that docs/readers.md gives.
Exits with 1 where any cell differs.
"""

import gzip
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import engines
from engines import canonical

TABLES = ["events", "sessions", "correlated", "instances", "volumes", "attachments", "grants", "rejects", "ledger"]
VIEWS = [
    "volume_readers",
    "grants_never_retired",
    "keys_by_instance",
    "keys_by_launching_principal",
    "volumes_with_foreign_key",
    "key_use_after_disabling",
    "decrypts_without_launch",
    "issued_access_keys",
]
FOLDER = "aws_region=nowhere/event_date=2001-01-01/it's a[b]*c? {d} $"
# Readers by folder take partitions from above the folder, and globs from its name.
PLAIN_FOLDER = "plain"
N_SHOWN = 5


def main(trailweave: str, readers: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        plain = make_lake(trailweave, pathlib.Path(folder) / PLAIN_FOLDER)
        misleading = pathlib.Path(folder) / FOLDER / "lake"
        misleading.parent.mkdir(parents=True)
        plain.rename(misleading)
        expected = {name: rows_of_query(trailweave, misleading, name) for name in TABLES + VIEWS}
        plain.symlink_to(misleading)
        failed = False
        for reader in readers:
            began = time.monotonic()
            seen = READERS[reader](trailweave, misleading if reader in engines.ENGINES else plain)
            differences = [it for name, rows in seen.items() for it in compare(name, expected[name], rows, reader)]
            failed |= bool(differences) or set(seen) < set(TABLES)
            print(f"{reader}: {len(seen)} tables and views in {time.monotonic() - began:.1f} s", *differences, sep="\n  ")
    return int(failed)


def make_lake(trailweave: str, folder: pathlib.Path) -> pathlib.Path:
    lake, trail = folder / "lake", folder / "odd"
    run = lambda *arguments: subprocess.run([trailweave, *arguments], stdout=subprocess.PIPE, check=False)
    assert run("demo", "--dir", str(folder), "--records", "6000", "--seed", "3").returncode == 0
    day = trail / "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/03"
    day.mkdir(parents=True)
    name = "111122223333_CloudTrail_eu-west-1_20260303T0005Z_"
    (day / f"{name}0000000000000001.json.gz").write_bytes(gzip.compress(json.dumps({"Records": ODD}).encode()))
    (day / f"{name}0000000000000002.json.gz").write_bytes(b"\x1f\x8bdamaged")
    assert run("run", "--source", str(trail), "--lake", str(lake)).returncode == 3, "one object is damaged"
    return lake


def record(n: int, at: str, **fields) -> dict:
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{n:012}",
        "eventTime": at,
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "AWSService", "invokedBy": "ebs.amazonaws.com"},
        **fields,
    }


def context(**entries) -> dict:
    return {"requestParameters": {"encryptionContext": {"aws:ebs:id": "vol-0000000000000000a", **entries}}}


KEY = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-00000000000a"


def of_key(n: int, second: int, **fields) -> dict:
    resources = [{"ARN": KEY, "accountId": "111122223333", "type": "AWS::KMS::Key"}]
    return record(n, f"2026-03-03T05:00:{second:02}Z", resources=resources, **fields)


RE_ENCRYPT = {
    "sourceKeyId": KEY,
    "sourceEncryptionContext": {"aws:ebs:id": "snap-0000000000000000b"},
    "destinationKeyId": f"{KEY[:-1]}b",
    "destinationEncryptionContext": {"aws:ebs:id": "vol-0000000000000000c"},
}

# Times at both ends of a day, texts with what SQL, CSV and JSON escape, null values in a map; a key that is used while it is
# disabled, as the source of a ReEncrypt, too, after it is enabled again, and after it is to be deleted.
ODD = [
    record(1, "2026-03-02T23:59:59Z", **context(nothing=None, empty="")),
    record(2, "2026-03-03T00:00:00Z", **context(text="it's \"a\" \\ \t\r\n, ü ☃ 𝄞")),
    record(3, "2026-03-03T00:00:00.123Z", **context(), userAgent="\\N NULL null '' \u0000\u2028"),
    record(4, "2026-03-03T04:59:59Z", **context(), errorCode="AccessDenied", errorMessage="", readOnly=True),
    of_key(5, 0, eventName="DisableKey"),
    of_key(6, 1, **context(), errorCode="DisabledException"),
    of_key(7, 2, eventName="EnableKey"),
    of_key(8, 3, **context()),
    of_key(9, 4, eventName="ScheduleKeyDeletion"),
    of_key(10, 5, **context(), errorCode="KMSInvalidStateException"),
    record(11, "2026-03-03T05:00:01Z", eventName="ReEncrypt", requestParameters=RE_ENCRYPT, errorCode="DisabledException"),
    {"eventID": "no time"},
]


def rows_of_query(trailweave: str, lake: pathlib.Path, name: str) -> list[dict]:
    asked = [trailweave, "query", "--json", "--lake", str(lake), f"SELECT * FROM {name}"]
    return [json.loads(line) for line in subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout.splitlines()]


def compare(name: str, expected: list[dict], seen: list[dict], reader: str) -> list[str]:
    """Returns what differs, in words; row order does not count."""
    if reader == "clickhouse":
        kinds = {column: type(it) for row in seen for column, it in row.items() if isinstance(it, (list, dict))}
        expected = [{k: kinds[k]() if v is None and k in kinds else v for k, v in row.items()} for row in expected]
    ours, theirs = canonical(expected), canonical(seen)
    if not ours:
        return [f"{name} has no row: nothing was compared"]
    if len(ours) != len(theirs):
        return [f"{name} has {len(ours)} rows, {reader} sees {len(theirs)}"]
    cells = []
    for one, other in zip(ours, theirs):
        one, other = json.loads(one), json.loads(other)
        differing = [column for column in one.keys() | other.keys() if one.get(column, "lacks") != other.get(column, "lacks")]
        cells += [f"{name}.{it}: {one.get(it, 'lacks')!r}, {reader} sees {other.get(it, 'lacks')!r}" for it in differing]
    return cells[:N_SHOWN]


def duckdb(trailweave: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    db, answer = engines.duckdb(trailweave, lake)
    assert db.execute("SELECT min(event_time)::VARCHAR FROM events").fetchone()[0].endswith("+00")
    kinds = "SELECT typeof(event_time), typeof(volume_ids), typeof(encryption_context), typeof(event_date) FROM events LIMIT 1"
    assert db.execute(kinds).fetchone() == ("TIMESTAMP WITH TIME ZONE", "VARCHAR[]", "MAP(VARCHAR, VARCHAR)", "DATE")
    plan = db.execute("EXPLAIN ANALYZE SELECT count(event_id) FROM events WHERE event_date = '2026-03-03'").fetchone()[1]
    n_read, n_files = map(int, re.search(r"Scanning Files: (\d+)/(\d+)", plan).groups())
    assert n_read < n_files, plan
    return all_rows(answer)


def clickhouse(trailweave: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    db, answer = engines.clickhouse(trailweave, lake)
    n_all, n_day = (db.query(f"SELECT max(event_id) FROM events {it}").storage_rows_read() for it in ("", ONE_DAY))
    assert 0 < n_day < n_all, f"{n_day} of {n_all} rows read for a day"
    return all_rows(answer)


ONE_DAY = "WHERE event_date = '2026-03-03'"


def spark(trailweave: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    session, answer = engines.spark(trailweave, lake)
    plan = session.sql(f"SELECT * FROM events {ONE_DAY}")._jdf.queryExecution().toString()
    assert "PartitionFilters: [isnotnull(event_date" in plan, plan
    return all_rows(answer)


def all_rows(answer: engines.Answer) -> dict[str, list[dict]]:
    return {name: answer(f"SELECT * FROM {name}") for name in TABLES + VIEWS}


def folder_of(lake: pathlib.Path, table: str) -> str:
    return f"{lake}/_trailweave/ledger" if table == "ledger" else f"{lake}/{table}"


def polars(_: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    import polars

    return {name: polars.read_parquet(folder_of(lake, name)).to_dicts() for name in TABLES}


def pyarrow(_: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    import pyarrow.dataset

    open_folder = lambda name: pyarrow.dataset.dataset(folder_of(lake, name), partitioning="hive")
    return {name: open_folder(name).to_table().to_pylist() for name in TABLES}


def pandas(_: str, lake: pathlib.Path) -> dict[str, list[dict]]:
    import pandas

    seen = {}
    for name in TABLES:
        rows = pandas.read_parquet(folder_of(lake, name)).to_dict("records")
        seen[name] = [{column: of_pandas(it) for column, it in row.items()} for row in rows]
    return seen


def of_pandas(it):
    """A number that may be missing is a float there, and what is missing is one, too."""
    import pandas

    if it is pandas.NaT or (isinstance(it, float) and math.isnan(it)):
        return None
    if isinstance(it, pandas.Timestamp):
        return it.to_pydatetime()
    return int(it) if isinstance(it, float) else it


READERS = {it.__name__: it for it in (duckdb, clickhouse, spark, polars, pyarrow, pandas)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= set(READERS):
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
