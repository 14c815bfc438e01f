"""Times `report` on a lake of a million rows of `correlated`, beside the least that it could take.

That is: `query "SELECT count(*) FROM correlated"`, and the columns that the report reads read once by DuckDB, which keeps
the least value of each: those of `correlated`, and those of all tables that it passes over. Prints seconds, the peak of
memory, and the size of the page. The lake is made once, of the corpus. Needs the release build and DuckDB
(`make bench-report` makes both).
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from day import measured
from peers import RELEASE, ROOT, WORK, corpus


# Where the files of a table stand, and what names the columns that are read of it.
CORRELATED = ("correlated/*/*.parquet", "uses.rs", "COLUMNS")
OTHERS = [
    ("_trailweave/ledger/*.parquet", "reading.rs", "COLUMNS"),
    ("events/*/*.parquet", "keys.rs", "COUNTED_BY"),
    ("grants/*/*.parquet", "grants.rs", "COLUMNS"),
]


def reading(lake: Path, files: str, source: str, name: str) -> str:
    """The SQL that reads the columns of a table once."""
    text = (ROOT / "crates/report/src" / source).read_text()
    columns = re.findall(r'"(\w+)"', re.search(rf"const {name}: .*?\];", text, re.S)[0])
    least = ", ".join(f"min({it})" for it in columns)
    return f"SELECT {least} FROM read_parquet('{lake / files}')"


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
    sql = f"SELECT count(*) FROM read_parquet('{lake / CORRELATED[0]}')"
    rows = duckdb.sql(sql).fetchall()[0][0]
    if rows < 1_000_000:
        print(f"only {rows} rows of correlated: name more --records")
    read = []
    for tables in ([CORRELATED], [CORRELATED, *OTHERS]):
        asked_of = "; ".join(f"duckdb.sql({reading(lake, *it)!r}).fetchall()" for it in tables)
        read.append(least_of_rounds(asked.rounds, [sys.executable, "-c", f"import duckdb; duckdb.sql('SET threads = 2'); {asked_of}"]))
    start = least_of_rounds(asked.rounds, [sys.executable, "-c", "import duckdb"])
    count = [asked.program, "query", "--threads", "2", "--lake", str(lake), "SELECT count(*) FROM correlated"]
    counted = least_of_rounds(asked.rounds, count)
    report = least_of_rounds(asked.rounds, [asked.program, "report", "--threads", "2", "--lake", str(lake), "--out", str(page)])
    print(f"{rows} rows of correlated, page {page.stat().st_size / 1e6:.2f} MB, {report[2]:.0f} MiB")
    for what, at in (("wall", 0), ("CPU", 1)):
        for which, of_tables in zip(("correlated", "all tables"), read):
            columns_read = of_tables[at] - start[at]
            print(f"{what}: report {report[at]:.2f} s; count(*) {counted[at]:.2f} s + columns of {which} {columns_read:.2f} s; "
                  f"ratio {report[at] / (counted[at] + columns_read):.2f}")


if __name__ == "__main__":
    main()
