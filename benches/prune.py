"""Times `prune` of a day, and `status`, in a lake of years.

A trail of many accounts and small objects is ingested, so that the ledger is long, and correlated. Then the first day is
pruned, then another one. Says which files of other days changed, of which there must be none but those of `rejects`.
Needs the release build, and some 5 GB of disk for a million objects.
"""

import argparse
import datetime
import shutil
from pathlib import Path

from day import measured
from peers import WORK, corpus

FIRST = datetime.date(2023, 9, 1)


def files(lake: Path) -> dict[str, int]:
    """When each file of the lake was written."""
    return {str(path.relative_to(lake)): path.stat().st_mtime_ns for path in lake.rglob("*.parquet")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="as many objects, nearly")
    parser.add_argument("--days", type=int, default=1_096)
    parser.add_argument("--accounts", type=int, default=40)
    parser.add_argument("--memory", default="1GiB", help="what `trailweave --memory` gets")
    asked = parser.parse_args()
    options = {
        "records": asked.records,
        "records_per_object": 1,
        "days": asked.days,
        "accounts": asked.accounts,
        "first_day": FIRST,
    }
    folder = corpus(f"years-{asked.days}-{asked.accounts}", options)
    lake = WORK / "lake-of-years"
    shutil.rmtree(lake, ignore_errors=True)
    sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
    before = [str(FIRST + datetime.timedelta(days=n)) for n in (1, 2)]
    steps = {
        "ingest": ["ingest", *sources],
        "correlate": ["correlate"],
        "status": ["status"],
        "prune, the first day": ["prune", "--before", before[0]],
        "prune, the next day": ["prune", "--before", before[1]],
        "prune, nothing": ["prune", "--before", before[1]],
        "status, then": ["status"],
        "correlate, nothing new": ["correlate"],
    }
    print("| step | rows pruned | rows remembered | other files changed | CPU s | wall s | peak RSS MB |")
    print("|---|---|---|---|---|---|---|")
    for name, verb in steps.items():
        stood = files(lake) if verb[0] == "prune" else {}
        said, cpu, wall, rss = measured(verb, lake, asked.memory)
        pruned = said.get("pruned") or {}
        pruned = pruned if isinstance(pruned, dict) else {}
        stands = files(lake) if stood else {}
        old = [f"event_date={FIRST + datetime.timedelta(days=n)}" for n in range(-1, 2)]
        others = [path for path in stood if not any(day in path for day in old) and not path.startswith("rejects/")]
        changed = sum(stands.get(path) != stood[path] for path in others) if stood else ""
        figures = [pruned.get("rows", ""), pruned.get("remembered", ""), changed]
        print("| " + " | ".join(str(it) for it in [name, *figures, f"{cpu:.2f}", f"{wall:.2f}", f"{rss:.0f}"]) + " |")


if __name__ == "__main__":
    main()
