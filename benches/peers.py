"""Times the whole job and its peers on the same generated trail: CPU and wall of whole processes, medians.

A peer does the job twice: with a dozen columns, and like for like, with STS calls and all fields that `events` has.

Needs the release build (`make bench-peers` makes it). The peers get two threads each, as we do; every contender runs
once a round, so that a slow minute of the machine meets all of them.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
WORK = ROOT / "target" / "bench"
OBJECT = "*/AWSLogs/**/*.json.gz"

# The options of the generator. `busy`: large objects of a busy account; `quiet`: an organization whose objects
# hold 1 to 3 records each; `giant`: nearly all of a day in one object; `rowless`: that of `busy` without the records
# that become rows; `flows`: nearly all records are of launches and the like, from several seeds, because the generator
# holds them in memory; `rows`: two thirds of the records become rows; `sessions`: half of the records are AssumeRole.
SHAPES = {
    "busy": {"records": 600_000, "records_per_object": 1500},
    "quiet": {"records": 280_000, "records_per_object": 3, "accounts": 40, "regions": 4},
    "rowless": {"records": 600_000, "records_per_object": 1500},
    "giant": {"records": 400_000, "records_per_object": 10**7, "accounts": 1, "regions": 1, "days": 1}
    | {"late": 0, "doubled": 0},
    "rows": {"records": 600_000, "records_per_object": 1500, "flows": 0.62},
    "sessions": {"records": 600_000, "records_per_object": 1500, "assume_role": 0.5},
    "flows": {"records": 10_000_000, "records_per_object": 1500, "flows": 0.95, "days": 30},
}
# As many records as are generated from one seed, of the shape `flows`.
RECORDS_OF_SEED = 2_500_000


# The other fields of `events`, as paths: texts, and JSON as logged.
TEXTS = [
    "eventVersion eventType eventCategory awsRegion sharedEventID readOnly managementEvent sourceIPAddress userAgent",
    "errorMessage vpcEndpointId userIdentity.type userIdentity.principalId userIdentity.accountId",
    "userIdentity.accessKeyId userIdentity.userName userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sourceIdentity userIdentity.invokedBy requestParameters.granteePrincipal",
    "requestParameters.retiringPrincipal requestParameters.instanceType requestParameters.clientToken",
    "responseElements.reservationId responseElements.credentials.accessKeyId",
]
JSON_TEXTS = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "resources"]
SERVICES = ["kms.amazonaws.com", "ec2.amazonaws.com"]


def corpus(name: str, options: dict[str, object]) -> Path:
    """The trail of these options, generated once."""
    folder = WORK / f"{name}-{options['records']}"
    if not folder.exists():
        made = folder.with_suffix(".tmp")
        shutil.rmtree(made, ignore_errors=True)
        example = RELEASE / "examples" / "corpus"
        n_seeds = max(1, int(options["records"]) // RECORDS_OF_SEED) if "flows" in options else 1
        for seed in range(1, n_seeds + 1):
            of_seed = options | {"seed": seed, "records": int(options["records"]) // n_seeds}
            asked = [f"{option}={value}" for option, value in of_seed.items()]
            subprocess.run([example, made / f"seed-{seed}", *asked], check=True, stdout=subprocess.DEVNULL)
        if name == "rowless":
            # In a process of its own, because what is measured later counts what its parent took before.
            child = multiprocessing.Process(target=leave_out_rows, args=[made])
            child.start()
            child.join()
            if child.exitcode:
                sys.exit("the rows could not be left out")
        made.rename(folder)
    return folder


def leave_out_rows(folder: Path) -> None:
    """Leaves only those records in the objects that do not become rows of a lake of relevant events."""
    subprocess.run(ours(["ingest"], folder, "1GiB"), check=True, stdout=subprocess.DEVNULL)
    sql = "SELECT event_id FROM events UNION ALL SELECT event_id FROM sessions"
    query = [RELEASE / "trailweave", "query", "--json", "--lake", WORK / "lake", sql]
    rows = frozenset(json.loads(row)["event_id"] for row in subprocess.check_output(query).splitlines())
    for path in folder.glob(OBJECT):
        records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
        left = [record for record in records if record["eventID"] not in rows]
        text = json.dumps({"Records": left}, separators=(",", ":")).encode()
        path.write_bytes(gzip.compress(text, compresslevel=6, mtime=0))


def timed(command: list[str]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak RSS in MB of a process."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{command} failed:\n{said.decode()}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def besides(name: str, out: Path) -> dict[str, str]:
    """What a peer reads and writes besides where it does the job like for like."""
    texts = [path for line in TEXTS for path in line.split()]
    if name == "duckdb":
        columns = [f"r ->> '$.{path}'" for path in texts] + [f"CAST(r -> '{field}' AS VARCHAR)" for field in JSON_TEXTS]
        copy = f"COPY calls TO '{out}' (FORMAT parquet, COMPRESSION zstd);"
    else:
        columns = [f"JSONExtractString(r, {quoted(path.split('.'))})" for path in texts]
        columns += [f"JSONExtractRaw(r, '{field}')" for field in JSON_TEXTS]
        copy = f";INSERT INTO FUNCTION file('{out}', 'Parquet') SELECT * FROM calls"
    more = "".join(f",\n  {column} AS more_{n}" for n, column in enumerate(columns))
    return {"more": more, "copy": copy, "services": quoted([*SERVICES, "sts.amazonaws.com"])}


def quoted(texts: list[str]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def peer(name: str, folder: Path, is_alike: bool) -> list[str]:
    """Runs one of the SQL files of peers/ in a process of its own."""
    out, all_out = WORK / f"{name}.parquet", WORK / f"{name}-events.parquet"
    for path in (out, all_out):
        path.unlink(missing_ok=True)
    places = {"objects": str(folder / OBJECT), "out": str(out)}
    places |= besides(name, all_out) if is_alike else {"more": "", "copy": "", "services": quoted(SERVICES)}
    sql = (ROOT / "benches" / "peers" / f"{name}.sql").read_text()
    for place, text in places.items():
        sql = sql.replace(f"{{{place}}}", text)
    if name == "duckdb":
        return [sys.executable, "-c", "import duckdb, sys; duckdb.execute(sys.argv[1])", sql]
    code = (
        "import sys; from chdb import session; s = session.Session()\n"
        "s.query('SET max_threads = 2, engine_file_truncate_on_insert = 1'); s.query('CREATE DATABASE b'); s.query('USE b')\n"
        "for q in sys.argv[1].split(';'):\n    if q.strip(): s.query(q)"
    )
    return [sys.executable, "-c", code, sql]


def ours(verb: list[str], folder: Path, memory: str) -> list[str]:
    """One of our verbs: on a new lake, but `correlate` on the one that the verb before it made."""
    lake = WORK / "lake"
    given = ["--lake", str(lake), "--threads", "2", "--memory", memory]
    if verb != ["correlate"]:
        shutil.rmtree(lake, ignore_errors=True)
        given += [word for seed in sorted(folder.iterdir()) for word in ("--source", str(seed / "AWSLogs"))]
    return [str(RELEASE / "trailweave"), *verb, *given]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    parser.add_argument("--shape", choices=SHAPES, default="busy", help="what the trail looks like")
    parser.add_argument("--records", type=int, help="a trail of so many instead")
    parser.add_argument("--memory", default="1GiB", help="what `trailweave --memory` gets")
    asked = parser.parse_args()
    options = SHAPES[asked.shape]
    folder = corpus(asked.shape, options | {"records": asked.records or options["records"]})
    floor = str(RELEASE / "floor")
    contenders = {
        "floor, 1 thread": lambda: [floor, str(folder), "1"],
        "floor, 2 threads": lambda: [floor, str(folder), "2"],
        "trailweave run": lambda: ours(["run"], folder, asked.memory),
        "trailweave ingest --events all": lambda: ours(["ingest", "--events", "all"], folder, asked.memory),
        "trailweave ingest": lambda: ours(["ingest"], folder, asked.memory),
        "trailweave correlate": lambda: ours(["correlate"], folder, asked.memory),
    }
    if not asked.ours:
        contenders["DuckDB, whole job"] = lambda: peer("duckdb", folder, is_alike=False)
        contenders["ClickHouse, whole job"] = lambda: peer("clickhouse", folder, is_alike=False)
        contenders["DuckDB, like for like"] = lambda: peer("duckdb", folder, is_alike=True)
        contenders["ClickHouse, like for like"] = lambda: peer("clickhouse", folder, is_alike=True)
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders}
    for _ in range(asked.rounds):
        for name, command in contenders.items():
            runs[name].append(timed(command()))
    medians = {name: [statistics.median(column) for column in zip(*figures)] for name, figures in runs.items()}
    floor_cpu, floor_wall = medians["floor, 1 thread"][0], medians["floor, 2 threads"][1]
    run_cpu = medians["trailweave run"][0]
    print("| contender | CPU s | wall s | peak RSS MB | CPU over the floor | wall over the floor | CPU over `run` |")
    print(f"{'|---' * 7}|")
    for name, (cpu, wall, rss) in medians.items():
        over = f"{cpu / floor_cpu:.1f} | {wall / floor_wall:.1f} | {cpu / run_cpu:.1f}"
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {rss:.0f} | {over} |")


if __name__ == "__main__":
    main()
