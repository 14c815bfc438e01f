"""Bytes that DuckDB reads to find one instance in a lake, over the bytes of the table.

`python3 benches/needle.py LAKE`, with DuckDB installed (`make duckdb` puts one into target/venv). What is counted is
what the process reads through system calls, in a process that has read nothing before.
"""

import subprocess
import sys
from pathlib import Path

QUERY = """
import sys, duckdb
read = lambda: int(next(line for line in open('/proc/self/io') if line.startswith('rchar')).split()[1])
duckdb.sql('SET threads = 2')
before = read()
duckdb.sql('CREATE TEMP TABLE found AS ' + sys.argv[1])
bytes = read() - before
print(duckdb.sql('SELECT count(*) FROM found').fetchall()[0][0], bytes)
"""


def asked(sql: str) -> tuple[int, int]:
    """Rows that a question finds, and the bytes that it reads."""
    said = subprocess.run([sys.executable, "-c", QUERY, sql], check=True, capture_output=True, text=True)
    rows, read = said.stdout.split()
    return int(rows), int(read)


def main() -> None:
    import duckdb

    if len(sys.argv) != 2:
        sys.exit("usage: needle.py LAKE")
    lake = Path(sys.argv[1])
    files = lambda table: f"read_parquet('{lake / table / '*' / '*.parquet'}', hive_partitioning = true)"
    named = f"SELECT instance_id FROM {files('correlated')} WHERE instance_id IS NOT NULL GROUP BY 1 ORDER BY count(*), 1"
    ids = [row[0] for row in duckdb.sql(named).fetchall()]
    needle = ids[len(ids) // 2]
    questions = {
        "correlated": f"SELECT * FROM {files('correlated')} WHERE instance_id = '{needle}'",
        "grants": f"SELECT * FROM {files('grants')} WHERE instance_id = '{needle}'",
        "events": f"SELECT event_id FROM {files('events')} WHERE list_contains(instance_ids, '{needle}')",
    }
    print("| table | rows | bytes | rows found | bytes read | share |\n|---|---|---|---|---|---|")
    for table, sql in questions.items():
        total = duckdb.sql(f"SELECT count(*) FROM {files(table)}").fetchall()[0][0]
        size = sum(path.stat().st_size for path in (lake / table).rglob("*.parquet"))
        found, read = asked(sql)
        print(f"| {table} | {total} | {size} | {found} | {read} | {read / size:.2%} |")


if __name__ == "__main__":
    main()
