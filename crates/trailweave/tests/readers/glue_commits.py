"""Commits to a stand-in of AWS Glue that checks versions as Glue does: glue_commits.py TRAILWEAVE TEST..

The variable S3_URL names a server of S3. `races`: between the read of a table and its update somebody else changes it,
twice; the tables follow all the same, and keep what others said of them. `foreign`: nothing is told over metadata
of somebody else. `refused`: each refusal names the way out.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading

import iceberg
import iceberg_s3
from iceberg_s3 import BUCKET, DATABASE, LAKE

OTHER = "s3://elsewhere/00001-ab.metadata.json"


class Glue(http.server.BaseHTTPRequestHandler):
    """Databases and tables, of which an update must name the version that it was made of."""

    databases, tables, denied = {DATABASE}, {}, False
    # How often somebody else changes a table when it has been read, and the updates that came too late.
    raced, too_late, skipped_archive = {}, [], []

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].removeprefix("AWSGlue.")
        try:
            if self.denied:
                raise KeyError("AccessDeniedException")
            if asked.get("DatabaseName", asked.get("Name")) not in self.databases:
                raise KeyError("EntityNotFoundException")
            status, answer = 200, getattr(self, operation)(asked)
        except KeyError as error:
            status, answer = 400, {"__type": error.args[0], "Message": "no"}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def GetDatabase(self, asked: dict) -> dict:
        return {"Database": {"Name": asked["Name"]}}

    def GetTable(self, asked: dict) -> dict:
        if asked["Name"] not in self.tables:
            raise KeyError("EntityNotFoundException")
        version, table = self.tables[asked["Name"]]
        answer = {"Table": {**table, "DatabaseName": asked["DatabaseName"], "VersionId": str(version)}}
        answer = json.loads(json.dumps(answer))
        if self.raced.get(asked["Name"]):
            self.raced[asked["Name"]] -= 1
            table["Parameters"]["note"] = f"of {asked['Name']}"
            self.tables[asked["Name"]] = (version + 1, table)
        return answer

    def CreateTable(self, asked: dict) -> dict:
        table = asked["TableInput"]
        if table["Name"] in self.tables:
            raise KeyError("AlreadyExistsException")
        self.tables[table["Name"]] = (0, table)
        return {}

    def UpdateTable(self, asked: dict) -> dict:
        name = asked["TableInput"]["Name"]
        version, _ = self.tables[name]
        self.skipped_archive.append(asked.get("SkipArchive"))
        if asked.get("VersionId") != str(version):
            self.too_late.append(name)
            raise KeyError("ConcurrentModificationException")
        self.tables[name] = (version + 1, asked["TableInput"])
        return {}

    def log_message(self, *_) -> None:
        pass


def parameters(name: str) -> dict:
    return Glue.tables[name][1]["Parameters"]


def table_of(name: str) -> str:
    return f"{LAKE}/_trailweave/iceberg/{name}"


def behind() -> list[str]:
    """The tables whose entries do not name the newest metadata."""
    named = {name: parameters(name)["metadata_location"] for name in iceberg.TABLES}
    return [f"{name} names {it}" for name, it in named.items() if it != f"{LAKE}/{iceberg_s3.newest(name)}"]


def tell(trailweave: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run([trailweave, *arguments, "--lake", LAKE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def first(trailweave: str, folder: pathlib.Path, *glue: str) -> tuple[int, str]:
    source = iceberg.deliver(folder, 0, iceberg.records(0))
    return tell(trailweave, "run", "--publish", *glue, "--source", str(source))


def races(trailweave: str, folder: pathlib.Path) -> list[str]:
    code, said = first(trailweave, folder, "--glue-database", DATABASE)
    differences = [said] if code else behind()
    # A change looks at the table before it holds, and at the end it is told, the third time without somebody in between.
    Glue.raced.update(events=3, correlated=3)
    late = iceberg.deliver(folder, 1, iceberg.records(1))
    code, said = tell(trailweave, "run", "--publish", "--source", str(late))
    differences += [said] if code else behind()
    for name in ("events", "correlated"):
        note, previous = parameters(name).get("note"), parameters(name).get("previous_metadata_location")
        if Glue.too_late.count(name) != 2 or note != f"of {name}" or previous != f"{table_of(name)}/metadata/v1.metadata.json":
            differences.append(f"{name}: {Glue.too_late}, {parameters(name)}")
    if not all(Glue.skipped_archive):
        differences.append("Glue archives versions of tables")
    return differences


def foreign(trailweave: str, folder: pathlib.Path) -> list[str]:
    code, said = first(trailweave, folder, "--glue-database", DATABASE)
    assert code == 0, said
    version, table = Glue.tables["correlated"]
    ours = iceberg_s3.newest("correlated")
    table["Parameters"]["metadata_location"] = OTHER
    late = iceberg.deliver(folder, 1, iceberg.records(1))
    code, said = tell(trailweave, "run", "--publish", "--source", str(late))
    differences = [] if code == 1 and OTHER in said and "aws glue delete-table" in said else [f"{code}: {said}"]
    if Glue.tables["correlated"] != (version, table) or iceberg_s3.newest("correlated") != ours:
        differences.append("it was committed all the same")
    del Glue.tables["correlated"]  # the way out
    code, said = tell(trailweave, "run", "--publish", "--source", str(late))
    return differences + ([said] if code else behind())


def refused(trailweave: str, folder: pathlib.Path) -> list[str]:
    code, said = first(trailweave, folder, "--glue-database", "nowhere")
    differences = [] if code == 1 and "aws glue create-database --database-input Name=nowhere" in said else [said]
    Glue.denied = True
    code, said = tell(trailweave, "publish", "--glue-database", DATABASE)
    differences += [] if code == 1 and "allow glue:GetDatabase" in said else [said]
    Glue.denied = False
    code, said = tell(trailweave, "publish", "--glue-database", DATABASE)
    differences += [said] if code else behind()
    code, said = tell(trailweave, "doctor")
    differences += [] if code == 0 and f"the tables of the database `{DATABASE}` can be looked at" in said else [said]
    Glue.denied = True
    code, said = tell(trailweave, "doctor")
    differences += [] if code == 1 and "allow glue:GetDatabase" in said else [said]
    Glue.denied = False
    code, said = tell(trailweave, "publish", "--no-glue")
    differences += [said] if code else []
    Glue.denied = True
    code, said = tell(trailweave, "publish")
    return differences + ([f"it was asked of Glue: {said}"] if code else [])


TESTS = {it.__name__: it for it in (races, foreign, refused)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= set(TESTS):
        sys.exit(__doc__)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Glue)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["TRAILWEAVE_GLUE_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
    iceberg_s3.client("s3").create_bucket(Bucket=BUCKET)
    iceberg.TESTS = TESTS
    sys.exit(iceberg.main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
