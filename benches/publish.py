"""Measures what it costs to publish a lake as Iceberg tables. Needs the release build, of which `query` is no part.

First a lake of ten years: a file of `events` and of each product for each of its days, the same bytes under each name. It is
published, then once more with one day changed, and with nothing changed. Then `run --publish` beside `run`, on new lakes
of the busy account, in turn.
"""

import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peers import RELEASE, SHAPES, WORK, corpus

TABLES = ["events", "correlated", "instances", "volumes", "attachments", "grants"]


def measured(*arguments: str) -> tuple[float, float]:
    """The CPU and wall seconds of a call."""
    began = time.perf_counter()
    child = subprocess.Popen([str(RELEASE / "trailweave"), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{arguments} failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def metadata(lake: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in (lake / "_trailweave" / "iceberg").glob("*/metadata/*")}


def years(n_days: int) -> None:
    demo, lake = WORK / "publish-demo", WORK / "lake-of-years"
    for folder in (demo, lake):
        shutil.rmtree(folder, ignore_errors=True)
    measured("demo", "--dir", str(demo))
    (lake / "_trailweave").mkdir(parents=True)
    shutil.copy(demo / "lake/_trailweave/lake.json", lake / "_trailweave")
    days = [datetime.date(2016, 1, 1) + datetime.timedelta(n) for n in range(n_days)]
    for table in TABLES:
        file = next((demo / "lake" / table).glob("*/*.parquet"))
        for day in days:
            folder = lake / table / f"event_date={day}"
            folder.mkdir(parents=True)
            # A name that is not of a batch, which the ledger would have to know.
            os.link(file, folder / "compact-0000000000000000-0.parquet")
    print("| step | CPU s | wall s | files written | KB written |")
    print("|---|---|---|---|---|")
    steps = [f"publish, {n_days} days", "publish, one day changed", "publish, nothing changed"]
    for step in steps:
        if step == steps[1]:
            for table in TABLES:
                folder = lake / table / f"event_date={days[n_days // 2]}"
                old = folder / "compact-0000000000000000-0.parquet"
                old.rename(folder / "compact-0000000000000001-0.parquet")
        before = metadata(lake)
        cpu, wall = measured("publish", "--lake", str(lake), "--threads", "2")
        after = metadata(lake)
        written = [n for path, n in after.items() if path not in before or path.name == "version-hint.text" and before != after]
        print(f"| {step} | {cpu:.2f} | {wall:.2f} | {len(written)} | {sum(written) / 1024:.0f} |")


def beside(rounds: int) -> None:
    folder = corpus("busy", SHAPES["busy"])
    sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
    lake, costs = WORK / "lake-published", {"run": [], "run --publish": []}
    for _ in range(rounds):
        for verb, of_verb in costs.items():
            shutil.rmtree(lake, ignore_errors=True)
            of_verb.append(measured(*verb.split(), *sources, "--lake", str(lake), "--threads", "2")[0])
    print(f"\n| verb, {rounds} rounds in turn | least CPU s | median CPU s |")
    print("|---|---|---|")
    for verb, of_verb in costs.items():
        print(f"| {verb} | {min(of_verb):.3f} | {statistics.median(of_verb):.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3650)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    years(asked.days)
    beside(asked.rounds)


if __name__ == "__main__":
    main()
