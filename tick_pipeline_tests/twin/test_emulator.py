"""The emulator of AWS does what the pipeline relies on, and leaves nothing behind."""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from tick_pipeline_tests.twin import emulator as module
from tick_pipeline_tests.twin.emulator import (
    ACCOUNT,
    ROOT,
    Emulator,
    EmulatorError,
    has_ended,
    require_emulator,
    run_emulator,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Starts an emulator, says which process it is, and then never ends by itself.
HOLDER = """
import sys, time
from pathlib import Path
from tick_pipeline_tests.twin.emulator import run_emulator
with run_emulator(Path(sys.argv[1])) as running:
    print(running.process_id, flush=True)
    time.sleep(600)
"""


def code_of(call: Callable[[], Any]) -> str:
    """The code of the error by which AWS refuses a call."""
    with pytest.raises(ClientError) as refusal:
        call()
    return str(refusal.value.response["Error"]["Code"])


def await_end(process_id: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not has_ended(process_id):
        assert time.monotonic() < deadline, f"{process_id} still runs after {seconds} s"
        time.sleep(0.05)


def test_it_starts_and_ends_within_seconds_and_writes_only_in_its_folder(tmp_path: Path) -> None:
    require_emulator()
    begin = time.monotonic()
    with run_emulator(tmp_path) as running:
        assert running.client("sts").get_caller_identity()["Account"] == ACCOUNT
        files = psutil.Process(running.process_id).open_files()
        assert {file.path for file in files} == {str(running.log)}
    await_end(running.process_id)
    assert time.monotonic() - begin < 60


def test_it_listens_on_loopback_only(emulator: Emulator) -> None:
    process = psutil.Process(emulator.process_id)
    listening = [
        connection.laddr
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections(kind="inet")
        if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    ]
    assert [f"http://{address.ip}:{address.port}" for address in listening] == [emulator.url]
    assert emulator.url.startswith("http://127.0.0.1:")


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    require_emulator()
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        emulator_id = int(parent.stdout.readline())
        assert psutil.pid_exists(emulator_id)
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.wait(60) == -signal.SIGKILL
    await_end(emulator_id)


def _never(url: str) -> bool:
    return False


def test_a_start_that_fails_tells_the_end_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """Such as one whose port was taken between our choice and its start."""
    taken = int(emulator.url.rsplit(":", 1)[1])
    monkeypatch.setattr(module, "free_port", lambda: taken)
    # Ours is the one that ends, though another answers.
    monkeypatch.setattr(module, "_is_ready", _never)
    with pytest.raises(EmulatorError, match=f"exit code 1 .* 127.0.0.1:{taken} is already in use"):
        run_emulator(tmp_path).__enter__()


def test_a_place_without_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PYTHON", tmp_path / "python")
    with pytest.raises(EmulatorError, match=r"make \.venv/\.emulator"):
        run_emulator(tmp_path).__enter__()


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_a_test_that_needs_it_skips_without_it_but_fails_in_ci(
    ci: str, outcome: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PYTHON", tmp_path / "python")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=r"make \.venv/\.emulator"):
        require_emulator()


def test_a_reset_forgets_everything(aws: Emulator) -> None:
    aws.client("s3").create_bucket(Bucket="lake")
    aws.client("kinesis").create_stream(StreamName="ticks", ShardCount=1)
    aws.client("glue").create_database(DatabaseInput={"Name": "ticks"})
    aws.reset()
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("kinesis").list_streams()["StreamNames"] == []
    assert aws.client("glue").get_databases()["DatabaseList"] == []


def test_the_environment_leads_any_sdk_to_it(aws: Emulator) -> None:
    untyped: Any = boto3
    assert untyped.client("s3").meta.endpoint_url == aws.url
    untyped.client("s3").create_bucket(Bucket="lake")
    assert aws.client("s3").list_buckets()["Buckets"][0]["Name"] == "lake"


def test_kinesis_gives_back_what_was_put_by_shard_in_order(aws: Emulator) -> None:
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="ticks", ShardCount=2)
    records = [
        {"Data": json.dumps({"n": n}).encode(), "PartitionKey": f"symbol-{n % 7}"}
        for n in range(500)
    ]
    answer = kinesis.put_records(StreamName="ticks", Records=records)
    assert answer["FailedRecordCount"] == 0

    found: list[int] = []
    for shard in kinesis.list_shards(StreamName="ticks")["Shards"]:
        page = kinesis.get_records(
            ShardIterator=kinesis.get_shard_iterator(
                StreamName="ticks",
                ShardId=shard["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
        )
        numbers = [int(record["SequenceNumber"]) for record in page["Records"]]
        of_shard = [json.loads(record["Data"])["n"] for record in page["Records"]]
        assert numbers == sorted(numbers)
        assert of_shard == sorted(of_shard)
        assert of_shard
        found += of_shard
    assert sorted(found) == list(range(500))


def test_glue_refuses_a_commit_on_a_version_that_is_not_the_last(aws: Emulator) -> None:
    """Iceberg's commits rely on it: else the later of two writers would drop the other's rows."""
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "ticks"})
    table = {"Name": "raw", "TableType": "EXTERNAL_TABLE", "Parameters": {"commit": "0"}}
    glue.create_table(DatabaseName="ticks", TableInput=table)
    version = glue.get_table(DatabaseName="ticks", Name="raw")["Table"]["VersionId"]

    def commit(number: str) -> None:
        glue.update_table(
            DatabaseName="ticks",
            TableInput={**table, "Parameters": {"commit": number}},
            VersionId=version,
            SkipArchive=True,
        )

    commit("1")
    assert code_of(lambda: commit("2")) == "ConcurrentModificationException"
    after = glue.get_table(DatabaseName="ticks", Name="raw")["Table"]
    assert after["Parameters"]["commit"] == "1"
    assert after["VersionId"] != version
    missing = code_of(lambda: glue.get_table(DatabaseName="ticks", Name="candles"))
    assert missing == "EntityNotFoundException"
    exists = code_of(lambda: glue.create_database(DatabaseInput={"Name": "ticks"}))
    assert exists == "AlreadyExistsException"


def test_s3_lets_one_of_two_writers_create_an_object(aws: Emulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="lake")
    first = s3.put_object(Bucket="lake", Key="commit", Body=b"first", IfNoneMatch="*")

    def put(body: bytes, **condition: str) -> dict[str, Any]:
        return s3.put_object(Bucket="lake", Key="commit", Body=body, **condition)

    assert code_of(lambda: put(b"second", IfNoneMatch="*")) == "PreconditionFailed"
    assert s3.get_object(Bucket="lake", Key="commit")["Body"].read() == b"first"

    put(b"third", IfMatch=first["ETag"])
    assert code_of(lambda: put(b"fourth", IfMatch=first["ETag"])) == "PreconditionFailed"
    assert s3.get_object(Bucket="lake", Key="commit")["Body"].read() == b"third"


def test_cloudwatch_lists_and_sums_the_metrics_that_were_put(aws: Emulator) -> None:
    cloudwatch = aws.client("cloudwatch")
    at = datetime.now(tz=timezone.utc)
    dimensions = [{"Name": "mode", "Value": "iceberg"}]
    cloudwatch.put_metric_data(
        Namespace="TickPipeline",
        MetricData=[
            {
                "MetricName": "rows",
                "Dimensions": dimensions,
                "Timestamp": at,
                "Value": value,
                "Unit": "Count",
            }
            for value in (2.0, 3.0)
        ],
    )
    listed = cloudwatch.list_metrics(Namespace="TickPipeline")["Metrics"]
    assert listed == [{"Namespace": "TickPipeline", "MetricName": "rows", "Dimensions": dimensions}]
    points = cloudwatch.get_metric_statistics(
        Namespace="TickPipeline",
        MetricName="rows",
        Dimensions=dimensions,
        StartTime=at - timedelta(minutes=5),
        EndTime=at + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in points] == [5.0]
