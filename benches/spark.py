"""Times the join on Spark beside the join in memory and the fold, on lakes of several sizes.

Each lake is joined on `local[2]` with a heap of 2 GiB, then by one executor of two cores and by two of one core. The
smallest lake tells the fixed price. The tables must be the same bytes. Needs the release build and `make spark`.
"""

import argparse
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from day import measured
from fold import PRODUCTS, digest, ingested
from peers import RELEASE, ROOT, WORK

HERTZ, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
MASTERS = {"local[2]": "2g", "local-cluster[1,2,2048]": "1g", "local-cluster[2,1,1024]": "1g"}


class Watch(threading.Thread):
    """Sums the CPU of a process and of all below it, and finds their highest memory and their most scratch."""

    def __init__(self, process: int, scratch: list[Path]):
        super().__init__(daemon=True)
        self.process, self.scratch, self.cpu, self.rss, self.bytes = process, scratch, {}, 0, 0

    def run(self) -> None:
        while Path(f"/proc/{self.process}").exists():
            parents, cpu, rss = {}, {}, {}
            for it in map(int, filter(str.isdigit, os.listdir("/proc"))):
                try:
                    found = Path(f"/proc/{it}/stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                parents[it], rss[it] = int(found[1]), int(found[21]) * PAGE
                cpu[it] = (int(found[11]) + int(found[12])) / HERTZ
            # Numbers of processes are used again, so those of a moment count.
            below = [it for it in parents if self.is_below(it, parents)]
            self.cpu |= {it: cpu[it] for it in below}
            self.rss = max(self.rss, sum(rss[it] for it in below))
            self.bytes = max(self.bytes, sum(size(folder) for folder in self.scratch))
            time.sleep(0.5)

    def is_below(self, process: int, parents: dict[int, int]) -> bool:
        while process in parents and process != self.process:
            process = parents[process]
        return process == self.process


def size(folder: Path) -> int:
    found = 0
    for path, _, files in os.walk(folder):
        for file in files:
            try:
                found += os.path.getsize(os.path.join(path, file))
            except OSError:
                pass
    return found


def without_products(lake: Path) -> Path:
    """The same lake as if nobody had correlated it."""
    other = lake.with_name(f"{lake.name}-spark")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(lake, other, copy_function=os.link, ignore=shutil.ignore_patterns(*PRODUCTS, "covered.json", "stages"))
    return other


def on_spark(lake: Path, master: str, heap: str, program: str) -> list[str]:
    other, stage, scratch = without_products(lake), WORK / "spark-stage", WORK / "spark-scratch"
    for folder in (stage, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    arguments = f"--master {master} --driver-memory {heap} --conf spark.executor.memory=800m --conf spark.ui.enabled=false"
    arguments += f" --conf spark.sql.shuffle.partitions=8 --conf spark.local.dir={scratch} pyspark-shell"
    command = [program, "correlate", "--lake", other, "--engine", "spark", "--stage", stage, "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    run = next(stage.iterdir())
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": arguments, "SPARK_LOCAL_IP": "127.0.0.1"}
    python = ROOT / "target" / "spark-4.3" / "bin" / "python"
    began = time.perf_counter()
    spark = subprocess.Popen([python, run / "join.py", f"file:{run}"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(spark.pid, [stage, scratch])
    watch.start()
    if spark.wait():
        raise SystemExit(f"{master} failed")
    wall = time.perf_counter() - began
    watch.join()
    began = time.perf_counter()
    subprocess.run([*command, "--adopt"], check=True, stdout=subprocess.DEVNULL)
    adopting = time.perf_counter() - began
    if digest(other) != digest(lake):
        raise SystemExit("the products differ")
    cpu = sum(watch.cpu.values())
    return [master, f"{cpu:.0f}", f"{wall:.0f}", f"{watch.rss / 2**20:.0f}", f"{watch.bytes / 2**20:.0f}", f"{adopting:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[3_000, 1_050_000, 10_500_000])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--masters", nargs="+", default=list(MASTERS))
    parser.add_argument("--memories", nargs="*", default=["2GiB", "256MiB"], help="--memory of the joins beside; none where the lake has its tables already")
    parser.add_argument("--program", default=str(RELEASE / "trailweave"))
    asked = parser.parse_args()
    print("| events | engine | CPU s | wall s | peak RSS MiB | scratch MiB | adopt s |\n|---|---|---|---|---|---|---|", flush=True)
    for records in asked.records:
        name = f"spark-{records}-{asked.days}"
        options = {"records": records, "days": asked.days, "records_per_object": 5000, "flows": 0.97}
        lake = ingested(name, options)
        for memory in asked.memories:
            said, cpu, wall, rss = measured(["correlate", "--whole"], lake, memory)
            found = said["correlated"]
            engine = f"in memory, {memory}, {found['slices']} slices"
            print(f"| {found['events']:,} | {engine} | {cpu:.1f} | {wall:.1f} | {rss:.0f} | | |", flush=True)
        for master in asked.masters:
            figures = on_spark(lake, master, MASTERS[master], asked.program)
            print(f"| of {records:,} records | " + " | ".join(figures) + " |", flush=True)


if __name__ == "__main__":
    main()
