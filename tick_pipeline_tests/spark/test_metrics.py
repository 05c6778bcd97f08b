"""The metric CandlesWritten: what is sent, by whose wish, and that its failure fails nothing."""

# boto3 has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tick_pipeline.spark.jobs import ohlc
from tick_pipeline.spark.metrics import put_candles_written
from tick_pipeline.spark.report import OhlcReport

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("test")
ARGUMENTS = (
    *("--START", "2026-01-01T00:00:00Z", "--END", "2026-01-01T01:00:00Z"),
    *("--STORAGE_MODE", "iceberg,parquet_projection", "--WAREHOUSE", "s3://bucket/warehouse"),
)


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Stubber]]:
    """A client whose requests are checked against the API's model and sent nowhere."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    aws: Any = boto3
    client = aws.client("cloudwatch", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield client, stubber


def report(mode: str, candles: dict[str, int]) -> OhlcReport:
    return OhlcReport(
        storage_mode=mode,
        load_data_mode="parquet",
        start_us=0,
        end_us=3_600_000_000,
        rows=0,
        invalid=0,
        invalid_by_rule={},
        duplicates=0,
        conflicting_duplicates=0,
        shared_instants=0,
        candles=candles,
        files=0,
        bytes=0,
        partitions=0,
        requests=0,
        read_seconds=0.0,
        tasks=0,
        task_seconds_median=0.0,
        task_seconds_max=0.0,
        spill_bytes=0,
        shuffle_bytes=0,
        seconds=0.0,
    )


def datum(mode: str, timeframe: str, candles: int) -> dict[str, Any]:
    return {
        "MetricName": "CandlesWritten",
        "Dimensions": [
            {"Name": "StorageMode", "Value": mode},
            {"Name": "Timeframe", "Value": timeframe},
        ],
        "Value": candles,
        "Unit": "Count",
    }


def test_each_storage_mode_and_timeframe_is_a_datum(cloudwatch: tuple[Any, Stubber]) -> None:
    """One request; an hour without candles is sent as 0, for it is known."""
    client, stubber = cloudwatch
    expected = [
        datum("iceberg", "1m", 600),
        datum("iceberg", "5m", 120),
        datum("parquet_projection", "1m", 0),
    ]
    stubber.add_response(
        "put_metric_data", {}, {"Namespace": "TickPipeline", "MetricData": expected}
    )
    reports = [report("iceberg", {"1m": 600, "5m": 120}), report("parquet_projection", {"1m": 0})]
    put_candles_written("TickPipeline", reports, LOG, client)
    stubber.assert_no_pending_responses()


def test_a_refused_metric_is_a_warning_with_the_reason(
    cloudwatch: tuple[Any, Stubber], caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on: its candles are written."""
    client, stubber = cloudwatch
    stubber.add_client_error("put_metric_data", "AccessDenied", "not authorized to perform")
    put_candles_written("TickPipeline", [report("iceberg", {"1m": 600})], LOG, client)
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    for told in ("candles are written", "CandlesWritten", "TickPipeline", "AccessDenied"):
        assert told in warning.getMessage()


def test_a_service_out_of_reach_is_a_warning_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class OutOfReach:
        def put_metric_data(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://monitoring.example")

    monkeypatch.setattr("tick_pipeline.spark.metrics._cloudwatch", OutOfReach)
    put_candles_written("TickPipeline", [report("iceberg", {"1m": 600})], LOG)
    (warning,) = caplog.records
    assert "EndpointConnectionError" in warning.getMessage()


def test_a_job_without_a_region_is_a_warning_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even to make the client may fail."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    put_candles_written("TickPipeline", [report("iceberg", {"1m": 600})], LOG)
    (warning,) = caplog.records
    assert "NoRegionError" in warning.getMessage()


@pytest.mark.parametrize(
    ("more", "namespace"),
    [((), None), (("--METRICS_NAMESPACE", "TickPipeline"), "TickPipeline")],
)
def test_the_namespace_is_an_argument_of_the_job(
    more: tuple[str, ...], namespace: str | None
) -> None:
    assert ohlc.parse_arguments((*ARGUMENTS, *more)).metrics_namespace == namespace


@pytest.mark.parametrize(("namespace", "sent"), [(None, []), ("TickPipeline", ["TickPipeline"])])
def test_a_metric_is_sent_where_a_namespace_is_given(
    monkeypatch: pytest.MonkeyPatch, namespace: str | None, sent: list[str]
) -> None:
    """Never on a laptop: no job of its gets one."""
    told: list[str] = []
    reports = [report("iceberg", {"1m": 600}), report("parquet_projection", {"1m": 600})]
    made = iter(reports)

    def run_mode(*_: Any) -> OhlcReport:
        return next(made)

    def put(to: str, of: list[OhlcReport], _: logging.Logger) -> None:
        assert of == reports
        told.append(to)

    monkeypatch.setattr(ohlc, "_run_mode", run_mode)
    monkeypatch.setattr(ohlc, "put_candles_written", put)
    more = ("--METRICS_NAMESPACE", namespace) if namespace else ()
    spark: Any = None
    assert ohlc.run(spark, ohlc.parse_arguments((*ARGUMENTS, *more))) == reports
    assert told == sent
