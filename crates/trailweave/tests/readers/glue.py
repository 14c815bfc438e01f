"""Sends what `trailweave ddl glue` prints to a stand-in of AWS Glue, and looks at the tables there: glue.py TRAILWEAVE."""

import json
import os
import subprocess
import sys

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-west-1")

import boto3
from moto import mock_aws

LAKE = "s3://bucket/lake"


@mock_aws
def main(trailweave: str) -> None:
    printed = subprocess.run([trailweave, "ddl", "glue", "--lake", LAKE], stdout=subprocess.PIPE, check=True, text=True).stdout
    glue = boto3.client("glue")  # which refuses a request that is not of the shape of Glue's
    glue.create_database(DatabaseInput={"Name": "trail"})
    for line in printed.splitlines():
        glue.create_table(DatabaseName="trail", **json.loads(line))
    tables = {it["Name"]: it for it in glue.get_tables(DatabaseName="trail")["TableList"]}
    assert {"events", "correlated", "rejects", "ledger"} < set(tables), tables.keys()
    events, rejects = tables["events"], tables["rejects"]
    assert events["PartitionKeys"] == [{"Name": "event_date", "Type": "date"}], events
    assert events["Parameters"]["storage.location.template"] == f"{LAKE}/events/event_date=${{event_date}}/", events
    assert events["StorageDescriptor"]["Location"] == f"{LAKE}/events/", events
    assert rejects["PartitionKeys"] == [] and "projection.enabled" not in rejects["Parameters"], rejects
    for table in tables.values():
        for column in table["StorageDescriptor"]["Columns"]:
            assert len(column["Comment"].encode()) <= 255, column


if __name__ == "__main__":
    main(sys.argv[1])
