"""Compares a lake's table `correlated` with DuckDB's own answer over the same events: compare.py LAKE

Exits with 0 when every row agrees in every column that both have, with 1 when any differs or nothing was compared.
"""

import pathlib
import sys
import time

import duckdb

SQL = pathlib.Path(__file__).with_name("correlated.sql")
N_SHOWN = 10


def main(lake: pathlib.Path) -> int:
    db = duckdb.connect()
    for table in ("events", "correlated", "sessions"):
        if any((lake / table).glob("**/*.parquet")):
            files = str(lake / table / "**" / "*.parquet").replace("'", "''")
            db.execute(f"CREATE VIEW {table} AS FROM read_parquet('{files}', hive_partitioning = false)")
        elif table == "sessions":
            # A lake of all events, or of none of STS.
            db.execute("CREATE VIEW sessions AS SELECT NULL AS issued_to, * EXCLUDE (event_source) FROM events LIMIT 0")
        else:
            print(f"{lake} has no {table}: nothing to compare")
            return 1

    began = time.monotonic()
    db.execute(SQL.read_text(encoding="utf-8"))
    seconds = time.monotonic() - began

    columns = [name for name, *_ in db.execute("DESCRIBE answer").fetchall()]
    listed = ", ".join(columns)
    n_events, n_found, n_expected = (count(db, f"FROM {it}") for it in ("events", "correlated", "answer"))
    print(f"{n_events} events, {n_found} rows correlated, {n_expected} by DuckDB in {seconds:.1f} s")
    links = "SELECT link, unmatched_reason, count(*) FROM answer GROUP BY ALL ORDER BY ALL"
    for link, reason, n in db.execute(links).fetchall():
        print(f"  {link} {reason or ''}".rstrip().ljust(28), n)

    found, expected = f"SELECT {listed} FROM correlated", f"SELECT {listed} FROM answer"
    surplus = differences(db, "only in correlated", columns, f"{found} EXCEPT ALL {expected}")
    missing = differences(db, "only by DuckDB", columns, f"{expected} EXCEPT ALL {found}")
    if n_expected == 0:
        print("no row: nothing was compared")
    return int(surplus + missing > 0 or n_expected == 0)


def count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    return db.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]


def differences(db: duckdb.DuckDBPyConnection, title: str, columns: list[str], query: str) -> int:
    """Prints how many rows `query` has, and the first of them; returns their number."""
    rows = db.execute(f"{query} ORDER BY ALL").fetchall()
    print(f"{title}: {len(rows)}")
    for row in rows[:N_SHOWN]:
        print("  " + ", ".join(f"{name}={value}" for name, value in zip(columns, row) if value is not None))
    return len(rows)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
