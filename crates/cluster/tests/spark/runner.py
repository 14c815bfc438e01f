"""Does jobs in one session of Spark, and what tests ask besides: reads a request as JSON, and writes an answer as JSON.

    python runner.py join.py REQUEST.json ANSWER.json
"""

import importlib.util
import json
import os
import shutil
import signal
import sys
import threading

from pyspark.sql import SparkSession

PRODUCTS = ["correlated", "instances", "volumes", "attachments", "grants"]


def local(path):
    return path.removeprefix("file:")


def main(join_py, request, answer):
    spec = importlib.util.spec_from_file_location("join", join_py)
    join = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(join)
    with open(request) as file:
        asked = json.load(file)
    builder = SparkSession.builder.appName("tests").master(asked["master"])
    for name, value in asked["conf"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    answers = []
    for folder in asked["runs"]:
        begun = []
        killer = Killer(spark, asked.get("kill", []))

        def said(name):
            begun.append(name)
            killer.said(name, folder)

        join.join(spark, folder, said)
        killer.end()
        answers.append({"begun": begun, "killed": sorted(killer.killed)})
        if folder == asked["runs"][0]:
            changes = [changed(spark, folder, *it) for it in asked["changes"]]
            for at, setting in enumerate(asked["settings"]):
                set_otherwise(spark, join, folder, at, *setting)
    with open(answer, "w") as file:
        json.dump({"runs": answers, "changes": changes}, file)
    spark.stop()


class Killer:
    """Kills the driver, or an executor in the midst of its work, when a statement begins; or once an executor while it
    writes a file of a product."""

    def __init__(self, spark, kills):
        self.spark, self.kills, self.killed, self.threads, self.now = spark, dict(kills), [], [], None

    def said(self, name, folder):
        self.now = name
        whom = self.kills.pop(name, None)
        if whom == "driver":
            # As if it had written a part, and the algorithm of commits were the one that shows it.
            half = f"{local(folder)}/{'products' if name in PRODUCTS else 'steps'}/{name}/part-00000.parquet"
            os.makedirs(os.path.dirname(half), exist_ok=True)
            with open(half, "wb") as file:
                file.write(b"half")
            os.kill(self.spark._jvm.java.lang.ProcessHandle.current().pid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if whom == "executor":
            self.threads.append(threading.Thread(target=self.kill_executor, args=(name,), daemon=True))
            self.threads[-1].start()

        if whom == "writer" and not set(self.killed) & set(PRODUCTS):
            self.threads.append(threading.Thread(target=self.kill_writer, args=(name, local(folder)), daemon=True))
            self.threads[-1].start()

    def kill_writer(self, name, folder):
        """Kills an executor that stands still with a file of the product open."""
        while self.now == name:
            for process in filter(lambda it: writes_below(it, f"{folder}/products/{name}"), executors()):
                os.kill(process, signal.SIGSTOP)
                if writes_below(process, f"{folder}/products/{name}"):
                    self.killed.append(name)
                    os.kill(process, signal.SIGKILL)
                    return
                os.kill(process, signal.SIGCONT)

    def kill_executor(self, name):
        """Kills one of two executors as soon as there are two and a task is at work."""
        tracker = self.spark.sparkContext.statusTracker()
        while True:
            stages = map(tracker.getStageInfo, tracker.getActiveStageIds())
            found = executors()
            if len(found) == 2 and any(stage and stage.numActiveTasks for stage in stages):
                os.kill(found[0], signal.SIGKILL)
                self.killed.append(name)
                return

    def end(self):
        for thread in self.threads:
            thread.join()


def executors():
    """Finds the processes of executors: those of this session, as each is started by a worker in its JVM."""
    mine, found = os.getpid(), []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline") as file:
                command = file.read()
        except OSError:
            continue
        if "CoarseGrainedExecutorBackend" in command and mine in ancestors(int(process)):
            found.append(int(process))
    return sorted(found)


def writes_below(process, folder):
    """Tells whether a process has a file below a folder open."""
    try:
        files = os.listdir(f"/proc/{process}/fd")
    except OSError:
        return False
    for file in files:
        try:
            if os.readlink(f"/proc/{process}/fd/{file}").startswith(folder + "/"):
                return True
        except OSError:
            pass
    return False


def ancestors(process):
    while process > 1:
        with open(f"/proc/{process}/stat") as file:
            process = int(file.read().rsplit(")", 1)[1].split()[1])
        yield process


def changed(spark, folder, step, ours, naive):
    """Runs a step with another spelling on the rows that it reads, and tells whether its rows are others."""
    with open(f"{local(folder)}/job.json") as file:
        statement = next(it for it in json.load(file)["steps"] if it["name"] == step)
    if ours not in statement["sql"]:
        return f"`{ours}` does not stand in {step}"
    path = f"{folder}/steps/{step}"
    expected = spark.read.parquet(path)
    try:
        rows = spark.sql(statement["sql"].replace(ours, naive), args=statement["args"])
        others = rows.exceptAll(expected).count() + expected.exceptAll(rows).count()
    except Exception as error:
        return f"fails: {type(error).__name__}"
    return "makes other rows" if others else "makes the same rows"


def set_otherwise(spark, join, folder, at, product, name, value):
    """Makes a product with another setting, in a copy of the stage that has a number behind its name."""
    stage, run = local(folder).rsplit("/", 1)
    shutil.copytree(stage, f"{stage}-{at}")
    other, files, before = f"file:{stage}-{at}/{run}", join.Files(spark), spark.conf.get(name, None)
    with open(f"{local(other)}/job.json") as file:
        statement = next(it for it in json.load(file)["products"] if it["name"] == product)
    path = f"{other}/products/{product}"
    shutil.rmtree(local(path))
    spark.conf.set(name, value)
    join.run_product(spark, files, statement, path, lambda name: None)
    spark.conf.unset(name) if before is None else spark.conf.set(name, before)
    with open(f"{local(other)}/done.json") as file:
        done = json.load(file)
    done["products"][product] = join.what_stands(spark, files, path)
    with open(f"{local(other)}/done.json", "w") as file:
        json.dump(done, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
