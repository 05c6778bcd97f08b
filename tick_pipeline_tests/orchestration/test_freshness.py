"""The hour before the current one is fresh once it is materialized, and due at half past."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.orchestration import freshness
from tick_pipeline.orchestration.freshness import freshness_checks, freshness_sensor, judge
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW, CANDLES = (dg.AssetKey(["iceberg", table]) for table in ("raw", "aggregated_1m"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's, for one test."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def _materialize(instance: dg.DagsterInstance, key: dg.AssetKey, *hours: str) -> None:
    for hour in hours:
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=hour))


def _at(time: str) -> int:
    return parse_instant(f"2026-03-02T{time}Z")


@pytest.mark.parametrize(
    ("now", "passed"),
    [
        # The hour from 10:00 is due at 11:30, not while it is open, nor before.
        ("10:45:00", True),
        ("11:29:59", True),
        ("11:30:00", False),
        ("12:29:59", False),
        ("12:30:00", False),
    ],
)
def test_an_hour_is_due_half_an_hour_after_it_has_ended(
    now: str, passed: bool, instance: dg.DagsterInstance
) -> None:
    _materialize(instance, RAW, "2026-03-02-08:00", "2026-03-02-09:00")
    _materialize(instance, CANDLES, "2026-03-02-09:00")
    assert judge(instance, CANDLES, _at(now)).passed is passed


def test_what_is_overdue_tells_the_hour_and_the_command_that_makes_it(
    instance: dg.DagsterInstance,
) -> None:
    """A backfill of an older hour, later, changes nothing."""
    _materialize(instance, RAW, "2026-03-02-10:00")
    _materialize(instance, CANDLES, "2026-03-02-11:00", "2026-03-02-09:00")
    found = judge(instance, CANDLES, _at("11:31:00"))
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.description
    assert found.description.startswith("2026-03-02-10:00 was due by 2026-03-02T11:30:00Z")
    assert "ohlc --start 2026-03-02T10:00:00Z --end 2026-03-02T11:00:00Z" in found.description
    _materialize(instance, CANDLES, "2026-03-02-10:00")
    assert judge(instance, CANDLES, _at("11:31:00")).passed


def test_an_hour_before_the_first_of_raw_was_never_due(instance: dg.DagsterInstance) -> None:
    """As in a HOME that was made in the middle of an hour; where nothing landed at all, the hour is missed."""
    assert not judge(instance, CANDLES, _at("11:45:00")).passed
    _materialize(instance, RAW, "2026-03-02-11:00")
    found = judge(instance, CANDLES, _at("11:45:00"))
    assert (found.passed, found.description) == (
        True,
        "nothing was due: raw begins with 2026-03-02-11:00",
    )
    assert not judge(instance, CANDLES, _at("12:30:00")).passed


def test_the_sensor_asks_again_when_the_next_hour_is_due(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's own sensor reads until when a check found its table fresh."""
    moment_us = _at("11:45:00")
    monkeypatch.setattr(freshness, "now_us", lambda: moment_us)
    checks = freshness_checks((StorageMode.ICEBERG,))
    sensor = freshness_sensor(checks, dg.DefaultSensorStatus.STOPPED)
    assets = [dg.AssetSpec(spec.asset_key) for check in checks for spec in check.check_specs]
    job = dg.define_asset_job("looks", dg.AssetSelection.checks(*checks))
    loaded = dg.Definitions(assets=assets, asset_checks=checks, jobs=[job], sensors=[sensor])

    def ask() -> dg.RunRequest | None:
        context = dg.build_sensor_context(instance, definitions=loaded, sensor_name=sensor.name)
        with freeze_time(moment_us / US_PER_SECOND):
            requests = sensor.evaluate_tick(context).run_requests or []
        return requests[0] if requests else None

    first = ask()
    assert first
    assert {key.name for key in first.asset_check_keys or ()} == {"freshness_check"}
    _materialize(instance, RAW, partition_key(moment_us))
    run = loaded.resolve_job_def("looks").execute_in_process(instance=instance)
    assert [found.passed for found in run.get_asset_check_evaluations()] == [True] * 3
    assert ask() is None
