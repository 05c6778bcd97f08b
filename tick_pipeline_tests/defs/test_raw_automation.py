"""The sensors of what lands, over a real HOME and a real instance, and whether sensors run by themselves."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.defs.raw.automation import landed_hours_sensor, late_ticks_sensor
from tick_pipeline.event_time import US_PER_HOUR, hour_floor, now_us
from tick_pipeline.orchestration import late_ledger
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline_tests.defs.landed import Landed
from tick_pipeline_tests.defs.looks import RecordedNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tick_pipeline.settings import Settings

HOUR_US = hour_floor(now_us()) - 3 * US_PER_HOUR


@pytest.fixture
def landed(settings: Settings) -> Iterator[Landed]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Landed(settings, open_deployment(settings), instance, RecordedNotifier())


def asked(result: dg.SensorResult) -> list[dg.RunRequest]:
    return list(result.run_requests or ())


def said(result: dg.SensorResult) -> str:
    assert isinstance(result.skip_reason, dg.SkipReason)
    return result.skip_reason.skip_message or ""


def test_late_ticks_are_entered_where_nobody_can_be_told_and_told_by_a_later_look(
    landed: Landed,
) -> None:
    sensor = late_ticks_sensor(landed.settings)
    begun = landed.look(sensor)
    assert said(begun) == "0 entries changed"
    landed.land(HOUR_US, late_seconds=7200)
    landed.notifier.refuses = True
    entered = landed.look(sensor, begun.cursor)
    assert said(entered).startswith("2 entries changed; not told, so tried again at the next look")
    for event in entered.asset_events:
        assert isinstance(event, dg.AssetObservation)
        landed.instance.report_runless_asset_event(event)
    refused = landed.look(sensor, entered.cursor)
    assert (len(entered.asset_events), refused.asset_events) == (2, [])
    landed.notifier.refuses = False
    told = landed.look(sensor, refused.cursor)
    assert (said(told), told.asset_events) == ("0 entries changed", [])
    assert [subject for subject, _ in landed.notifier.told] == [
        "ticks came late: iceberg 1, parquet_projection 1"
    ]
    landed.look(sensor, told.cursor)
    assert len(landed.notifier.told) == 1


def test_a_look_whose_cursor_was_lost_counts_nothing_twice(landed: Landed) -> None:
    """The entries themselves tell what they count."""
    sensor = late_ticks_sensor(landed.settings)
    begun = landed.look(sensor)
    landed.land(HOUR_US, late_seconds=7200)
    for event in landed.look(sensor, begun.cursor).asset_events:
        assert isinstance(event, dg.AssetObservation)
        landed.instance.report_runless_asset_event(event)
    assert landed.look(sensor, begun.cursor).asset_events == []
    assert len(landed.notifier.told) == 1


def test_hours_that_follow_one_another_are_asked_about_together(
    landed: Landed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage a query for each would take longer than Dagster waits for a look."""
    asked: list[dict[str, Any]] = []
    run_file = LocalQueryEngine.run_file

    def recorded(engine: LocalQueryEngine, name: str, parameters: dict[str, Any]) -> Any:
        asked.append(parameters)
        return run_file(engine, name, parameters)

    monkeypatch.setattr(LocalQueryEngine, "run_file", recorded)
    sensor = late_ticks_sensor(landed.settings)
    begun = landed.look(sensor)
    hours = [HOUR_US - before * US_PER_HOUR for before in (5, 2, 1)]
    for late_hours, hour_us in enumerate(hours, 6):
        landed.land(hour_us, late_seconds=late_hours * 3600)
    entries = {
        (event.partition, event.metadata["late max (seconds)"].value)
        for event in landed.look(sensor, begun.cursor).asset_events
    }
    assert entries == {
        (partition_key(hour_us), late_hours * 3600.0) for late_hours, hour_us in enumerate(hours, 6)
    }
    assert len(asked) == 2 * len(landed.settings.storage_modes)


