"""Reads odd, giant, deep and damaged objects with the real program, and fails where a run takes more than it may.

Each object is read into a lake of its own, then all of them into one, then the same from S3, which s3s-fs serves. A run may
take `--memory` and a quarter, however much that is, and ends with 0, with 3 where an object is refused by name, or with 1
where all records are rejected. Needs the release build (`make hostile` has it).
"""

import argparse
import gzip
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench" / "hostile"
OBJECTS = WORK / "s3" / "trail"
SUMMARY = WORK / "summary.json"
MIB = 1 << 20
# Else each start would ask an instance for its region.
ENVIRONMENT = os.environ | {"AWS_REGION": "us-east-1"}


def record(n: int, **more: object) -> dict:
    """An event that a lake keeps."""
    return {
        "eventVersion": "1.08",
        "eventTime": f"2026-09-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333",
        "eventID": f"00000000-0000-4000-8000-{n:012}",
        "requestParameters": {"instanceType": "m7g.large", "note": "x" * 900},
        **more,
    }


def dumped(make: object, n_bytes: int, indent: int | None = None) -> Iterator[str]:
    """Values made of 0, 1, 2, .. as JSON, until there are so many bytes."""
    total = 0
    for n in itertools.count():
        if total > n_bytes:
            return
        text = json.dumps(make(n), indent=indent)
        total += len(text)
        yield text


def listed(head: str, values: Iterator[str], end: str) -> Iterator[str]:
    """An array of values, between two texts."""
    yield head
    yield next(values)
    for value in values:
        yield "," + value
    yield end


