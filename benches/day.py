"""Times the correlation of one day beside that of all the days before it.

A trail of many days is ingested up to its last day and correlated; then the last day is ingested, and what that changes
is correlated; then all of it once more, from all events. Needs the release build.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from peers import RELEASE, WORK, corpus


def measured(verb: list[str], lake: Path, memory: str) -> tuple[dict, float, float, float]:
    """The summary of a verb, its CPU seconds, wall seconds and peak RSS in MB."""
    command = [str(RELEASE / "trailweave"), *verb, "--lake", str(lake), "--threads", "2", "--memory", memory, "--json"]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    return json.loads(said), usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--memory", default="2GiB", help="what `trailweave --memory` gets")
    asked = parser.parse_args()
    options = {"records": asked.records, "records_per_object": 1500, "days": asked.days, "flows": 0.9}
    folder = corpus(f"days-{asked.days}", options)
    lake = WORK / "lake-of-days"
    shutil.rmtree(lake, ignore_errors=True)
    sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
    days = sorted({str(path)[-10:].replace("/", "-") for path in folder.glob("*/AWSLogs/*/CloudTrail/*/*/*/*")})
    # What is delivered later than the last day is late.
    before, last = days[asked.days - 2], days[asked.days - 1]
    steps = {
        f"ingest, {asked.days - 1} days": ["ingest", *sources, "--to", before],
        "correlate, all of them": ["correlate"],
        "ingest, one day more": ["ingest", *sources, "--from", last],
        "correlate, what it changes": ["correlate"],
        "correlate, nothing new": ["correlate"],
        "correlate --whole": ["correlate", "--whole"],
    }
    print("| step | events | rows of correlated | files changed | CPU s | wall s | peak RSS MB |")
    print("|---|---|---|---|---|---|---|")
    for name, verb in steps.items():
        said, cpu, wall, rss = measured(verb, lake, asked.memory)
        found = said.get("correlated") or {}
        figures = [found.get(key, "") for key in ("events", "kms_rows", "files")]
        print("| " + " | ".join(str(it) for it in [name, *figures, f"{cpu:.2f}", f"{wall:.2f}", f"{rss:.0f}"]) + " |")


if __name__ == "__main__":
    main()
