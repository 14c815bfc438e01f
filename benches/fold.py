"""Times `correlate --whole` of one lake with enough memory and with less, where it goes through slices of time.

The products must be the same bytes. With `--days` and `--part-days` also the first days of the lake alone, with the same
memory: what an event costs must not grow with the lake. Needs the release build.
"""

import argparse
import hashlib
import os
import shutil
from pathlib import Path

from day import measured
from peers import WORK, corpus

PRODUCTS = ["correlated", "instances", "volumes", "attachments", "grants"]
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def in_bytes(memory: str) -> int:
    return int(memory[:-3]) * UNITS[memory[-3:]]


def digest(lake: Path) -> str:
    """One digest of all files of the products."""
    whole = hashlib.sha256()
    for table in PRODUCTS:
        for path in sorted((lake / table).rglob("*.parquet")):
            whole.update(str(path.relative_to(lake)).encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def first_days(lake: Path, n_days: int) -> Path:
    """A lake of the events of the first days of another."""
    part = lake.with_name(f"{lake.name}-first-{n_days}")
    shutil.rmtree(part, ignore_errors=True)
    (part / "_trailweave").mkdir(parents=True)
    shutil.copy(lake / "_trailweave" / "lake.json", part / "_trailweave")
    for day in sorted((lake / "events").iterdir())[:n_days]:
        for table in ("events", "sessions"):
            if (lake / table / day.name).exists():
                shutil.copytree(lake / table / day.name, part / table / day.name, copy_function=os.link)
    return part


def ingested(name: str, options: dict[str, object]) -> Path:
    """The lake of the trail of these options, made once and not correlated."""
    lake = WORK / f"lake-{name}"
    if not (lake / "done").exists():
        folder = corpus(name, options)
        sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
        shutil.rmtree(lake, ignore_errors=True)
        measured(["ingest", *sources], lake, "1GiB")
        (lake / "done").touch()
    return lake


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=260_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--memory", nargs="+", default=["1GiB", "64MiB"], help="what `--memory` gets in turn")
    parser.add_argument("--part-days", type=int, help="of how many days also an own lake is correlated")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    options = {
        "records": asked.records,
        "days": asked.days,
        "accounts": asked.accounts,
        "records_per_object": 5000,
        "flows": 0.97,
    }
    name = f"fold-{asked.records}-{asked.days}-{asked.accounts}"
    lake = ingested(name, options)
    lakes = [lake] if asked.part_days is None else [first_days(lake, asked.part_days), lake]
    print("| events | `--memory` | slices | CPU s | wall s | peak RSS MiB | RSS over memory | CPU us an event |")
    print("|---|---|---|---|---|---|---|---|")
    for lake in lakes:
        digests = set()
        for memory in asked.memory * asked.rounds:
            said, cpu, wall, rss = measured(["correlate", "--whole"], lake, memory)
            found = said["correlated"]
            share = rss * (1 << 20) / in_bytes(memory)
            figures = [f"{found['events']:,}", memory, found["slices"], f"{cpu:.2f}", f"{wall:.2f}", f"{rss:.0f}"]
            figures += [f"{share:.2f}", f"{cpu / found['events'] * 1e6:.2f}"]
            print("| " + " | ".join(str(it) for it in figures) + " |", flush=True)
            digests.add(digest(lake))
        if len(digests) > 1:
            raise SystemExit("the products differ")


if __name__ == "__main__":
    main()
