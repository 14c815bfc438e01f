"""Holds a recipe of `deploy/` against the real tool that reads it, and runs the commands in it on a trail of its own.

    check.py RECIPE DEPLOY PROGRAM

Prints what is wrong and ends with 1.
"""

import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib

RECIPE, DEPLOY, PROGRAM = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
BIN = pathlib.Path(sys.executable).parent
TRAIL, LAKE = "s3://example-trail/AWSLogs", "s3://example-lake/lake"
# The bucket that the demo's digests name.
BUCKET = "synthetic-trail"
# A run may use this much more than it was told (docs/adr/0025).
SHARE = 1.25
# The time of the commit of which a release is packed.
COMMITTED = 1_700_000_000


def tool(*command, **options):
    """Runs a tool, and ends with what it said where it finds fault."""
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command[0]} {command[1]}: {done.stdout}{done.stderr}")
    return done.stdout


def demand(condition, otherwise):
    if not condition:
        sys.exit(otherwise)


def mebibytes(text):
    """Reads a size as Trailweave, Kubernetes and AWS write it."""
    number, unit = re.fullmatch(r"(\d+)\s*(\w*)", str(text)).groups()
    return int(number) * {"": 1, "M": 1, "MiB": 1, "Mi": 1, "G": 1024, "GiB": 1024, "Gi": 1024}[unit]


def demand_room(memory, limit, of):
    demand(mebibytes(memory) * SHARE <= mebibytes(limit), f"{of}: {memory} and a quarter do not fit into {limit}")


class Desk:
    """A trail of the demo, and the lake that the commands of a recipe share."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        demo = [PROGRAM, "demo", "--quiet", "--records", "2000", "--dir", self.root / "demo"]
        tool(*demo)
        self.trail, self.lake = self.root / "demo/trail/AWSLogs", self.root / "lake"
        self.proof = ["--bucket", BUCKET]
        for name in ["public-keys", "digest-metadata"]:
            self.proof += [f"--{name}", str(self.root / f"demo/trail/{name}.json")]

    def here(self, text):
        """Puts the trail and the lake of this desk into the place of the example's."""
        text = text.replace(TRAIL, str(self.trail)).replace(LAKE, str(self.lake))
        return text.replace("/var/lib/trailweave/lake", str(self.lake)).replace("/etc/trailweave", str(self.root))

    def write(self, name, text):
        """Writes a configuration, without its days: this trail is older. Before that, they are read as they are."""
        text = self.here(text)
        (self.root / name).write_text(text)
        self.demand_usage("status", "--config", self.root / name, env=os.environ | {"JOB_COMPLETION_INDEX": "0"})
        (self.root / name).write_text(re.sub(r"(?m)^(from|to) = .*$", "", text))

    def demand_usage(self, *command, **options):
        """Demands that a command is no wrong usage, whatever it finds."""
        done = subprocess.run([PROGRAM, *map(str, command)], capture_output=True, text=True, **options)
        demand(done.returncode != 2, f"{command}: {done.stderr}")

    def run(self, command, environment=None):
        """Runs a command of a recipe, which starts with a verb: its days as they are with `plan`, the rest without them."""
        command = [self.here(it) for it in command]
        days = [it for flag in ["--from", "--to"] if flag in command for it in [flag, command[command.index(flag) + 1]]]
        self.demand_usage("plan", "--source", self.trail, "--lake", self.lake, *days)
        if "--queue-url" in command:
            at = command.index("--queue-url")
            command[at : at + 2] = ["--source", str(self.trail)]
        for flag in ["--from", "--to"]:
            if flag in command:
                at = command.index(flag)
                del command[at : at + 2]
        if command[0] == "verify":
            command += self.proof
        environment = {name: self.here(value) for name, value in (environment or {}).items()}
        quiet = [] if "--quiet" in command else ["--quiet"]
        tool(PROGRAM, *command, *quiet, env=os.environ | environment)

    def demand_rows(self):
        said = json.loads(tool(PROGRAM, "status", "--json", "--source", self.trail, "--lake", self.lake))
        demand(said["unread"] == 0 and said["rows"] > 0, f"the recipe left objects: {said}")


