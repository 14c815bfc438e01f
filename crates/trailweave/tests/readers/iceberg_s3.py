"""Compares what readers of Iceberg see in a published lake in S3 with what trailweave sees: iceberg_s3.py TRAILWEAVE TEST..

The variable S3_URL names the server. After a first run, a late delivery, a merge of parts and the end of the snapshots
before: in `cells` pyiceberg and DuckDB see every cell of tables by the path of the table; in `glue`, for which the server must answer
as AWS Glue too, pyiceberg does by the name of the table there. `loop` is that of iceberg.py. Exits with 1 where anything differs.
"""

import json
import os
import pathlib
import sys

import compare
import iceberg

URL = os.environ["S3_URL"]
KEY, SECRET, REGION, BUCKET, DATABASE = "AKIDEXAMPLE", "secret", "us-east-1", "lakes", "trail"
LAKE = f"s3://{BUCKET}/main"
# A table of each kind; at the end all are compared.
SOME = ["events", "correlated", "rejects"]
os.environ.update(
    AWS_ACCESS_KEY_ID=KEY,
    AWS_SECRET_ACCESS_KEY=SECRET,
    AWS_REGION=REGION,
    AWS_EC2_METADATA_DISABLED="true",
    TRAILWEAVE_ENDPOINT_URL=URL,
    TRAILWEAVE_PATH_STYLE="true",
)
OF_PYICEBERG = {"s3.endpoint": URL, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": REGION}


def client(service: str):
    if service in iceberg.SESSIONS:
        return iceberg.SESSIONS[service]
    import boto3

    options = {"region_name": REGION, "aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return iceberg.SESSIONS.setdefault(service, boto3.client(service, endpoint_url=URL, **options))


def content(key: str) -> str:
    return client("s3").get_object(Bucket=BUCKET, Key=f"main/{key}")["Body"].read().decode()


def newest(name: str) -> str:
    """The path of the newest metadata below the lake, as the hint says."""
    folder = f"_trailweave/iceberg/{name}/metadata"
    return f"{folder}/v{content(f'{folder}/version-hint.text')}.metadata.json"


def n_snapshots(name: str) -> int:
    return len(json.loads(content(newest(name)))["snapshots"])


def pyiceberg(name: str) -> list[dict]:
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(f"{LAKE}/{newest(name)}", properties=OF_PYICEBERG)
    return table.scan().to_arrow().to_pylist()


def duckdb_session():
    db = iceberg.duckdb_session("httpfs")
    host = URL.removeprefix("http://")
    options = f"KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false"
    db.execute(f"CREATE SECRET (TYPE s3, {options})")
    return db


def duckdb(name: str) -> list[dict]:
    db = iceberg.SESSIONS.get("duckdb-s3") or iceberg.SESSIONS.setdefault("duckdb-s3", duckdb_session())
    return db.sql(f"SELECT * FROM iceberg_scan('{LAKE}/_trailweave/iceberg/{name}')").to_arrow_table().to_pylist()


def glue_catalog(name: str) -> list[dict]:
    from pyiceberg.catalog import load_catalog

    if "catalog" not in iceberg.SESSIONS:
        of_glue = {it.replace("s3.", "glue."): value for it, value in OF_PYICEBERG.items()}
        iceberg.SESSIONS["catalog"] = load_catalog("glue", type="glue", **OF_PYICEBERG, **of_glue)
    return iceberg.SESSIONS["catalog"].load_table(f"{DATABASE}.{name}").scan().to_arrow().to_pylist()


def compared(trailweave: str, readers: list, when: str, tables: list[str] = SOME) -> list[str]:
    differences = []
    for name in tables:
        expected = compare.rows_of_query(trailweave, LAKE, name)
        for read in readers:
            it = compare.compare(name, expected, read(name), read.__name__)
            differences += [f"{when}: {difference}" for difference in it]
    return differences


def check(trailweave: str, folder: pathlib.Path, readers: list, *first: str) -> list[str]:
    client("s3").create_bucket(Bucket=BUCKET)
    compare.make_lake(trailweave, folder)  # for its trails
    sources = ["--source", str(folder / "trail"), "--source", str(folder / "odd")]
    iceberg.run(trailweave, "run", "--publish", *first, *sources, "--lake", LAKE)
    differences = compared(trailweave, readers, "after a first run")
    late = iceberg.deliver(folder, 1, iceberg.records(1))
    iceberg.run(trailweave, "run", "--publish", "--source", str(late), "--lake", LAKE)
    differences += compared(trailweave, readers, "after a late delivery")
    iceberg.run(trailweave, "compact", "--publish", "--lake", LAKE)
    differences += compared(trailweave, readers, "after a merge")
    before = n_snapshots("events")
    iceberg.run(trailweave, "gc", "--lake", LAKE)
    if before < 3 or n_snapshots("events") != 1:
        differences.append(f"of {before} snapshots {n_snapshots('events')} are left")
    return differences + compared(trailweave, readers, "after the end of snapshots", iceberg.TABLES)


def cells(trailweave: str, folder: pathlib.Path) -> list[str]:
    return check(trailweave, folder, [pyiceberg, duckdb])


def loop(trailweave: str, folder: pathlib.Path) -> list[str]:
    client("s3").create_bucket(Bucket=BUCKET)
    return iceberg.beside(trailweave, folder, LAKE, duckdb_session, 10)


def glue(trailweave: str, folder: pathlib.Path) -> list[str]:
    os.environ["TRAILWEAVE_GLUE_ENDPOINT_URL"] = URL
    client("glue").create_database(DatabaseInput={"Name": DATABASE})
    differences = check(trailweave, folder, [glue_catalog], "--glue-database", DATABASE)
    table = client("glue").get_table(DatabaseName=DATABASE, Name="events")["Table"]
    last = table["StorageDescriptor"]["Columns"][-1]
    if (last["Name"], last["Type"]) != ("event_date", "date"):
        differences.append(f"the last column in Glue is {last}")
    return differences


TESTS = {it.__name__: it for it in (cells, loop, glue)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= set(TESTS):
        sys.exit(__doc__)
    iceberg.TESTS = TESTS
    sys.exit(iceberg.main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
