"""Joins the events of one lake on Apache Spark, by the statements of the job.json that stands in the given folder.

    spark-submit join.py FOLDER, or join.py --run FOLDER

Each step is written to FOLDER/steps, each product to FOLDER/products, and at the end FOLDER/done.json says what there is.
Started again, it goes on after the last step that is whole. It needs pyspark and the standard library only, and makes no
use of the lake but to read its files. Two must not run at once in one folder.
"""

import argparse
import json
import re

from pyspark.sql import SparkSession
from pyspark.sql.functions import count, input_file_name, lit


def join(spark, folder, said=print):
    """Does what is left of the job in a folder, and says by name what it begins."""
    files = Files(spark)
    if files.exists(f"{folder}/done.json"):
        said("done")
        return
    job = json.loads(spark.read.text(literal(f"{folder}/job.json"), wholetext=True).first()[0])
    for name, value in job["settings"].items():
        spark.conf.set(name, value)
    for given in job["inputs"]:
        read_input(spark, given).createOrReplaceTempView(given["table"])
    for step in job["steps"]:
        run_step(spark, files, step, f"{folder}/steps/{step['name']}", said)
    done = {}
    for product in job["products"]:
        path = f"{folder}/products/{product['name']}"
        run_product(spark, files, product, path, said)
        done[product["name"]] = what_stands(spark, files, path)
    files.write(f"{folder}/done.json", json.dumps({"run": job["run"], "products": done}, indent=1))
    said("done")


def read_input(spark, given):
    """Reads the files of a table, whose columns are declared: there may be no file, and old ones lack columns."""
    paths = [literal(f"{given['root']}/{path}") for path in given["files"]]
    if not paths:
        return spark.createDataFrame([], given["schema"])
    return spark.read.schema(given["schema"]).parquet(*paths)


def run_step(spark, files, step, path, said):
    """Makes the rows of a step, unless an earlier attempt did, and gives them the step's name."""
    rows = spark.sql(step["sql"], args=step["args"])
    schema = rows.schema
    if not files.exists(f"{path}/_SUCCESS"):
        said(step["name"])
        write(rows, path)
    spark.read.schema(schema).parquet(literal(path)).createOrReplaceTempView(step["name"])


def run_product(spark, files, product, path, said):
    """Makes the rows of a product, one file for each date, in the order of the table."""
    if files.exists(f"{path}/_SUCCESS"):
        return
    said(product["name"])
    rows = spark.sql(product["sql"])
    rows = rows.repartition("event_date").sortWithinPartitions("event_date", *product["order"], "rid")
    write(rows.drop("rid"), path, "event_date")


def write(rows, path, *partitions):
    """Writes rows, which appear when the write has succeeded. The other algorithm of commits shows a part of them before."""
    writer = rows.write.mode("overwrite").option("mapreduce.fileoutputcommitter.algorithm.version", "1")
    writer.parquet(path, partitionBy=list(partitions) or None)


def what_stands(spark, files, path):
    """Counts the bytes and the rows of each file below a path, by what stands there."""
    listed = files.list(path)
    if not listed:
        return []
    rows = spark.read.parquet(literal(path)).groupBy(input_file_name().alias("file")).agg(count(lit(1)).alias("rows"))
    # By its date and its name, for files of several dates have one name.
    n_rows = {tuple(row["file"].split("/")[-2:]): row["rows"] for row in rows.collect()}
    return [{"path": name, "bytes": size, "rows": n_rows.get(tuple(name.split("/")), 0)} for name, size in listed]


def literal(path):
    """Escapes the characters to which Hadoop's globs give a meaning."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)


class Files:
    """The file system of a path, as Hadoop knows it."""

    def __init__(self, spark):
        self.hadoop = spark._jvm.org.apache.hadoop.fs
        self.configuration = spark._jsc.hadoopConfiguration()

    def at(self, path):
        path = self.hadoop.Path(path)
        return path.getFileSystem(self.configuration), path

    def exists(self, path):
        system, path = self.at(path)
        return system.exists(path)

    def list(self, path):
        """Lists the Parquet files below a path, by their names there, with their sizes."""
        system, path = self.at(path)
        root = system.makeQualified(path).toUri().getPath()
        found, files = [], system.listFiles(path, True)
        while files.hasNext():
            file = files.next()
            name = file.getPath().toUri().getPath()[len(root):].lstrip("/")
            if not any(part[0] in "._" for part in name.split("/")):
                found.append((name, file.getLen()))
        return sorted(found)

    def write(self, path, text):
        """Writes a small file, which appears whole: an object does, and a file by its renaming."""
        system, written = self.at(path + ".tmp")
        out = system.create(written, True)
        out.write(bytearray(text.encode()))
        out.close()
        if not system.rename(written, self.hadoop.Path(path)):
            raise OSError(f"cannot write {path}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    # Glue gives arguments with names alone, and others besides.
    parser.add_argument("--run")
    asked, _ = parser.parse_known_args()
    join(SparkSession.builder.appName("trailweave").getOrCreate(), (asked.run or asked.folder).rstrip("/"))


if __name__ == "__main__":
    main()