def test_the_ledger_of_a_mode_begins_with_what_lands_after_its_first_look(
    landed: Landed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files were there before it."""
    monkeypatch.setattr(late_ledger, "MOST_FILES", 1)
    for _ in range(3):
        landed.land(HOUR_US, late_seconds=7200)
    sensor = late_ticks_sensor(landed.settings)
    begun = landed.look(sensor)
    assert begun.asset_events == []
    assert landed.look(sensor, begun.cursor).asset_events == []


def test_what_landed_before_its_hour_closed_or_before_the_partitions_is_in_no_entry(
    landed: Landed,
) -> None:
    sensor = late_ticks_sensor(landed.settings)
    begun = landed.look(sensor)
    landed.land(hour_floor(now_us()), late_seconds=7200)
    landed.land(landed.deployment.home.partitions_start_us - US_PER_HOUR, late_seconds=7200)
    assert landed.look(sensor, begun.cursor).asset_events == []
    assert landed.notifier.told == []


def test_landed_hours_asks_for_an_hour_once_and_tells_of_those_without_partition(
    landed: Landed,
) -> None:
    sensor = landed_hours_sensor(landed.settings)
    landed.land(HOUR_US, late_seconds=0)
    landed.land(landed.deployment.home.partitions_start_us - US_PER_HOUR, late_seconds=0)
    first = landed.look(sensor)
    assert [(request.job_name, request.partition_key) for request in first.run_requests or ()] == [
        ("ohlc_batch", partition_key(HOUR_US)),
        ("anomaly_batch", partition_key(HOUR_US)),
        ("anomaly_batch", partition_key(HOUR_US + US_PER_HOUR)),
    ]
    second = landed.look(sensor, first.cursor)
    assert second.run_requests == []
    assert said(second) == "runs of hours: 3 tried again later"
    lost = landed.look(sensor, "not a cursor")
    assert [request.run_key for request in lost.run_requests or ()] == [
        request.run_key for request in first.run_requests or ()
    ]


def test_hours_of_a_raw_table_that_was_made_anew_are_asked_for_again(landed: Landed) -> None:
    """The runs that read the old one told greater marks; its entries of late ticks count no file of the new one."""
    hours, late = landed_hours_sensor(landed.settings), late_ticks_sensor(landed.settings)
    begun = landed.look(late)
    for _ in range(3):
        landed.land(HOUR_US, late_seconds=7200)
    for event in landed.look(late, begun.cursor).asset_events:
        assert isinstance(event, dg.AssetObservation)
        landed.instance.report_runless_asset_event(event)
    for hour_us in (HOUR_US, HOUR_US + US_PER_HOUR):
        landed.aggregate(hour_us)
    made = landed.look(hours)
    assert made.run_requests == []
    landed.make_raw_anew()
    # All that the stream has lands with it.
    landed.land(HOUR_US - US_PER_HOUR, late_seconds=0)
    again = {(item.job_name, item.partition_key) for item in asked(landed.look(hours, made.cursor))}
    assert {
        ("ohlc_batch", partition_key(HOUR_US)),
        ("anomaly_batch", partition_key(HOUR_US)),
    } <= again
    emptied = landed.look(late, begun.cursor)
    landed.land(HOUR_US, late_seconds=7200)
    counted = {
        event.asset_key.path[0]: event.metadata["late"].value
        for event in landed.look(late, emptied.cursor).asset_events
    }
    assert counted == {"iceberg": 1, "parquet_projection": 4}


@pytest.mark.parametrize("running", [False, True])
def test_sensors_and_schedules_run_by_themselves_where_the_setting_says_so(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICK_PIPELINE_AUTOMATION_RUNNING", str(running))
    repository = defs().get_repository_def()
    automations = [*repository.sensor_defs, *repository.schedule_defs]
    assert {"landed_hours", "late_ticks", "ohlc_hourly"} <= {item.name for item in automations}
    wanted = "RUNNING" if running else "STOPPED"
    assert {item.name: item.default_status.value for item in automations} == {
        item.name: wanted for item in automations
    }
