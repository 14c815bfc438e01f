"""Asks every question of a demo's lake by `trailweave ask`, and of DuckDB by what --sql prints: ask.py TRAILWEAVE.

Exits with 1 where the rows differ, or where a question that must have rows has none.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import duckdb
from compare import canonical, statements

# The demo has no key that is used while it is disabled.
MAY_BE_EMPTY = {"uses-of-disabled-keys"}


def main(trailweave: str) -> int:
    run = lambda *typed: subprocess.run([trailweave, *typed], stdout=subprocess.PIPE, check=True, text=True).stdout
    lines = lambda text: [json.loads(line) for line in text.splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        run("demo", "--dir", folder, "--records", "6000", "--seed", "3")
        lake = pathlib.Path(folder) / "lake"
        db = duckdb.connect()
        db.execute(statements(trailweave, "duckdb", lake))
        one = lambda column, where: str(db.execute(f"SELECT {column} FROM correlated WHERE {where} LIMIT 1").fetchall()[0][0])
        key = one("key_arn", "kms_event_name = 'Decrypt' AND instance_id IS NOT NULL AND kms_error_code IS NULL")
        told = {
            "EVENT": one("kms_event_id", "link = 'request_id'"),
            "KEY": key.split(":key/")[1],
            "INSTANCE": one("instance_id", "instance_id IS NOT NULL AND launch_event_id IS NOT NULL AND key_arn IS NOT NULL"),
            "WHEN": one("CAST(max(CAST(kms_event_time AS DATE)) OVER () AS VARCHAR)", "true"),
        }
        asked = [it["usage"] for it in lines(run("ask", "--json"))]
        asked += ["who-used-key ARN", "launchers-of-key ARN"]
        of_day = f"kms_event_time >= '{told['WHEN']}' ORDER BY kms_event_time, kms_event_id"
        # Every answer but those to one thing, narrowed to a last day, an account and a region.
        narrow = ["--since", told["WHEN"], "--account", one("recipient_account_id", of_day), "--region", one("aws_region", of_day)]
        asked += [f"{it} {' '.join(narrow)}" for it in asked if not it.startswith(("cause-of", "behind"))]
        failed = []
        for usage in asked:
            words = [(told | {"ARN": key}).get(it, it) for it in usage.replace("[", "").replace("]", "").split()]
            ours = canonical(lines(run("ask", *words, "--json", "--lake", str(lake))))
            theirs = canonical(db.sql(run("ask", *words, "--sql", "duckdb")).to_arrow_table().to_pylist())
            if ours != theirs or not (ours or words[0] in MAY_BE_EMPTY or "--since" in words):
                failed.append(f"{words}: {len(ours)} rows, DuckDB has {len(theirs)}: {ours[:2]} {theirs[:2]}")
        limits = f"kms_event_time >= '{narrow[1]}' AND recipient_account_id = '{narrow[3]}' AND aws_region = '{narrow[5]}'"
        expected = int(one("count(*)", limits))
        if sum(it["calls"] for it in lines(run("ask", "links", *narrow, "--json", "--lake", str(lake)))) != expected or expected == 0:
            failed.append(f"links {narrow}: not the {expected} calls of {limits}")
        print(*failed, sep="\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
