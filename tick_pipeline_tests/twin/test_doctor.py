"""The doctor on AWS: four answers of what stands there, a grant that is missing by its name, a Firehose that is gone."""

# boto3 has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.doctor.examination import examine
from tick_pipeline.event_time import (
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    format_instant,
    now_us,
)
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_inspection import GlueInspection
from tick_pipeline.resources.deployments import AwsDeployment
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import RAW
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, FIREHOSES, STREAM, provision

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.doctor.findings import Diagnosis, Finding
    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin

SAID = (
    "User: arn:aws:sts::000000000000:assumed-role/reader/me is not authorized to perform: "
    "firehose:DescribeDeliveryStream on resource: arn:aws:firehose:us-east-1:000000000000:deliverystream/x"
)


@pytest.fixture
def deployed(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a deployment into which ticks of ten symbols came two minutes ago, all landed."""
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    land(twin, [f"SYM{number}" for number in range(10)], 100)
    tell(twin, "AWS/Kinesis", "IncomingRecords", STREAM, 1000)
    tell(twin, "AWS/Kinesis", "IncomingBytes", STREAM, 200_000)
    tell(twin, "AWS/Firehose", "DeliveryToIceberg.DataFreshness", FIREHOSES[ICEBERG], 42)
    tell(twin, "AWS/Firehose", "DeliveryToS3.DataFreshness", FIREHOSES[PARQUET], 42)
    return load_settings(home=tmp_path / "home", _env_file=None)


def land(twin: Twin, symbols: list[str], records: int, name: str = "a.parquet") -> None:
    """Valid ticks of two minutes ago in raw of both modes: whole before the end of the stream's newest minute."""
    begin_us = now_us() - 2 * US_PER_MINUTE
    rows: list[dict[str, Any]] = []
    for symbol in symbols:
        for number in range(1, records + 1):
            us = begin_us + number * US_PER_SECOND // records
            times = {"event_ts": us, "event_time": format_instant(us), "sent_ts": us}
            rows.append(tick(symbol, 0, number) | times)
    TwinLake(twin).land(rows, ICEBERG, PARQUET, name=name)


def tell(
    twin: Twin, namespace: str, metric: str, of: str, value: float, *, minutes_ago: int = 1
) -> None:
    """Let a metric have a value of some minutes ago."""
    dimension = "StreamName" if namespace == "AWS/Kinesis" else "DeliveryStreamName"
    twin.client("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": [{"Name": dimension, "Value": of}],
                "Timestamp": as_datetime(now_us() - minutes_ago * US_PER_MINUTE),
                "Value": value,
            }
        ],
    )


def look(settings: Settings) -> Diagnosis:
    return examine(AwsDeployment(settings), settings)


def by_failure(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.failure: finding for finding in diagnosis.findings if finding.failure}


def test_a_deployment_that_delivers_is_well(deployed: Settings) -> None:
    diagnosis = look(deployed)
    assert by_failure(diagnosis) == {}
    assert [answer.verdict.value for answer in diagnosis.answers] == ["ok"] * 4
    told = {finding.subject: finding for finding in diagnosis.findings}
    assert told["arrivals"].evidence["records in its last 300 s"] == 1000
    assert "2 shards, the fullest took" in told["shards"].statement
    assert "of 1,000 records" in told["shards"].statement
    assert "DataFreshness was 42 s" in told["delivery"].statement
    assert " rows, " in str(told["pruning"].evidence["read by the run"])


def test_a_missing_grant_is_named_and_the_other_questions_are_answered(
    twin: Twin, deployed: Settings
) -> None:
    twin.gateway.fail("DescribeDeliveryStream", "AccessDeniedException", message=SAID)
    diagnosis = look(deployed)
    (failure, finding), *others = by_failure(diagnosis).items()
    assert (failure, finding.verdict.value, others) == ("missing-grant", "unknown", [])
    assert finding.evidence["action"] == "firehose:DescribeDeliveryStream"
    assert str(finding.evidence["on"]).endswith("deliverystream/x")
    assert str(finding.evidence["who"]).endswith("assumed-role/reader/me")
    verdicts = [answer.verdict.value for answer in diagnosis.answers]
    assert verdicts == ["ok", "unknown", "ok", "ok"]
    assert any(finding.subject == "errors" for finding in diagnosis.answers[1].findings)


def test_a_firehose_that_is_gone_a_throttled_stream_and_a_hot_shard_are_found(
    twin: Twin, deployed: Settings
) -> None:
    twin.client("firehose").delete_delivery_stream(DeliveryStreamName=FIREHOSES[ICEBERG])
    # No later minute than that of the records, which began a while ago.
    tell(twin, "AWS/Kinesis", "WriteProvisionedThroughputExceeded", STREAM, 70, minutes_ago=2)
    land(twin, ["HOT"], 5000, name="hot.parquet")
    diagnosis = look(deployed)
    found = by_failure(diagnosis)
    assert set(found) == {"stopped-delivery", "throttled", "hot-shard"}
    assert f"there is no Firehose {FIREHOSES[ICEBERG]}" in found["stopped-delivery"].statement
    assert found["stopped-delivery"].verdict.value == "fail"
    assert "refused 70 records" in found["throttled"].statement
    assert "mostly HOT" in found["hot-shard"].statement


def test_strays_and_columns_without_values_are_found_in_the_bucket(
    twin: Twin, deployed: Settings
) -> None:
    rows = [tick("AAA", number, number + 1, source=None) for number in range(30)]
    TwinLake(twin).land(rows, ICEBERG, PARQUET)
    for key in ("raw/export.csv", "raw/year=2026/notes.txt", "trades/x", "raw/year=2026_$folder$"):
        twin.client("s3").put_object(
            Bucket=BUCKET, Key=f"warehouse/parquet_projection/{key}", Body=b""
        )
    inspection = GlueInspection(AwsClients(deployed), deployed)
    times = TimeRange(START_US, START_US + US_PER_MINUTE)
    assert inspection.strays(ICEBERG, times) == []
    assert inspection.strays(PARQUET, times) == [
        "raw/export.csv: outside the hours' folders, so no query by hour reads it",
        "raw/year=2026/notes.txt: outside the hours' folders, so no query by hour reads it",
        "trades/: no table of parquet_projection",
    ]
    for mode in (ICEBERG, PARQUET):
        (null,) = inspection.null_columns(mode, RAW, times)
        assert (null.column, null.rows) == ("source", 30)
