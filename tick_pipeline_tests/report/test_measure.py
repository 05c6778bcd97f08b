"""Measuring a HOME of two hours in both modes: each figure is what the tables hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.report import asking
from tick_pipeline.report.comparison import AwsCost, Baseline, NotMeasured, TableParity
from tick_pipeline.report.make import default_page, make_report
from tick_pipeline.report.measure import measure
from tick_pipeline.report.pictures import load_pictures
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import load_settings, scoring_rules
from tick_pipeline.storage import LoadDataMode, StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    candles_of,
    land,
    store_candles,
    tick,
)
from tick_pipeline_tests.report.conftest import HOURS, MODES, Reported, market, open_sources

if TYPE_CHECKING:
    from pathlib import Path

TICKS = HOURS * 900 * 2


def test_without_hours_the_newest_day_of_candles_is_measured(reported: Reported) -> None:
    """The ticks are older than three days, so the candles tell where it ends."""
    found = reported.comparison
    assert found.end_us == START_US + HOURS * US_PER_HOUR
    assert found.end_us - found.start_us == 24 * US_PER_HOUR
    assert found.ticks == TICKS
    assert found.hour_us in (START_US, START_US + US_PER_HOUR)


def test_both_modes_hold_the_same(reported: Reported) -> None:
    assert {parity.table: parity.differing for parity in reported.comparison.parity} == {
        "raw": 0,
        "aggregated_1m": 0,
        "aggregated_5m": 0,
        "anomalies": 0,
    }


def test_a_filter_on_the_time_leaves_one_hour_to_read(reported: Reported) -> None:
    """Three runs of each query, in both modes alike."""
    for query in reported.comparison.queries:
        places = 2 if query.name == "anomalies_with_candle" else 1
        one, whole = query.one_hour, query.whole
        assert len(one.runs) == len(whole.runs) == 3
        assert one.files <= places
        assert whole.files >= one.files
        if query.name != "anomalies_with_candle":
            assert (one.files, one.hours, whole.files, whole.hours) == (1, 1, HOURS, HOURS)
            assert 0 < one.planned_bytes < whole.planned_bytes
        assert one.read_bytes == one.planned_bytes
    modes = [query.mode for query in reported.comparison.queries]
    assert modes.count(StorageMode.ICEBERG) == modes.count(StorageMode.PARQUET_PROJECTION) == 4


def test_a_query_that_would_read_too_much_is_planned_alone(
    reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 10)
    engine = open_sources(reported.settings).engine
    for query in asking.standard_queries(engine, START_US, "AAA"):
        if query.whole.planned_bytes > 10:
            assert query.whole.runs == ()
            assert query.whole.seconds is query.whole.read_bytes is None


def test_the_same_ticks_as_json_are_larger_than_either_mode(reported: Reported) -> None:
    baseline = reported.comparison.baseline
    assert isinstance(baseline, Baseline)
    assert (baseline.ticks, baseline.sampled) == (TICKS // HOURS, False)
    assert baseline.json_bytes > baseline.gzip_bytes > 1000
    assert baseline.json_bytes > baseline.zstd_bytes > 1000
    # 200 bytes or so, as the producer writes them.
    assert 150 < baseline.bytes_per_tick < 300
    raw = [stats for stats in reported.comparison.tables if stats.table == "raw"]
    assert all(stats.rows == TICKS for stats in raw)


def test_late_ticks_are_counted_by_hour_and_minute(reported: Reported) -> None:
    late = sum(record["sent_ts"] - record["event_ts"] > 60_000_000 for record in market())
    found = reported.comparison
    assert sum(hour.late_ticks for hour in found.lateness) == late
    assert sum(minute.late_rows for minute in found.minutes) == late
    assert max(hour.max_seconds for hour in found.lateness) == 90.0
    assert [cost.late_ticks for cost in found.late_cost] == [late, late]


def test_what_runs_told_dagster_is_shown_and_nothing_is_started(reported: Reported) -> None:
    found = {figures.read_mode: figures for figures in reported.comparison.read_modes}
    for mode in (LoadDataMode.PARQUET, LoadDataMode.ICEBERG):
        [run] = found[mode].runs
        assert (run.ticks, run.files, run.requests) == (TICKS, HOURS, 4)
        assert (run.read_seconds, run.seconds) == (1.25, 3.5)
    missing = found[LoadDataMode.SPARK].missing
    assert missing is not None
    assert missing.command is not None
    assert missing.command.endswith("--load-data-mode spark")
    assert isinstance(reported.comparison.landings, NotMeasured)
    assert isinstance(reported.comparison.cost, AwsCost)


def test_freshness_tells_the_newest_of_each_mode(reported: Reported) -> None:
    for fresh in reported.comparison.freshness:
        assert fresh.newest_tick_us is None, "older than the three days that are looked at"
        assert fresh.newest_candle_us == START_US + HOURS * US_PER_HOUR - 60_000_000
        assert fresh.caught_up
        assert fresh.delivery == "0 of 0 records"


def test_hours_without_ticks_are_measured_as_far_as_they_can_be(reported: Reported) -> None:
    hours = START_US - 5 * US_PER_HOUR, START_US - 4 * US_PER_HOUR
    found = measure(open_sources(reported.settings), hours)
    assert (found.start_us, found.end_us) == hours
    assert (found.ticks, found.hour_us, found.queries) == (0, None, ())
    assert isinstance(found.baseline, NotMeasured)
    assert isinstance(found.cost, NotMeasured)
    assert all(stats.rows for stats in found.tables if stats.table == "raw")


def test_a_tick_from_the_future_does_not_move_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is years ahead makes valid ticks; the newest day is another."""
    monkeypatch.setattr(asking, "_RUNS", 1)
    settings = load_settings(home=tmp_path / "home", _env_file=None)
    home = open_deployment(settings).home
    hour_us = hour_floor(now_us()) - US_PER_HOUR
    now = [tick("AAA", (hour_us - START_US) / US_PER_SECOND + 60 * n, n) for n in range(1, 5)]
    ahead = tick("AAA", 50 * 365 * 86_400, 9)
    land(home, [*now, ahead], MODES)
    store_candles(home, "1m", candles_of([*now, ahead]), MODES)
    found = measure(open_sources(settings))
    assert found.end_us == hour_us + US_PER_HOUR
    assert found.ticks == len(now)
    for fresh in found.freshness:
        assert fresh.newest_tick_us == now[-1]["event_ts"]
        assert fresh.newest_candle_us == now[-1]["event_ts"]


