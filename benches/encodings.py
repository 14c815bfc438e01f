"""Bytes and CPU of a lake's columns by the way they are written, where another way than the dictionary is smaller.

`python3 benches/encodings.py LAKE`, with pyarrow installed. Every column of up to 20 files of each table is written
alone, in row groups and with a zstd as ours, by another writer than ours: what differs is the encoding. Maps, the
ledger and the rejects are left out.
"""

import io
import sys
import time
from pathlib import Path

# Rows of a row group of `events`, and of a joined table.
EVENTS_ROWS, JOINED_ROWS = 32_768, 16_384
FILES = 20
# A share of a table's bytes below which nothing is said of a column, and what a way must spare.
NOTABLE = 0.005
SPARED = 0.03


def written(column, encoding: str | None, group_rows: int) -> tuple[int, float]:
    """Compressed bytes of a table of one column, and the CPU seconds of writing it; `None` is the dictionary."""
    import pyarrow.parquet as parquet

    name = column.column_names[0]
    leaf = f"{name}.list.element" if "list" in str(column.schema.field(0).type) else name
    how = {"use_dictionary": True} if encoding is None else {"use_dictionary": False, "column_encoding": {leaf: encoding}}
    file = io.BytesIO()
    before = time.process_time()
    parquet.write_table(column, file, row_group_size=group_rows, compression="zstd", compression_level=1, **how)
    cpu = time.process_time() - before
    groups = parquet.ParquetFile(io.BytesIO(file.getvalue())).metadata
    chunks = (groups.row_group(group).column(0) for group in range(groups.num_row_groups))
    return sum(chunk.total_compressed_size for chunk in chunks), cpu


def ways(kind) -> dict[str, str | None]:
    """How a column of this type can be written."""
    import pyarrow.types as types

    is_number = types.is_timestamp(kind) or types.is_integer(kind)
    delta = "DELTA_BINARY_PACKED" if is_number else "DELTA_LENGTH_BYTE_ARRAY"
    return {"dictionary": None, "plain": "PLAIN", "delta": delta}


def main() -> None:
    import pyarrow.parquet as parquet
    import pyarrow.types as types

    if len(sys.argv) != 2:
        sys.exit("usage: encodings.py LAKE")
    print("| column | of its table | dictionary | plain | delta | CPU of plain | of delta |\n|---|---|---|---|---|---|---|")
    for table in sorted(Path(sys.argv[1]).iterdir()):
        if table.name.startswith("_") or table.name == "rejects":
            continue
        group_rows = EVENTS_ROWS if table.name == "events" else JOINED_ROWS
        files = sorted(table.rglob("*.parquet"))[:FILES]
        table_bytes = sum(path.stat().st_size for path in files)
        sums: dict[str, dict[str, tuple[int, float]]] = {}
        for path in files:
            rows = parquet.ParquetFile(path).read()
            for field in rows.schema:
                is_left_out = types.is_boolean(field.type) or types.is_map(field.type)
                if is_left_out or rows[field.name].null_count == rows.num_rows:
                    continue
                of_column = sums.setdefault(field.name, {})
                for way, encoding in ways(field.type).items():
                    size, cpu = written(rows.select([field.name]), encoding, group_rows)
                    size_before, cpu_before = of_column.get(way, (0, 0.0))
                    of_column[way] = (size_before + size, cpu_before + cpu)
        for name, of_column in sums.items():
            size, cpu = of_column["dictionary"]
            if size < NOTABLE * table_bytes or min(other for other, _ in of_column.values()) > (1 - SPARED) * size:
                continue
            plain, delta = of_column["plain"], of_column["delta"]
            print(f"| {table.name}.{name} | {size / table_bytes:.1%} | {size} | {plain[0] / size - 1:+.0%} | {delta[0] / size - 1:+.0%} | {plain[1] / cpu - 1:+.0%} | {delta[1] / cpu - 1:+.0%} |")


if __name__ == "__main__":
    main()
