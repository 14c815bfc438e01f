"""Holds every table of a report against the SQL that the page shows for it: figures.py TRAILWEAVE LAKE REPORT [LEAST_CELLS [query]].

DuckDB answers, by the statements of `trailweave ddl duckdb`; with `query` also `trailweave query`, one statement of each
kind. Exits with 1 where any cell differs.
"""

import datetime
import html.parser
import json
import re
import subprocess
import sys

import duckdb


class Page(html.parser.HTMLParser):
    """The rows of each table, as values, and its SQL."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.sql: dict[str, str] = {}
        self.table = self.statement = None
        self.cell: list[str] | None = None
        self.value: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "table" and "data-grid" in named:
            self.table = named["id"]
            assert self.table not in self.rows, f"two tables are called {self.table}"
            self.rows[self.table] = []
        elif tag == "tr" and self.table:
            self.rows[self.table].append([])
        elif tag == "td" and self.table:
            self.cell, self.value = [], None
        elif tag == "pre" and "data-sql" in named:
            self.statement = named["data-sql"]
            self.sql[self.statement] = ""
        elif self.cell is not None and "data-v" in named:
            self.value = named["data-v"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self.cell is not None:
            self.rows[self.table][-1].append(self.value if self.value is not None else "".join(self.cell).strip())
            self.cell = None
        elif tag == "table":
            self.table = None
        elif tag == "pre":
            self.statement = None

    def handle_data(self, data: str) -> None:
        if self.cell is not None:
            self.cell.append(data)
        if self.statement:
            self.sql[self.statement] += data


def said(value: object) -> str:
    """Writes a value as the page does."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.timezone.utc)
        text = utc.strftime("%Y-%m-%dT%H:%M:%S")
        return text + (f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else "") + "Z"
    return str(value)


def queried(trailweave: str, lake: str, sql: str) -> list[list[str]]:
    """Returns the rows that `trailweave query` gives."""
    command = [trailweave, "query", "--json", "--lake", lake, sql]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [[said(value) for value in json.loads(line).values()] for line in answer.stdout.splitlines()]


def main(trailweave: str, lake: str, report: str, least_cells: str = "100", engine: str = "duckdb") -> int:
    page = Page()
    page.feed(open(report, encoding="utf-8").read())
    ddl = subprocess.run([trailweave, "ddl", "duckdb", "--lake", lake], check=True, stdout=subprocess.PIPE, text=True)
    connection = duckdb.connect()
    connection.execute(ddl.stdout)
    assert set(page.rows) == set(page.sql), set(page.rows) ^ set(page.sql)
    failed = n_cells = 0
    kinds: set[str] = set()
    for name, sql in page.sql.items():
        # The row of the head holds no cell.
        shown = [row for row in page.rows[name] if row]
        try:
            given = [[said(value) for value in row] for row in connection.execute(sql).fetchall()]
        except duckdb.Error as error:
            given = [[f"{error}"]]
        n_cells += sum(len(row) for row in shown)
        if shown != given:
            failed += 1
            pairs = [(a, b) for a, b in zip(shown, given) if a != b][:2]
            print(f"{name}: {len(shown)} rows are shown, {len(given)} given\n{sql}\n  first differences: {pairs or given[:1]}")
        kind = re.sub("[0-9]+", "", name)
        if engine == "query" and kind not in kinds and queried(trailweave, lake, sql) != shown:
            failed += 1
            print(f"{name}: `trailweave query` gives other rows\n{sql}")
        kinds.add(kind)
    print(f"{len(page.sql)} tables, {n_cells} cells, {failed} differ")
    return int(failed > 0 or n_cells < int(least_cells))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
