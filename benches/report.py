"""Times `report` on a lake of a million rows of `correlated`, beside the least that it could take.

That is: `query "SELECT count(*) FROM correlated"`, and the columns that the report reads of `correlated` read once by
DuckDB, which keeps the least value of each. Prints seconds, the peak of memory, and the size of the page. The lake is
made once, of the corpus. Needs the release build and DuckDB (`make bench-report` makes both).
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from day import measured
from peers import RELEASE, ROOT, WORK, corpus


def columns() -> list[str]:
    """The columns of the pass over `correlated`."""
    source = (ROOT / "crates/report/src/uses.rs").read_text()
    return re.findall(r'"(\w+)"', re.search(r"const COLUMNS: .*?\];", source, re.S)[0])


def lake_of(records: int) -> Path:
    """The lake of a trail of so many records, made once."""
    lake = WORK / f"lake-report-{records}"
    if not (lake / "done").exists():
        folder = corpus(f"report-{records}", {"records": records})
        sources = [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
        measured(["run", *sources], lake, "2GiB")
        (lake / "done").touch()
    return lake


def taken(arguments: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, and MiB at the peak of a process."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    assert code == 0, arguments
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def least_of_rounds(rounds: int, arguments: list[str]) -> tuple[float, float, float]:
    """The least seconds of some rounds, and the highest peak."""
    walls, cpus, peaks = zip(*(taken(arguments) for _ in range(rounds)))
    return min(walls), min(cpus), max(peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=17_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lake", type=Path, help="a lake that there is")
    parser.add_argument("--program", default=str(RELEASE / "trailweave"))
    asked = parser.parse_args()
    lake = asked.lake or lake_of(asked.records)
    page = WORK / "report.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    files = sorted(glob.glob(f"{lake}/correlated/*/*.parquet"))
    rows = duckdb.sql(f"SELECT count(*) FROM read_parquet({files})").fetchall()[0][0]
    if rows < 1_000_000:
        print(f"only {rows} rows of correlated: name more --records")
    least = ", ".join(f"min({it})" for it in columns())
    sql = f"SET threads = 2; SELECT {least} FROM read_parquet({files})"
    read = least_of_rounds(asked.rounds, [sys.executable, "-c", f"import duckdb; duckdb.sql({sql!r}).fetchall()"])
    start = least_of_rounds(asked.rounds, [sys.executable, "-c", "import duckdb"])
    count = [asked.program, "query", "--threads", "2", "--lake", str(lake), "SELECT count(*) FROM correlated"]
    counted = least_of_rounds(asked.rounds, count)
    report = least_of_rounds(asked.rounds, [asked.program, "report", "--threads", "2", "--lake", str(lake), "--out", str(page)])
    print(f"{rows} rows of correlated, page {page.stat().st_size / 1e6:.2f} MB, {report[2]:.0f} MiB")
    for what, at in (("wall", 0), ("CPU", 1)):
        columns_read = read[at] - start[at]
        print(f"{what}: report {report[at]:.2f} s; count(*) {counted[at]:.2f} s + columns {columns_read:.2f} s; "
              f"ratio {report[at] / (counted[at] + columns_read):.2f}")


if __name__ == "__main__":
    main()
