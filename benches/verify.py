"""Measures what a proof costs. Needs the release build (of which `query` is no part), `make seaweedfs awscli`.

A year of hourly digests of four accounts and four regions with some 100,000 log files: `ingest`, `verify`, and
`verify --reread`. Then a part of it, one account and region for some days, on SeaweedFS, where `verify` and the
`validate-logs` of awscli look at the same objects. `--log-files` makes trails of other sizes, for peak memory.
What the hash costs an ingest is `turns.py "PROGRAM --sha256=false" PROGRAM --shapes busy`.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from peers import RELEASE, WORK, timed

BUCKET = "synthetic-trail"
PORT = 18_333
VENV = Path(__file__).parent.parent / "target/venv"


def corpus(name: str, **options: object) -> Path:
    folder = WORK / f"verify-{name}"
    if not (folder / "truth.jsonl").exists():
        shutil.rmtree(folder, ignore_errors=True)
        given = [f"{option}={value}" for option, value in options.items()]
        subprocess.run([str(RELEASE / "examples/corpus"), str(folder), "digests=true", *given], check=True)
    return folder


def proof(folder: Path) -> list[str]:
    return ["--public-keys", str(folder / "public-keys.json"), "--digest-metadata", str(folder / "digest-metadata.json")]


def show(step: str, figures: list[float]) -> None:
    cpu, wall, rss = figures[:3]
    print(f"| {step} | {wall:.2f} | {cpu:.2f} | {rss:.0f} |", flush=True)


def year(log_files: int, days: int) -> Path:
    folder = corpus(f"{log_files}-{days}", accounts=4, regions=4, days=days, records=log_files, records_per_object=1)
    lake, program = WORK / "lake-verify", str(RELEASE / "trailweave")
    shutil.rmtree(lake, ignore_errors=True)
    given = ["--source", str(folder / "AWSLogs"), "--lake", str(lake), "--threads", "2"]
    verify = ["verify", *given, "--bucket", BUCKET, *proof(folder)]
    # By names alone: a million paths would be held, and a child counts what its parent holds as its own peak.
    names = collections.Counter("digests" if "-Digest" in name else "log files" for _, _, files in os.walk(folder) for name in files if name.endswith(".gz"))
    print(f"\n{names['log files']} log files, {names['digests']} digests\n\n| step | wall s | CPU s | peak MB |\n|---|---|---|---|")
    show("ingest", timed([program, "ingest", *given]))
    show("verify", timed([program, *verify]))
    show("verify again", timed([program, *verify]))
    show("verify --reread", timed([program, *verify, "--reread"]))
    return folder


class ListPublicKeys(BaseHTTPRequestHandler):
    keys = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(self.keys)))
        self.end_headers()
        self.wfile.write(self.keys)

    def log_message(self, *arguments: object) -> None:
        pass


def served(folder: Path) -> str:
    ListPublicKeys.keys = (folder / "public-keys.json").read_bytes()
    server = HTTPServer(("127.0.0.1", 0), ListPublicKeys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def seaweedfs(folder: Path) -> tuple[subprocess.Popen, str]:
    """A server of S3 whose own work for a request is small beside that of either client."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    identity = {"name": "bench", "credentials": [{"accessKey": "AKIDEXAMPLE", "secretKey": "secret"}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [str(VENV / "bin/weed"), "-logtostderr=true", "server", "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-volume.max=100", "-master.telemetry=false", "-s3", "-s3.config=s3.json", f"-s3.port={PORT}"]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "Start Seaweed S3 API Server" in line:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, f"http://127.0.0.1:{PORT}"
    sys.exit("the server ended; is `make seaweedfs` done?")


UPLOAD = """
import concurrent.futures, sys, json, pathlib, boto3
url, bucket, folder = sys.argv[1:]
options = dict(endpoint_url=url, region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='secret')
s3, folder = boto3.client('s3', **options), pathlib.Path(folder)
s3.create_bucket(Bucket=bucket)
told = json.load(open(folder / 'digest-metadata.json'))[bucket]
def upload(path):
    key = path.relative_to(folder).as_posix()
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), Metadata=told.get(key, {}))
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    list(threads.map(upload, folder.rglob('*.gz')))
"""


def beside(days: int, log_files: int) -> None:
    """The same objects in one server, by both, each at the end of the other's turn."""
    folder = corpus(f"part-{days}", accounts=1, regions=1, days=days, records=log_files, records_per_object=1)
    server, s3 = seaweedfs(WORK / "verify-server")
    cloudtrail, lake = served(folder), WORK / "lake-verify-s3"
    shutil.rmtree(lake, ignore_errors=True)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ENDPOINT_URL_CLOUDTRAIL": cloudtrail,
    }
    try:
        subprocess.run([str(VENV / "bin/python"), "-c", UPLOAD, s3, BUCKET, str(folder)], check=True)
        account = next(path.name for path in (folder / "AWSLogs").iterdir())
        program = str(RELEASE / "trailweave")
        given = ["--endpoint-url", s3, "--path-style", "--source", f"s3://{BUCKET}/AWSLogs", "--lake", str(lake)]
        print(f"\nOn one server of S3, {days} days, {log_files} log files\n\n| step | wall s | CPU s | peak MB |\n|---|---|---|---|")
        show("ingest", timed([program, "ingest", *given]))
        arn = f"arn:aws:cloudtrail:eu-central-1:{account}:trail/main"
        validate = ["cloudtrail", "validate-logs", "--trail-arn", arn, "--s3-bucket", BUCKET, "--region", "eu-central-1"]
        span = ["--start-time", "2026-03-02T00:00:00Z", "--end-time", "2027-06-01T00:00:00Z"]
        os.environ["PYTHONPATH"] = str(VENV / "awscli-1.46")
        show("awscli validate-logs", timed([str(VENV / "bin/python"), "-m", "awscli", *validate, *span]))
        show("verify", timed([program, "verify", *given]))
        show("verify again", timed([program, "verify", *given]))
        show("verify --reread", timed([program, "verify", *given, "--reread"]))
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(WORK / "verify-server")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log-files", type=int, nargs="*", default=[100_000])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--part-days", type=int, default=90)
    parser.add_argument("--part-log-files", type=int, default=1_540)
    asked = parser.parse_args()
    for log_files in asked.log_files:
        year(log_files, asked.days)
    if asked.part_days:
        beside(asked.part_days, asked.part_log_files)


if __name__ == "__main__":
    main()
