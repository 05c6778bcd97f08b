"""Dagster's memory as the report reads it: runs, deliveries, checks, upkeep and the ledger of late data."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.orchestration.history import read_history
from tick_pipeline.orchestration.late_ledger import Entry
from tick_pipeline.orchestration.tables import STORAGE_COMPARISON, asset_key
from tick_pipeline.orchestration.upkeep import upkeep_metadata
from tick_pipeline.report.remembered import Landing, Ledger, TableState
from tick_pipeline.resources.maintenance_port import TableFigures, TableUpkeep
from tick_pipeline.storage import LoadDataMode
from tick_pipeline_tests.queries.warehouse import START_US
from tick_pipeline_tests.report.figures import ICEBERG, PARQUET

if TYPE_CHECKING:
    from collections.abc import Generator

RAW, CANDLES = asset_key(ICEBERG, "raw"), asset_key(ICEBERG, "aggregated_1m")
WINDOW = "2026-03-01T09:00:00Z .. 2026-03-01T11:00:00Z"


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def tell(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str, **metadata: object
) -> None:
    named: dict[str, Any] = {name.replace("_", " "): value for name, value in metadata.items()}
    event = dg.AssetMaterialization(asset_key=key, partition=partition, metadata=named)
    instance.report_runless_asset_event(event)


def test_a_state_without_runs_remembers_nothing(instance: dg.DagsterInstance) -> None:
    history = read_history(instance)
    assert not history.candle_runs
    assert not history.landings
    assert not history.checks
    assert not history.upkeep
    assert not history.ledgers


def test_a_run_over_several_hours_is_one(instance: dg.DagsterInstance) -> None:
    for hour in ("2026-03-01-09:00", "2026-03-01-10:00"):
        tell(instance, CANDLES, hour, window=WINDOW, read_mode="spark", seconds=3.5, files=2)
    [run] = read_history(instance).candle_runs
    assert (run.storage_mode, run.read_mode) == (ICEBERG, LoadDataMode.SPARK)
    assert (run.start_us, run.end_us) == (START_US, START_US + 2 * US_PER_HOUR)
    assert (run.seconds, run.files) == (3.5, 2)
    assert run.ticks is run.requests is run.read_seconds is None, "it did not tell"


def test_only_deliveries_of_one_mode_have_seconds_of_their_own(
    instance: dg.DagsterInstance,
) -> None:
    """Of a delivery for both modes, and of Firehose's, nobody knows a mode's part."""
    hour = "2026-03-01-09:00"
    tell(instance, RAW, hour, window="a", delivery="by this run", landed=1000, seconds=2.0)
    tell(instance, RAW, hour, window="b", delivery="by this run", landed=500, seconds=1.0)
    tell(instance, RAW, hour, window="c", delivery="by this run", landed=0, seconds=9.0)
    tell(instance, RAW, hour, landed=700, seconds=9.0, written_by="tick-pipeline, without a run")
    tell(instance, RAW, hour, window="d", delivery="Firehose", landed=700, seconds=9.5)
    history = read_history(instance)
    assert history.landings == (Landing(ICEBERG, 2, 1500, 3.0),)
    assert [mode for mode, _ in history.last_landing_us] == [ICEBERG]


def test_the_newest_upkeep_of_a_table_is_told_dry_runs_aside(instance: dg.DagsterInstance) -> None:
    before = TableFigures(40, 4000, 50, 5000, 12, 3, 0.5)
    after = TableFigures(1, 3000, 2, 3500, 2, 1, 0.25)
    done = TableUpkeep(
        storage_mode="iceberg",
        table="raw",
        dry_run=False,
        before=before,
        after=after,
        seconds=2.5,
    )
    dry = TableUpkeep(
        storage_mode="iceberg", table="raw", dry_run=True, before=before, after=None, seconds=0.5
    )
    for item in (done, dry):
        instance.report_runless_asset_event(
            dg.AssetObservation(RAW, metadata=upkeep_metadata(item))
        )
    [upkeep] = read_history(instance).upkeep
    assert (upkeep.mode, upkeep.table, upkeep.seconds) == (ICEBERG, "raw", 2.5)
    assert upkeep.before == TableState(40, 4000, 12, 0.5)
    assert upkeep.after == TableState(1, 3000, 2, 0.25)


def test_the_newest_entry_of_each_hour_counts_in_the_ledger(instance: dg.DagsterInstance) -> None:
    entries = [
        ("2026-03-01-09:00", Entry(late=3, repaired=0, waiting=3)),
        ("2026-03-01-09:00", Entry(late=5, repaired=5, waiting=0)),
        ("2026-03-01-10:00", Entry(late=2, repaired=0, waiting=2)),
    ]
    for partition, entry in entries:
        instance.report_runless_asset_event(
            dg.AssetObservation(RAW, partition=partition, metadata=entry.to_metadata())
        )
    assert read_history(instance).ledgers == (Ledger(ICEBERG, 7, 5, 2),)


def test_evaluations_of_checks_are_told_newest_first(instance: dg.DagsterInstance) -> None:
    """Those of the tables: a check of anything else has no mode."""
    outcomes = iter([True, False])

    @dg.asset(key=asset_key(PARQUET, "raw"))
    def raw() -> None: ...

    @dg.asset_check(asset=raw)
    def raw_gaps() -> dg.AssetCheckResult:
        warn = dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(passed=next(outcomes), severity=warn, description="told")

    @dg.asset(key=STORAGE_COMPARISON)
    def page() -> None: ...

    @dg.asset_check(asset=page)
    def other() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    job = dg.Definitions(
        assets=[raw, page], asset_checks=[raw_gaps, other], jobs=[dg.define_asset_job("all")]
    ).resolve_job_def("all")
    for _ in range(2):
        job.execute_in_process(instance=instance)
    checks = read_history(instance).checks
    assert [run.outcome for run in checks] == ["warn", "ok"]
    assert {(run.mode, run.table, run.check) for run in checks} == {(PARQUET, "raw", "raw_gaps")}
    assert checks[0].at_us > checks[1].at_us