def image():
    tool(BIN / "hadolint", DEPLOY / "Dockerfile")
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    builds = re.findall(r"cargo build ([^&\n]*)", text)
    demand(builds, "the Dockerfile builds nothing")
    for build in builds:
        arguments = shlex.split(build.replace("--release", "").replace("--bin trailweave", ""))
        tool("cargo", "tree", "--quiet", "--offline", "--depth", "0", *arguments)


def cloudformation():
    import boto3
    from cfnlint.decode.cfn_yaml import load
    from moto import mock_aws

    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}
    templates = sorted((DEPLOY / "aws").glob("*.yaml"))
    tool(BIN / "cfn-lint", *templates)
    desk = Desk()
    with mock_aws():
        for path in templates:
            template = load(str(path))
            create(boto3, path, template)
            defaults = {name: it.get("Default") for name, it in template["Parameters"].items()}
            for name, task in resources(template, "AWS::ECS::TaskDefinition"):
                demand_room(defaults["Memory"], defaults["TaskMemory"], f"{path.name}: {name}")
            for name, _ in resources(template, "AWS::Batch::JobDefinition"):
                kind = name.removesuffix("Job")
                demand_room(defaults[f"{kind}Memory"], defaults[f"{kind}TaskMemory"], f"{path.name}: {name}")
        ecs, batch = boto3.client("ecs"), boto3.client("batch")
        [arn] = ecs.list_task_definitions()["taskDefinitionArns"]
        [task] = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"]
        environment = {it["name"]: it["value"] for it in task["environment"]}
        desk.run(task["command"], environment)
        for schedule in schedules(load(str(DEPLOY / "aws/hourly.yaml"))):
            desk.run(schedule, environment)
        desk.demand_rows()
        shutil.rmtree(desk.lake)
        jobs = batch.describe_job_definitions()["jobDefinitions"]
        jobs = sorted((it["containerProperties"] for it in jobs), key=lambda it: it["command"][0], reverse=True)
        for job in jobs:
            environment = {it["name"]: it["value"] for it in job["environment"]}
            for index in ["0", "1"] if job["command"][0] == "ingest" else [""]:
                desk.run(job["command"], environment | {"AWS_BATCH_JOB_ARRAY_INDEX": index, "AWS_BATCH_JOB_ARRAY_SIZE": "2"})
        desk.demand_rows()


