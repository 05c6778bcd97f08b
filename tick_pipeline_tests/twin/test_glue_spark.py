"""The project's own job as a run of Glue, with the wheel alone: the same candles as by hand."""

# boto3 and pyarrow have no types, parts of Dagster's are partial
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, parse_instant
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_jobs import GlueSparkJobs
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.request import OhlcRequest
from tick_pipeline.storage import StorageMode, candle_table
from tick_pipeline_tests.spark.lake import tick
from tick_pipeline_tests.spark.oracle import assert_equal_candles, recompute
from tick_pipeline_tests.twin.glue_asset import candles_asset
from tick_pipeline_tests.twin.glue_stand_in import QUICK
from tick_pipeline_tests.twin.jars import require_aws_jars
from tick_pipeline_tests.twin.lake import TwinLake
from tick_pipeline_tests.twin.provision import provision

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.oracle import Tick
    from tick_pipeline_tests.twin.twin import Twin

pytestmark = pytest.mark.spark

START_US = parse_instant("2026-03-02T10:00:00Z")
END_US = START_US + US_PER_HOUR
MODE = StorageMode.PARQUET_PROJECTION


def ticks_of_a_walk() -> list[Tick]:
    """A tick of one symbol each two seconds of ten minutes."""
    return [
        tick(START_US + 2 * number * US_PER_SECOND, number + 1, price=100.0 + number % 3)
        for number in range(300)
    ]


@pytest.fixture
def jobs(twin: Twin, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> GlueSparkJobs:
    """The adapter over all that Terraform makes, and raw ticks."""
    require_aws_jars()
    for name, value in provision(twin.client, twin.url, wheel=wheel).settings.items():
        monkeypatch.setenv(name, value)
    TwinLake(twin).land(ticks_of_a_walk(), MODE)
    settings = load_settings()
    return GlueSparkJobs(AwsClients(settings), settings, pace=QUICK)


def test_candles_equal_those_made_by_hand_and_the_jobs_log_reaches_dagster(
    twin: Twin, jobs: GlueSparkJobs
) -> None:
    request = OhlcRequest(START_US, END_US, (MODE,), None, ("1m", "5m"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([candles_asset(jobs, request)], instance=instance)
        told = "\n".join(entry.message for entry in instance.all_logs(result.run_id))
    assert "parquet_projection: candles written {'1m': 10, '5m': 2}" in told
    expected = recompute(ticks_of_a_walk(), 60).candles
    found = TwinLake(twin).candles(candle_table("1m"), MODE, START_US)
    assert_equal_candles(found, expected)
