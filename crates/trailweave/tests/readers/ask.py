"""Asks every question of a lake by `trailweave ask`, and of ENGINE by what --sql prints: ask.py TRAILWEAVE ENGINE..

An ENGINE is duckdb, clickhouse or spark. Exits with 1 where the rows differ, or where a question that must have rows has
none.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import compare
import engines
from engines import canonical

KEYLESS = """\
SELECT instance_id AS found
FROM instances
WHERE instance_id NOT IN (SELECT instance_id FROM correlated WHERE instance_id IS NOT NULL AND key_arn IS NOT NULL)
LIMIT 1"""

# Copies of a call in several trails are one call.
CALL = "coalesce(shared_event_id || kms_event_name, recipient_account_id || kms_event_id)"


def main(trailweave: str, asked: list[str]) -> int:
    run = lambda *typed: subprocess.run([trailweave, *typed], stdout=subprocess.PIPE, check=True, text=True).stdout.rstrip(";\n")
    lines = lambda text: [json.loads(line) for line in text.splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        lake = compare.make_lake(trailweave, pathlib.Path(folder) / compare.PLAIN_FOLDER)
        query = lambda sql: lines(run("query", "--json", "--lake", str(lake), sql))
        questions = of_lake(query, [it["usage"] for it in lines(run("ask", "--json"))])
        ours = {words: canonical(lines(run("ask", *words, "--json", "--lake", str(lake)))) for words in questions}
        faults = [f"{words} has no row" for words in questions if not (ours[words] or "--since" in words)]
        faults += totals(query, ours)
        for engine in asked:
            _, answer = engines.ENGINES[engine](trailweave, lake)
            for words in questions:
                if fault := differs(ours[words], lambda: answer(run("ask", *words, "--sql", engine))):
                    faults.append(f"{words}: {engine} {fault}")
        print(*faults, sep="\n")
    return int(bool(faults))


def differs(ours: list[str], answer: Callable[[], list[dict]]) -> str | None:
    """Says what an engine has otherwise."""
    try:
        theirs = canonical(answer())
    except Exception as error:  # Each engine has its own.
        return f"says {error}"
    only = lambda one, other: [it for it in one if it not in other][:2]
    return None if ours == theirs else f"has {len(theirs)} rows for {len(ours)}: {only(theirs, ours)} for {only(ours, theirs)}"


def of_lake(query: engines.Answer, usages: list[str]) -> list[tuple[str, ...]]:
    """Every question as it is typed: of things in the lake, and narrowed to the last day of a key, an account and a region."""
    one = lambda column, where: query(f"SELECT {column} AS found FROM correlated WHERE {where} LIMIT 1")[0]["found"]
    key = one("key_arn", "kms_event_name = 'Decrypt' AND instance_id IS NOT NULL AND kms_error_code IS NULL")
    last = one("max(kms_event_time)", f"key_arn = '{key}'")[:10]
    of_day = f"key_arn = '{key}' AND kms_event_time >= TIMESTAMP '{last}T00:00:00Z'"
    told = {
        "EVENT": one("kms_event_id", "link = 'request_id'"),
        "KEY": key.split(":key/")[1],
        "ARN": key,
        "INSTANCE": one("instance_id", "instance_id IS NOT NULL AND launch_event_id IS NOT NULL AND key_arn IS NOT NULL"),
        # Launched before the lake begins; without a key.
        "UNKNOWN": one("instance_id", "instance_id IS NOT NULL AND launch_event_id IS NULL"),
        "KEYLESS": query(KEYLESS)[0]["found"],
        "WHEN": one("max(kms_event_time)", "true")[:10],
    }
    usages = [*usages, "who-used-key ARN", "launchers-of-key ARN", "behind UNKNOWN", "behind KEYLESS"]
    narrow = f" --since {last} --account {one('recipient_account_id', of_day)} --region {one('aws_region', of_day)}"
    usages += [it + narrow for it in usages if not it.startswith(("cause-of", "behind"))]
    return [tuple(told.get(it, it) for it in usage.replace("[", "").replace("]", "").split()) for usage in usages]


def totals(query: engines.Answer, ours: dict[tuple[str, ...], list[str]]) -> list[str]:
    """Holds the calls of `links` against a count of calls, whose copies share an id."""
    faults = []
    for words, rows in ours.items():
        if words[0] != "links":
            continue
        limits = "true"
        if "--since" in words:
            _, _, since, _, account, _, region = words
            limits = f"event_date >= '{since}' AND recipient_account_id = '{account}' AND aws_region = '{region}'"
        expected = query(f"SELECT count(DISTINCT {CALL}) AS found FROM correlated WHERE {limits}")[0]["found"]
        found = sum(json.loads(it)["calls"] for it in rows)
        if not found == expected > 0:
            faults.append(f"{words}: {found} calls, and {expected} of {limits}")
    if not any("ReEncrypt" in row for row in ours["uses-of-disabled-keys",]):
        faults.append("no ReEncrypt used a disabled key as its source")
    if not query(f"SELECT 1 AS found FROM correlated GROUP BY {CALL} HAVING count(*) > 1 LIMIT 1"):
        faults.append("no call was logged by two accounts")
    return faults


if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= set(engines.ENGINES):
        sys.exit(__doc__)
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