# What moto's CloudFormation passes over: cfn-lint alone checks these.
NOT_IN_MOTO = {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::CloudWatch::Alarm", "AWS::Scheduler::Schedule"}

# AWS takes the role that is linked to its service where none is named; moto 5.2 wants a name.
LACKS_ROLE = "    Type: AWS::Batch::ComputeEnvironment\n    Properties:\n"
HAS_ROLE = "      ServiceRole: !GetAtt ExecutionRole.Arn\n"


def create(boto3, path, template):
    """Creates the stack, and demands that every resource is there."""
    ec2, cloudformation = boto3.client("ec2"), boto3.client("cloudformation")
    chosen = {
        "Image": "registry.example.com/trailweave:0.1.0",
        "TrailBucket": "example-trail",
        "LakeBucket": "example-lake",
        "TrailKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "Subnets": ec2.describe_subnets()["Subnets"][0]["SubnetId"],
        "SecurityGroups": ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
    }
    cloudformation.create_stack(
        StackName=path.stem,
        TemplateBody=path.read_text().replace(LACKS_ROLE, LACKS_ROLE + HAS_ROLE),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in chosen.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    [stack] = cloudformation.describe_stacks(StackName=path.stem)["Stacks"]
    demand(stack["StackStatus"] == "CREATE_COMPLETE", f"{path.name}: {stack}")
    made = cloudformation.describe_stack_resources(StackName=path.stem)["StackResources"]
    made = {it["LogicalResourceId"] for it in made if "PhysicalResourceId" in it}
    asked = {name for name, it in template["Resources"].items() if it["Type"] not in NOT_IN_MOTO}
    demand(asked == made, f"{path.name}: asked for and not made, or made unasked: {sorted(asked ^ made)}")


def resources(template, kind):
    return [(name, it["Properties"]) for name, it in template["Resources"].items() if it["Type"] == kind]


def schedules(template):
    """Lists the commands of the schedules that do not run the task as it is."""
    values = {"TrailBucket": "example-trail", "TrailPrefix": ""}
    for _, schedule in resources(template, "AWS::Scheduler::Schedule"):
        text = schedule["Target"].get("Input")
        if text is not None:
            text = text["Fn::Sub"] if isinstance(text, dict) else text
            for name, value in values.items():
                text = text.replace("${" + name + "}", value)
            [container] = json.loads(text)["containerOverrides"]
            yield container["command"]


def kubernetes():
    import kubernetes_validate
    import yaml

    desk = Desk()
    for name in ["hourly", "backfill"]:
        shutil.rmtree(desk.lake, ignore_errors=True)
        documents = list(yaml.safe_load_all((DEPLOY / f"kubernetes/{name}.yaml").read_text()))
        for document in documents:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        files = {file: text for it in documents if it["kind"] == "ConfigMap" for file, text in it["data"].items()}
        for file, text in files.items():
            desk.write(file, text.replace("JOB_COMPLETION_INDEX/16", "JOB_COMPLETION_INDEX/2"))
        for job in [it for it in documents if it["kind"] in ("CronJob", "Job")]:
            spec = job["spec"].get("jobTemplate", job)["spec"]
            pod = spec["template"]["spec"]
            demand(pod["securityContext"]["runAsNonRoot"], f"{job['metadata']['name']} may run as root")
            for container in pod.get("initContainers", []) + pod["containers"]:
                demand(container["securityContext"]["readOnlyRootFilesystem"], f"{container['name']} may write its image")
                file = pathlib.Path(container["args"][-1]).name
                memory = tomllib.loads(files[file])["memory"]
                demand_room(memory, container["resources"]["limits"]["memory"], container["name"])
                for index in ["0", "1"] if spec.get("completionMode") == "Indexed" else [""]:
                    desk.run(container["args"], {"JOB_COMPLETION_INDEX": index})
        desk.demand_rows()


def systemd():
    desk = Desk()
    units = desk.root / "units"
    units.mkdir()
    for path in sorted((DEPLOY / "systemd").iterdir()):
        if path.suffix == ".toml":
            desk.write(path.name, path.read_text())
        elif path.suffix != ".conf":
            (units / path.name).write_text(path.read_text().replace("/usr/bin/trailweave", PROGRAM))
    said = subprocess.run(["systemd-analyze", "verify", *map(str, units.iterdir())], capture_output=True, text=True)
    # It passes over a key that it does not know, with a warning.
    ours = [line for line in said.stderr.splitlines() if str(units) in line or "trailweave" in line]
    demand(said.returncode == 0 and not ours, "\n".join(ours) or said.stderr)
    users, first_days = set(), set()
    for unit in ["trailweave", "trailweave-daily", "trailweave-verify"]:
        text = (DEPLOY / "systemd" / f"{unit}.service").read_text()
        users.add(re.search("(?m)^User=(.*)$", text)[1])
        [limit] = re.findall("(?m)^MemoryMax=(.*)$", text)
        for command in re.findall("(?m)^ExecStart=/usr/bin/trailweave (.*)$", text):
            command = shlex.split(command)
            settings = tomllib.loads((DEPLOY / "systemd" / pathlib.Path(command[-1]).name).read_text())
            first_days.add(settings["from"])
            demand_room(settings["memory"], limit, unit)
            desk.run(command)
    demand(len(users) == 1, f"the units take the lake from each other: {users}")
    said = subprocess.run(
        ["systemd-sysusers", "--dry-run", f"--root={desk.root}", (DEPLOY / "systemd/sysusers.conf").resolve()],
        capture_output=True,
        text=True,
    )
    demand(f"Creating user '{users.pop()}'" in said.stderr + said.stdout, f"the units' user is not made: {said.stderr}")
    demand(len(first_days) == 1, f"`verify` misses what `run` does not read: {first_days}")
    desk.demand_rows()


def prometheus():
    tool("promtool", "check", "rules", DEPLOY / "prometheus/alerts.yaml")
    tool("promtool", "test", "rules", DEPLOY / "prometheus/alerts.test.yaml")


def grafana():
    """Asks a real Prometheus, which has what runs of the program told, each query of the dashboard."""
    desk = Desk()
    (desk.root / "metrics").mkdir()
    source = ["--source", desk.trail]
    runs = {"run": source, "correlate": [], "verify": [*source, *desk.proof], "status": source}
    lines, n_series = [], 0
    for verb, arguments in runs.items():
        file = desk.root / f"metrics/{verb}.prom"
        tool(PROGRAM, verb, "--quiet", *arguments, "--lake", desk.lake, "--metrics-file", file)
        lines += file.read_text().splitlines()
    [end] = [int(line.split()[1]) for line in lines if line.startswith("trailweave_last_run_end_timestamp_seconds ")][:1]
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    text = "".join(f"{name} {value} {end}\n" for name, value in samples.items()) + "# EOF\n"
    (desk.root / "openmetrics").write_text(text)
    tool("promtool", "tsdb", "create-blocks-from", "openmetrics", desk.root / "openmetrics", desk.root / "tsdb")
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    queries = [(panel["title"], it["expr"]) for panel in dashboard["panels"] for it in panel["targets"]]
    names = {name.split("{")[0] for name in samples}
    shown = {name for _, expr in queries for name in re.findall(r"trailweave_\w+", expr)}
    demand(shown <= names, f"no run tells of {sorted(shown - names)}")
    demand(names <= shown, f"the dashboard shows nothing of {sorted(names - shown)}")
    with Prometheus(desk.root) as asked:
        for title, expr in queries:
            answer = asked("query", query=expr.replace("$instance", ".*"), time=end)
            demand(answer["data"]["result"], f"{title}: nothing answers {expr}")


class Prometheus:
    """A server over blocks that were made before; it scrapes nothing."""

    def __init__(self, root):
        self.root = root
        (root / "prometheus.yaml").write_text("{}\n")

    def __enter__(self):
        command = ["prometheus", f"--config.file={self.root}/prometheus.yaml", f"--storage.tsdb.path={self.root}/tsdb"]
        command += ["--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0", "--log.format=json"]
        self.server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.server.stderr:
            said = json.loads(line)
            if said.get("msg") == "Listening on":
                self.url = f"http://{said['address']}/api/v1/"
            if said.get("msg") == "Server is ready to receive web requests.":
                return self.ask
        sys.exit("prometheus did not start")

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()

    def ask(self, path, **parameters):
        import urllib.error
        import urllib.parse
        import urllib.request

        try:
            with urllib.request.urlopen(self.url + path + "?" + urllib.parse.urlencode(parameters)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{parameters}: {error.read().decode()}")


def release():
    """Packs the program twice, and holds what comes out against the tools that read it where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        packed = pack(root / "once", umask=0o022)
        [tarball], [deb] = packed.glob("*.tar.gz"), packed.glob("*.deb")
        named = {line.split()[1] for line in sums(packed).splitlines()}
        demand_files(named, {tarball.name, deb.name}, "SHA256SUMS")
        tool("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=packed)
        tool(PROGRAM, "man", "--out", root / "pages")
        pages = files(root / "pages")
        demand_tarball(tarball, pages, root)
        demand_deb(deb, pages, root / "deb")
        again = pack(root / "again", umask=0o077)
        demand(sums(packed) == sums(again), f"other bytes from the same: {sums(packed)}{sums(again)}")


def pack(out, umask):
    # A program that was built for tests is large: it is packed quickly.
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(COMMITTED), "DPKG_DEB_COMPRESSOR_TYPE": "none", "GZIP": "-1"}
    tool(DEPLOY / "release.sh", "--program", PROGRAM, "--out", out, env=environment, umask=umask)
    return out


def sums(packed):
    return (packed / "SHA256SUMS").read_text()


def files(folder):
    return {str(it.relative_to(folder)) for it in folder.rglob("*") if not it.is_dir()}


def demand_files(found, expected, of):
    demand(found == expected, f"{of}: missing, or there and not expected: {sorted(found ^ expected)}")


def demand_tarball(tarball, pages, root):
    with tarfile.open(tarball) as archive:
        members = archive.getmembers()
        archive.extractall(root, filter="data")
    stamps = {(it.uid, it.gid, it.mtime) for it in members}
    demand(stamps == {(0, 0, COMMITTED)}, f"{tarball.name}: not of root, or not of the time of the commit: {stamps}")
    top = root / tarball.name.removesuffix(".tar.gz")
    expected = {"trailweave", "LICENSE", "README.md", "config/default.toml"} | {f"man1/{it}" for it in pages}
    expected |= {f"completions/{it}" for it in ["_trailweave", "trailweave.bash", "trailweave.fish"]}
    demand_files(files(top), expected, tarball.name)
    demand_program(top / "trailweave")


def demand_deb(deb, pages, root):
    tool("dpkg-deb", "--raw-extract", deb, root)
    doc = "usr/share/doc/trailweave"
    expected = {"DEBIAN/control", "DEBIAN/md5sums", "usr/bin/trailweave"} | {f"usr/share/man/man1/{it}.gz" for it in pages}
    expected |= {"usr/share/bash-completion/completions/trailweave", "usr/share/fish/vendor_completions.d/trailweave.fish"}
    expected |= {"usr/share/zsh/vendor-completions/_trailweave"}
    expected |= {f"{doc}/{it}" for it in ["README.md", "changelog.gz", "copyright"]}
    expected |= {f"{doc}/docs/{it}" for it in files(pathlib.Path("docs"))}
    expected |= {f"{doc}/examples/{it}" for it in ["default.toml", "policy.json"]}
    expected |= {f"{doc}/examples/systemd/{it}" for it in files(pathlib.Path("deploy/systemd"))}
    demand_files(files(root), expected, deb.name)
    tool("md5sum", "--check", "--strict", "DEBIAN/md5sums", cwd=root)
    # Finds out whether this system, on which the program was built, has what the package depends on.
    tool("apt-get", "install", "--simulate", deb)
    demand_program(root / "usr/bin/trailweave")
    page = tool("mandoc", "-W", "error", "-T", "ascii", root / "usr/share/man/man1/trailweave-run.1.gz")
    demand("--source" in re.sub(".\b", "", page), f"the page of `run` does not tell of --source: {page}")
    asked = 'source "$1"; COMP_WORDS=(trailweave quar); COMP_CWORD=1; _trailweave trailweave quar trailweave; echo "$COMPREPLY"'
    said = tool("bash", "-c", asked, "bash", root / "usr/share/bash-completion/completions/trailweave")
    demand(said == "quarantine\n", f"bash completes `quar` to `{said}`")


def demand_program(path):
    demand(tool(path, "--version") == tool(PROGRAM, "--version"), f"{path} is another program")
    demand(not tool("nm", path), f"{path} is not stripped")


CHECKS = [image, cloudformation, kubernetes, systemd, prometheus, grafana, release]
{check.__name__: check for check in CHECKS}[RECIPE]()
