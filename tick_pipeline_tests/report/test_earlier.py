"""Earlier runs side by side, and the price of a month made of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.report.aws_cost import aws_cost
from tick_pipeline.report.comparison import AwsCost, Baseline, HourLateness, NotMeasured
from tick_pipeline.report.earlier import late_costs, read_modes
from tick_pipeline.report.remembered import History, Ledger
from tick_pipeline.report.tables import check_rows, late_hours, scan_rows, stored_rows
from tick_pipeline.storage import LoadDataMode
from tick_pipeline_tests.report.figures import (
    HOUR_US,
    ICEBERG,
    NOT_MEASURED,
    PARQUET,
    candle_run,
    check,
    comparison,
)

HOURS = (HOUR_US, HOUR_US + US_PER_HOUR)


def test_the_newest_run_of_each_read_mode_counts() -> None:
    runs = [candle_run(ICEBERG, seconds=5.0, at_us=2), candle_run(ICEBERG, seconds=9.0, at_us=1)]
    found = {figures.read_mode: figures for figures in read_modes(runs, HOURS)}
    assert [run.seconds for run in found[LoadDataMode.ICEBERG].runs] == [5.0]
    assert found[LoadDataMode.ICEBERG].missing is None


def test_a_read_mode_without_a_run_tells_the_command_over_the_same_hours() -> None:
    later = HOUR_US + 5 * US_PER_HOUR
    runs = [candle_run(PARQUET, start_us=later, end_us=later + US_PER_HOUR)]
    missing = {figures.read_mode: figures.missing for figures in read_modes(runs, HOURS)}
    for read_mode, written in (("spark", "parquet_projection"), ("iceberg", "iceberg")):
        told = missing[LoadDataMode(read_mode)]
        assert told is not None
        assert told.command == (
            "tick-pipeline ohlc --start 2026-03-01T14:00:00Z --end 2026-03-01T15:00:00Z "
            f"--storage-mode {written} --load-data-mode {read_mode}"
        )


def test_hours_that_are_made_anew_cost_their_seconds() -> None:
    """The first run of an hour is none; one that touches a made hour is, in its own mode alone."""
    wide = {"end_us": HOUR_US + 2 * US_PER_HOUR}
    history = History(
        candle_runs=(
            candle_run(ICEBERG, seconds=3.0, at_us=3, **wide),
            candle_run(PARQUET, seconds=8.0, at_us=2),
            candle_run(ICEBERG, seconds=4.0, at_us=1),
        ),
        ledgers=(Ledger(ICEBERG, 7, 5, 2),),
    )
    hour = HourLateness(HOUR_US, 1000, 10, 0.2, 90.0)
    iceberg, parquet = late_costs(history, {ICEBERG: [hour], PARQUET: [hour]})
    assert (iceberg.reruns, iceberg.seconds, iceberg.late_ticks) == (1, 3.0, 10)
    assert (iceberg.landed_late, iceberg.repaired, iceberg.waiting) == (7, 5, 2)
    assert (parquet.reruns, parquet.seconds, parquet.landed_late) == (0, 0, None)


def test_a_month_is_priced_for_each_mode_alone() -> None:
    cost = aws_cost(comparison(), None)
    assert isinstance(cost, AwsCost)
    assert [bill.mode for bill in cost.modes] == [ICEBERG, PARQUET]
    for bill in cost.modes:
        assert bill.usd == pytest.approx(sum(bill.by_service.values()))
        assert {"Kinesis", "Firehose", "Glue", "Athena"} <= bill.by_service.keys()
    # 1,000 rows in ten minutes, 220 bytes each.
    assert cost.load == "1.7 ticks a second of 220 bytes, day and night"
    assert "us-east-1" in cost.prices


def test_each_mode_pays_for_the_bytes_that_it_stores() -> None:
    """What nobody counts, as rows in many objects on S3, is as many as the other mode landed."""
    raw = {ICEBERG: 100_000, PARQUET: 400_000}
    tables = tuple(
        replace(stats, bytes=raw[stats.mode], rows=1000 if stats.mode is ICEBERG else None)
        if stats.table == "raw"
        else stats
        for stats in comparison().tables
    )
    level, found = (aws_cost(comparison(**change), None) for change in ({}, {"tables": tables}))
    assert isinstance(level, AwsCost)
    assert isinstance(found, AwsCost)
    before, after = (
        {bill.mode: bill.by_service["S3"] for bill in cost.modes} for cost in (level, found)
    )
    assert after[ICEBERG] == before[ICEBERG]
    assert after[PARQUET] > before[PARQUET]


def test_a_region_without_prices_takes_the_default_ones() -> None:
    assert aws_cost(comparison(), "eu-nowhere-1") == aws_cost(comparison(), None)


def test_no_ticks_have_no_price() -> None:
    cost = aws_cost(comparison(baseline=NOT_MEASURED, minutes=()), None)
    assert isinstance(cost, NotMeasured)
    assert cost.command == "tick-pipeline cost --records-per-second R --record-bytes B"


def test_bars_are_shares_of_the_longest() -> None:
    stored = {bar.label: (bar.value, bar.share) for bar in stored_rows(comparison())}
    assert stored["JSON, plain"] == (220.0, 1.0)
    assert stored["Iceberg"] == stored["Parquet"] == (100.0, pytest.approx(100 / 220))
    assert [(bar.label, bar.value) for bar in scan_rows(comparison())] == [
        ("Raw JSON", 0.7),
        ("Iceberg", 0.5),
        ("Parquet", 0.5),
    ]
    assert stored_rows(comparison(baseline=NOT_MEASURED))[0].share == 1
    assert scan_rows(comparison(queries=())) == scan_rows(comparison(baseline=NOT_MEASURED)) == []


def test_raw_json_stands_beside_what_did_the_same() -> None:
    """A quarter of the hour's ticks took a quarter of the time; another engine's seconds are no measure."""
    baseline = comparison().baseline
    assert isinstance(baseline, Baseline)
    quarter = replace(baseline, ticks=250, sampled=True)
    assert scan_rows(comparison(baseline=quarter))[0].value == pytest.approx(4 * 0.7)
    assert scan_rows(comparison(engine="Athena")) == []


def test_of_many_hours_those_with_the_most_late_ticks_are_listed() -> None:
    hours = [HourLateness(HOUR_US + n * US_PER_HOUR, 1000, n % 100, 0.2, 90.0) for n in range(200)]
    shown = late_hours(comparison(lateness=tuple(hours)))
    assert len(shown) == 48
    assert min(hour.late_ticks for hour in shown) == 76
    assert [hour.hour_us for hour in shown] == sorted(hour.hour_us for hour in shown)
    assert late_hours(comparison(lateness=tuple(hours[:3]))) == hours[:3]


def test_checks_stand_oldest_first_and_the_newest_are_kept() -> None:
    runs = tuple(check("ok", HOUR_US + number) for number in reversed(range(40)))
    other = check("error", HOUR_US, mode=PARQUET, check="storage_parity")
    rows = check_rows(comparison(checks=(*runs, other)))
    assert [(row.table, row.check) for row in rows] == [
        ("raw", "raw_gaps"),
        ("raw", "storage_parity"),
    ]
    shown = [run.at_us - HOUR_US for run in rows[0].runs[ICEBERG]]
    assert shown == list(range(16, 40))
    assert rows[0].runs[PARQUET] == ()
    assert [run.outcome for run in rows[1].runs[PARQUET]] == ["error"]