def test_an_hour_that_only_one_mode_has_landed_may_still_be_landing(
    reported: Reported, tmp_path: Path
) -> None:
    """Until it is closed."""
    assert reported.comparison.settled
    settings = load_settings(home=tmp_path / "home", _env_file=None)
    hour_us = hour_floor(now_us())
    records = [tick("AAA", (hour_us - START_US) / US_PER_SECOND, 1)]
    land(open_deployment(settings).home, records, [StorageMode.ICEBERG])
    found = measure(open_sources(settings), (hour_us, hour_us + US_PER_HOUR))
    assert found.parity[0] == TableParity("raw", 1)
    assert not found.settled


def test_pictures_are_of_the_hours_asked_for(reported: Reported) -> None:
    """Also where the last of them have no candles, and newer ones are beyond them."""
    sources = open_sources(reported.settings)
    rules = scoring_rules(reported.settings)
    end_us = START_US + HOURS * US_PER_HOUR
    for start, end in ((START_US, START_US + US_PER_HOUR), (START_US, end_us + 20 * US_PER_HOUR)):
        window = replace(reported.comparison, start_us=start, end_us=end)
        [first, _] = load_pictures(sources.engine, window, rules)
        assert (first.start_us, first.end_us) == (START_US, min(end, end_us))
    before = replace(reported.comparison, start_us=end_us, end_us=end_us + US_PER_HOUR)
    assert load_pictures(sources.engine, before, rules) == ()


def test_one_storage_mode_alone_has_nothing_to_compare(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", storage_modes="iceberg", _env_file=None)
    with pytest.raises(SettingsError, match=r"there is nothing to compare: .*=iceberg names one"):
        make_report(open_sources(settings), default_page(settings))
    assert not default_page(settings).exists()
