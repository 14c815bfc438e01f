"""Kills the real program at random moments, runs it again until it ends, and compares the lake with one never killed.

A round is a lake made by `run`, `compact` and `gc`, killed again and again on the way: each attempt gets a random part of the
time that the whole takes, and sometimes what a killed run left is compacted before the next. Every table must then hold
the same rows. Needs the release build, and DuckDB (`make crash`
has both).

With `--s3` the lakes are in S3, which s3s-fs serves from a folder. The lease of a killed run is removed, as who knows
that it is dead may do; else each next run would wait a minute for it to expire.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
WORK = ROOT / "target" / "bench" / "crash"
BUCKETS = WORK / "s3"
# Else each start would ask an instance for its region.
ENVIRONMENT = os.environ | {"AWS_REGION": "us-east-1"}
TABLES = ["events", "sessions", "rejects", "correlated", "instances", "volumes", "attachments", "grants"]
# Which of two equal copies stays may differ; which kill decides it, too.
LOGGED = "EXCLUDE (source_object, source_index)"


def corpus(records: int) -> Path:
    """A trail with an object that is cut and one whose records are partly none."""
    folder = WORK / f"trail-{records}"
    if not folder.exists():
        options = [f"records={records}", "records_per_object=20", "accounts=4", "seed=11"]
        example = RELEASE / "examples" / "corpus"
        subprocess.run([example, folder, *options], check=True, stdout=subprocess.DEVNULL)
        (folder / "AWSLogs" / "odd.json").write_text('{"Records": [7, {"eventTime": "never"}]}')
        (folder / "AWSLogs" / "cut.json.gz").write_bytes(b"\x1f\x8b\x08")
    return folder / "AWSLogs"


def serve() -> tuple[subprocess.Popen, str]:
    """Serves an empty S3 with a bucket; returns the server and its URL."""
    shutil.rmtree(BUCKETS, ignore_errors=True)
    (BUCKETS / "lakes").mkdir(parents=True)
    server = subprocess.Popen([RELEASE / "examples" / "s3", "serve", BUCKETS], stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().strip()


def steps(source: Path, lake: Path, url: str | None) -> list[list[str]]:
    """The job, then its tidying."""
    program = str(RELEASE / "trailweave")
    name = f"s3://{lake.relative_to(BUCKETS)}" if url else str(lake)
    given = ["--lake", name, "--threads", "2", "--quiet"]
    if url:
        given += ["--endpoint-url", url, "--path-style", "--no-sign-request"]
    return [[program, "run", "--source", str(source), *given], [program, "compact", *given], [program, "gc", *given]]


def finish(command: list[str]) -> None:
    """Runs a step to its end; 3 says that an object is quarantined, which one is."""
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
    if ended.returncode not in (0, 3):
        sys.exit(f"{command} failed:\n{ended.stderr.decode()}")


def digests(lake: Path) -> dict[str, tuple]:
    """Rows of every table, and a digest that does not depend on their order."""
    found = {}
    for table in [*TABLES, "_trailweave/ledger"]:
        files = str(lake / table / "**" / "*.parquet")
        columns = "source_object, version, status, records, filtered, rejects" if "ledger" in table else "*"
        if table in ("events", "sessions"):
            columns = f"* {LOGGED}"
        if table == "correlated":
            columns = "* EXCLUDE (kms_source_object, ec2_source_object)"
        sql = f"SELECT count(*), sum(hash(r)::HUGEINT) FROM (SELECT {columns} FROM read_parquet('{files}')) r"
        found[table] = duckdb.sql(sql).fetchall()[0]
    ledger = str(lake / "_trailweave" / "ledger" / "*.parquet")
    found["counted"] = duckdb.sql(f"SELECT sum(rows), sum(duplicates) FROM read_parquet('{ledger}')").fetchall()[0]
    return found


def leases(lake: Path) -> list[Path]:
    """The leases of a lake, which only one in S3 has."""
    return list((lake / "_trailweave" / "leases").glob("*.json"))


def killed(commands: list[list[str]], lake: Path, seconds: float, dice: random.Random, kills: int) -> int:
    """Makes a lake under up to so many kills; returns how many met the program alive."""
    shutil.rmtree(lake, ignore_errors=True)
    met = 0
    for command in commands:
        while met < kills:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            try:
                child.wait(timeout=dice.uniform(0, seconds))
                break
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                met += 1
                for lease in leases(lake):
                    lease.unlink(missing_ok=True)
                if (lake / "_trailweave" / "lake.json").exists() and dice.random() < 0.3:
                    finish(commands[1])
                if dice.random() < 0.2:
                    break
        finish(command)
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--s3", action="store_true", help="the lakes are in S3")
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    source = corpus(asked.records)
    if asked.s3:
        server, url = serve()
        try:
            compare(asked, source, BUCKETS / "lakes", url)
        finally:
            server.kill()
            server.wait()
    else:
        compare(asked, source, WORK, None)


def compare(asked: argparse.Namespace, source: Path, lakes: Path, url: str | None) -> None:
    """Makes a lake without kills, then others under kills until these are enough."""
    whole, lake = lakes / "whole", lakes / "lake"
    shutil.rmtree(whole, ignore_errors=True)
    began = time.perf_counter()
    for command in steps(source, whole, url):
        finish(command)
    seconds = time.perf_counter() - began
    expected = digests(whole)
    dice = random.Random(asked.seed)
    met, rounds = 0, 0
    while met < asked.kills:
        met += killed(steps(source, lake, url), lake, seconds, dice, min(8, asked.kills - met))
        rounds += 1
        found = digests(lake)
        if found != expected:
            sys.exit(f"round {rounds} differs:\n{expected}\n{found}")
        leftovers = [path for path in lake.rglob(".*") if path.is_file()] + leases(lake)
        if leftovers:
            sys.exit(f"round {rounds} left {leftovers} behind")
    rows = {table: count for table, (count, _) in expected.items()}
    print(f"{met} kills over {rounds} lakes, each took {seconds:.2f} s unkilled; every table has the same rows: {rows}")


if __name__ == "__main__":
    main()
