"""Times `status` on the ledger of years: 1,000,000 objects of 40 accounts over 3 years, of which a few stand in quarantine.

The lake is made by DuckDB, file by file as runs would leave it, with one small part of `events` a day. Needs the release
build and DuckDB (`make bench-status` makes both). With --runs-a-day 24 --compacted, it is what hourly runs and `compact` leave.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from peers import RELEASE, ROOT, WORK

FIRST = datetime.date(2023, 9, 1)

LEDGER = """
COPY (
  SELECT format('s3://trail/AWSLogs/o-abc/{{0}}/CloudTrail/eu-west-1/{day:%Y/%m/%d}/{{0}}_CloudTrail_eu-west-1_{day:%Y%m%d}T{{1:02d}}{{2:02d}}Z_{{3}}.json.gz',
           account, hour, n % 12 * 5, left(md5(account || '{day}' || n), 16)) AS source_object,
         '"' || md5('etag' || account || '{day}' || n) || '"' AS version, '{batch}' AS batch_id,
         CASE WHEN n = {bad} THEN 'quarantined' ELSE 'done' END AS status,
         CASE WHEN n = {bad} THEN 'damaged gzip stream after 512 bytes' END AS error,
         40000::BIGINT AS bytes, sha256(account || '{day}' || n) AS sha256,
         CASE WHEN n = {bad} THEN 0 ELSE 600 END::BIGINT AS records,
         CASE WHEN n = {bad} THEN 0 ELSE 20 END::BIGINT AS rows, 0::BIGINT AS duplicates,
         CASE WHEN n = {bad} THEN 0 ELSE 580 END::BIGINT AS filtered, 0::BIGINT AS rejects,
         TIMESTAMPTZ '{day} 00:00:00+00' AS min_event_time, TIMESTAMPTZ '{day} 00:00:00+00' AS max_event_time,
         NULL::VARCHAR[] AS amendments, '{run}' AS run_id, NULL::VARCHAR AS verdict, NULL::VARCHAR AS note
  FROM (SELECT n, (100000000000 + n % {accounts})::VARCHAR AS account, {hour} + n % {hours} AS hour
        FROM range({begin}, {end}) AS numbers(n))
  ORDER BY source_object
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def batch_id(*words: object) -> str:
    return hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()[:16]


def rules() -> int:
    source = (ROOT / "crates/correlate/src/correlate.rs").read_text()
    return int(re.search(r"RULES: u32 = (\d+)", source).group(1))


def make(lake: Path, asked: argparse.Namespace) -> None:
    """Makes the lake of `asked`."""
    shutil.rmtree(lake, ignore_errors=True)
    state = lake / "_trailweave"
    (state / "ledger").mkdir(parents=True)
    (state / "lake.json").write_text('{"format_version": 2, "events": "relevant"}')
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    days = [FIRST + datetime.timedelta(days=n) for n in range(asked.days)]
    n_runs = asked.days * asked.runs_a_day
    covered = {}
    for number in range(n_runs):
        day, of_day = days[number // asked.runs_a_day], number % asked.runs_a_day
        hours = 24 // asked.runs_a_day
        run, batch = f"{day:%Y%m%d}T{of_day * hours:02}0000000Z", batch_id(day, of_day)
        begin, end = (asked.entries * it // n_runs for it in (number, number + 1))
        # One object in a hundred thousand or so cannot be read.
        bad = begin if number % 100 == 0 else -1
        path = state / "ledger" / f"part-{batch}-0.parquet"
        words = {"day": day, "batch": batch, "bad": bad, "run": run, "accounts": asked.accounts, "path": path}
        database.execute(LEDGER.format(**words, begin=begin, end=end, hour=of_day * hours, hours=hours))
        (state / "runs" / run).mkdir(parents=True)
        (state / "runs" / run / "plan.json").write_text(json.dumps({"run_id": run, "objects": 0}) + "\n")
        (state / "runs" / run / "done.json").write_text(json.dumps({"objects_left": 0}))
    for day in days:
        part = lake / "events" / f"event_date={day}" / f"part-{batch_id(day, 0)}-0.parquet"
        part.parent.mkdir(parents=True)
        database.execute(f"COPY (SELECT TIMESTAMPTZ '{day} 12:00:00+00' AS event_time) TO '{part}' (FORMAT parquet)")
        covered[str(part.relative_to(lake))] = part.stat().st_size
    (state / "covered.json").write_text(json.dumps({"rules": rules(), "parts": covered, "products": []}))


def measured(verb: list[str], lake: Path, code: int = 3) -> tuple[float, float, float, int]:
    """The wall seconds, CPU seconds, peak RSS in MiB, and lines of a verb."""
    command = [str(RELEASE / "trailweave"), *verb, "--lake", str(lake), "--threads", "2", "--quiet"]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != code:
        sys.exit(f"{command} did not end with {code}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said.count(b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=40)
    parser.add_argument("--days", type=int, default=3 * 365)
    parser.add_argument("--runs-a-day", type=int, default=1, help="each leaves a file of the ledger; divides 24")
    parser.add_argument("--compacted", action="store_true", help="time `compact` and `gc` first, then the ledger that they leave")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    kind = "compacted" if asked.compacted else "as-left"
    lake = WORK / f"lake-of-years-{asked.entries}-{asked.accounts}-{asked.days}-{asked.runs_a_day}-{kind}"
    if asked.compacted or not (lake / "_trailweave" / "covered.json").exists():
        make(lake, asked)
    print("| verb | lines | wall s | CPU s | peak RSS MiB |")
    print("|---|---|---|---|---|")
    if asked.compacted:
        for verb in (["compact"], ["compact", "--json"], ["gc"]):
            wall, cpu, mib, lines = measured(verb, lake, 0)
            print(f"| {' '.join(verb)} | {lines} | {wall:.2f} | {cpu:.2f} | {mib:.0f} |")
    for verb in (["status"], ["status", "--summary"], ["status", "--json"], ["quarantine", "list"]):
        rounds = [measured(verb, lake) for _ in range(asked.rounds)]
        wall, cpu = (statistics.median(it[at] for it in rounds) for at in (0, 1))
        mib = max(it[2] for it in rounds)
        print(f"| {' '.join(verb)} | {rounds[0][3]} | {wall:.2f} | {cpu:.2f} | {mib:.0f} |")


if __name__ == "__main__":
    main()