def repeated(text: str, n_bytes: int) -> Iterator[str]:
    """A text again and again."""
    some = text * (MIB // 4 // len(text))
    for _ in range(n_bytes // len(some)):
        yield some


def bridged(n: int) -> dict:
    """An event as EventBridge delivers it."""
    return {"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": record(n)}


def looked_up(n: int) -> dict:
    """An event as LookupEvents answers it."""
    return {"EventId": str(n), "CloudTrailEvent": json.dumps(record(n))}


def objects(n_bytes: int, bomb_bytes: int) -> dict[str, Iterator[str]]:
    """The content of each object, by its name."""
    giant = [*dumped(record, 20_000)]
    ordinary = '{"Records":['
    return {
        "bomb-of-spaces": itertools.chain([ordinary], repeated(" ", bomb_bytes), ["]}"]),
        "bomb-of-one-record": itertools.chain([ordinary + '{"a":"'], repeated("x", bomb_bytes), ['"}]}']),
        "tiny-records": itertools.chain([ordinary + "{}"], repeated(",{}", n_bytes // 20), ["]}"]),
        "tiny-elements": itertools.chain(["[1"], repeated(",1", n_bytes // 20), ["]"]),
        "many-fields": itertools.chain([ordinary + '{"a":1'], repeated(',"a":1', n_bytes), ["}]}"]),
        "ordinary": listed(ordinary, dumped(record, n_bytes), "]}"),
        "pretty-printed": listed('{\n "Records": [\n', dumped(record, n_bytes, 4), "\n]\n}"),
        "records-after-others": listed('{"a":{},"Records":[', dumped(record, n_bytes), '],"b":1}'),
        "array-of-eventbridge": listed("[", dumped(bridged, n_bytes), "]"),
        "lookup-events": listed('{"NextToken":"x","Events":[', dumped(looked_up, n_bytes), "]}"),
        "documents": (text + "\n" for text in dumped(record, n_bytes)),
        "uncuttable": listed('{"Events":[', dumped(record, n_bytes), '],"Records":[]}'),
        "giant-record": itertools.chain([ordinary, ",".join(giant), ',{"a":"'], repeated("x", n_bytes), ['"}]}']),
        "deep": itertools.chain([ordinary], repeated("[", n_bytes // 2), repeated("]", n_bytes // 2), ["]}"]),
        "never-closed": itertools.chain([ordinary], repeated('{"a":[', n_bytes)),
    }


def write(n_bytes: int, bomb_bytes: int) -> None:
    """Writes every object, unless they are there."""
    marker = WORK / f"{n_bytes}-{bomb_bytes}"
    if marker.exists():
        return
    shutil.rmtree(WORK, ignore_errors=True)
    OBJECTS.mkdir(parents=True)
    for name, texts in objects(n_bytes, bomb_bytes).items():
        with gzip.open(OBJECTS / f"{name}.json.gz", "wb", compresslevel=6 if "bomb" in name else 1) as out:
            for text in texts:
                out.write(text.encode())
    whole = (OBJECTS / "ordinary.json.gz").read_bytes()
    (OBJECTS / "cut-late.json.gz").write_bytes(whole[:-9])
    (OBJECTS / "wrong-checksum.json.gz").write_bytes(whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:])
    plain = zlib.decompress(whole, 31)
    (OBJECTS / "plain.json").write_bytes(plain)
    (OBJECTS / "plain-half.json").write_bytes(plain[: plain.rindex(b',{"eventVersion"', 0, len(plain) // 2)] + b"]}")
    members = (plain[at : at + len(plain) // 100_000 + 1] for at in range(0, len(plain), len(plain) // 100_000 + 1))
    (OBJECTS / "members.json.gz").write_bytes(b"".join(gzip.compress(member, 1) for member in members))
    marker.touch()


def measured(source: str, asked: argparse.Namespace, *given: str) -> tuple[int, float, int, str]:
    """Reads a source; returns the exit code, the seconds, the peak in bytes and what was said."""
    lake = WORK / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    command = [str(asked.built / "trailweave"), "ingest", "--source", source, "--lake", str(lake), "--memory", asked.memory]
    command += ["--threads", str(asked.threads), "--cap", str(asked.cap), "--quiet", "--json", *given]
    began = time.perf_counter()
    with SUMMARY.open("wb") as summary:
        child = subprocess.Popen(command, stdout=summary, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    shutil.rmtree(lake, ignore_errors=True)
    return child.returncode, time.perf_counter() - began, usage.ru_maxrss * 1024, said


def is_rejected() -> bool:
    """Tells whether all records of the last run were rejected."""
    text = SUMMARY.read_text()
    tally = json.loads(text)["ingested"]["tally"] if text else {"records": 0, "rejects": 0}
    return 0 < tally["records"] == tally["rejects"]


def why(said: str) -> str:
    """Returns why objects were refused, shortened."""
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    refused = [line.get("error", line.get("message", "")) for line in lines]
    return refused[0][:110] if len(refused) == 1 else f"{len(refused)} objects refused" if refused else said[-110:].strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--megabytes", type=int, default=500, help="what an object inflates to")
    parser.add_argument("--cap", type=int, default=2 << 30, help="what a bomb inflates to, in bytes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--built", type=Path, default=ROOT / "target" / "release", help="where the program is")
    parser.add_argument("--only", help="the name of one object")
    asked = parser.parse_args()
    # In a process of its own, because the peak of a run counts what its parent took before.
    child = multiprocessing.Process(target=write, args=[asked.megabytes * 1_000_000, asked.cap - MIB])
    child.start()
    child.join()
    if child.exitcode:
        sys.exit("the objects could not be written")
    number, unit = asked.memory[:-3], asked.memory[-3:]
    most = int(number) * {"MiB": MIB, "GiB": MIB << 10}[unit] * 5 // 4
    sources = [(path.name, str(path), []) for path in sorted(OBJECTS.iterdir())]
    server = subprocess.Popen([asked.built / "examples" / "s3", "serve", WORK / "s3"], stdout=subprocess.PIPE, text=True)
    in_s3 = ["--endpoint-url", server.stdout.readline().strip(), "--path-style", "--no-sign-request"]
    sources += [("all of them", str(OBJECTS), []), ("all of them, in S3", "s3://trail", in_s3)]
    is_kept = True
    try:
        for name, source, given in sources:
            if asked.only not in (None, name):
                continue
            stored = sum(path.stat().st_size for path in OBJECTS.iterdir() if name == path.name or name.startswith("all"))
            code, seconds, peak, said = measured(source, asked, *given)
            is_fine = peak <= most and (code in (0, 3) or code == 1 and is_rejected())
            is_kept &= is_fine
            mark = "" if is_fine else " <-- more than it may"
            print(f"| {name} | {stored / 1e6:.1f} MB | {peak / MIB:.0f} MiB | {seconds:.1f} s | {code} | {why(said)} |{mark}", flush=True)
    finally:
        server.kill()
        server.wait()
    sys.exit(0 if is_kept else f"a run took more than {most / MIB:.0f} MiB, or failed")


if __name__ == "__main__":
    main()
