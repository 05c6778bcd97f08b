"""What a job on Glue tells: its report as an object, its log through objects that Dagster reads."""

# dagster_pipes and boto3 have no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import boto3
import dagster as dg
import dagster_pipes
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from dagster._core.pipes import utils

from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_pipes import S3Messages, pipes_arguments
from tick_pipeline.resources.aws.s3_folder import S3Folder
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.report import OhlcReport, dagster_log, parse_reports, reporter_for
from tick_pipeline_tests.twin.glue_stand_in import BUCKET, REPORT

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.twin import Twin


@pytest.fixture
def s3(twin: Twin) -> Any:
    """A client, and the bucket."""
    client = twin.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def test_a_report_is_an_object_that_its_caller_reads_equal(s3: Any) -> None:
    reporter_for(f"s3://{BUCKET}/pipes/1/report.json").report([REPORT])
    body = s3.get_object(Bucket=BUCKET, Key="pipes/1/report.json")["Body"].read().decode()
    assert parse_reports(body, OhlcReport) == [REPORT]


def test_a_log_goes_where_the_arguments_say(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Glue a job has no environment of its caller's."""
    places: dict[str, Any] = {
        "context": {"data": {}},
        "messages": {"bucket": BUCKET, "key_prefix": "pipes/2"},
    }
    given = [
        part
        for name, place in places.items()
        for part in (f"--dagster-pipes-{name}", dagster_pipes.encode_param(place))
    ]
    monkeypatch.setattr(sys, "argv", ["ohlc.py", "--JOB_NAME", "ohlc", *given])
    monkeypatch.setattr(dagster_pipes.PipesContext, "_instance", None)
    with pytest.raises(ValueError, match="no such column"):
        _fail_in_log()
    body = s3.get_object(Bucket=BUCKET, Key="pipes/2/1.json")["Body"].read().decode()
    messages = [json.loads(line) for line in body.splitlines()]
    assert [message["method"] for message in messages] == ["opened", "log", "closed"]
    assert messages[1]["params"]["message"] == "60 candles"
    assert messages[2]["params"]["exception"]["name"] == "ValueError"


def _fail_in_log() -> None:
    with dagster_log() as log:
        log.info("60 candles")
        raise ValueError("no such column")


def test_a_lost_connection_ends_one_look_for_messages_and_not_the_reading(twin: Twin) -> None:
    """It would else end the thread that reads them, and the rest of the log with it."""
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    untyped: Any = boto3
    client = untyped.client("s3", endpoint_url=twin.url, config=once)
    lost = [ConnectionClosedError(endpoint_url=twin.url)] * 2

    def lose(**_: Any) -> None:
        if lost:
            raise lost.pop()

    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="pipes/3/1.json", Body=b"{}")
    client.meta.events.register("before-send.s3", lose)
    messages, place = S3Messages(client, BUCKET, "pipes/3"), {"key_prefix": "pipes/3"}
    assert not messages.messages_are_readable(place)
    assert messages.download_messages_chunk(1, place) is None
    assert messages.messages_are_readable(place)
    assert messages.download_messages_chunk(1, place) == "{}"


def test_the_log_of_a_run_that_was_stopped_ends_with_what_it_had_written(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not closed its messages: Dagster would wait for more, and keep who cancelled waiting."""
    monkeypatch.setattr(utils, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 3_600)
    logged = {
        dagster_pipes.PIPES_PROTOCOL_VERSION_FIELD: dagster_pipes.PIPES_PROTOCOL_VERSION,
        "method": "log",
        "params": {"message": "half of the candles", "level": "INFO"},
    }

    @dg.asset
    def interrupted() -> None:
        context = dg.AssetExecutionContext.get()
        with pipes_arguments(context, s3, BUCKET, "pipes/4"):
            s3.put_object(Bucket=BUCKET, Key="pipes/4/1.json", Body=json.dumps(logged).encode())
            raise dg.Failure("cancelled")

    with dg.instance_for_test() as instance:
        run = dg.materialize([interrupted], instance=instance, raise_on_error=False)
        told = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert not run.success
    assert "half of the candles" in told


def test_objects_that_s3_keeps_are_told(twin: Twin, s3: Any) -> None:
    """S3 answers a DeleteObjects with 200 whatever it refused; the emulator refuses none."""
    settings = load_settings(_env_file=None, aws_region="us-east-1", aws_endpoint_url=twin.url)
    clients = AwsClients(settings)
    s3.put_object(Bucket=BUCKET, Key="checkpoints/offsets/0", Body=b"")

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "checkpoints/offsets/0", "Code": "AccessDenied"}]

    clients.client("s3").meta.events.register("after-call.s3.DeleteObjects", refuse)
    with pytest.raises(AwsError, match=r"deleting s3://.*/checkpoints/offsets/0: AccessDenied"):
        S3Folder(clients, f"s3://{BUCKET}/checkpoints").clear()
