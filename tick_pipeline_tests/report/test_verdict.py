"""What the figures say: nothing where they are level, and never more than they show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.report.comparison import AwsCost, MonthlyCost, NotMeasured, TableParity
from tick_pipeline.report.remembered import Landing
from tick_pipeline.report.verdict import decide
from tick_pipeline.resources.table_stats import TableStats
from tick_pipeline.storage import TABLES, StorageMode
from tick_pipeline_tests.report.figures import (
    HOUR_US,
    ICEBERG,
    NOT_MEASURED,
    PARQUET,
    candle_run,
    comparison,
    queries,
    read_modes,
)


def costs(iceberg: float, parquet: float) -> AwsCost:
    bills = {ICEBERG: iceberg, PARQUET: parquet}
    modes = tuple(MonthlyCost(mode, usd, {"Glue": usd}) for mode, usd in bills.items())
    return AwsCost("1 tick a second", modes, "list prices", ("tax",))


def test_level_figures_decide_nothing() -> None:
    verdict = decide(comparison())
    assert verdict.headline == (
        "For this data: no measured figure decides. Choose by what only one of them can do."
    )
    assert [decider.better for decider in verdict.deciders] == [None, None, None]
    assert all("about as" in decider.sentence for decider in verdict.deciders)


def test_a_mode_that_is_ahead_is_told_with_how_far() -> None:
    verdict = decide(comparison(queries=queries(iceberg=1.1, parquet_projection=0.3)))
    answering, writing, read = verdict.deciders
    assert verdict.headline == (
        "For this data: Parquet is ahead in answering; no difference in writing and bytes read."
    )
    assert answering.better is PARQUET
    # Beyond the 0.1 s that opening a table takes in either.
    assert answering.values == {ICEBERG: pytest.approx(1.0), PARQUET: pytest.approx(0.2)}
    assert answering.sentence.startswith("Parquet answers a question about one hour 5\u00d7 faster")
    assert (writing.better, read.better) == (None, None)


def test_a_trade_names_both_sides() -> None:
    verdict = decide(
        comparison(
            queries=queries(iceberg=1.1), read_modes=read_modes(iceberg=5.0), cost=costs(100, 100)
        )
    )
    assert verdict.headline == (
        "For this data: Iceberg is ahead in writing, Parquet is ahead in answering; "
        "no difference in price on AWS."
    )


def test_prices_take_the_place_of_bytes_where_they_are_known() -> None:
    paying = decide(comparison(cost=costs(760.59, 841.84))).deciders[2]
    assert paying.title == "price on AWS"
    assert paying.shown == {ICEBERG: "$760.59 a month", PARQUET: "$841.84 a month"}
    assert paying.sentence == "Iceberg costs 10 % less on AWS, by the estimate below."


def test_modes_that_differ_are_not_ranked() -> None:
    parity = (TableParity("raw", 2), *(TableParity(table, 0) for table in TABLES[1:]))
    verdict = decide(comparison(parity=parity, queries=queries(iceberg=9.0)))
    assert verdict.headline == "The modes differ in raw: mend that first, then compare."


def test_modes_that_may_still_be_landing_are_not_called_broken() -> None:
    """Each delivery flushes when its own buffer is full: in between, the newest hour differs."""
    parity = tuple(TableParity(table, 1) for table in TABLES[:3])
    assert decide(comparison(parity=parity, settled=False)).headline == (
        "The modes differ in raw, aggregated_1m and aggregated_5m, which may still be landing: "
        "compare again once it has, and its hour is closed."
    )


def test_only_what_both_modes_were_asked_is_compared() -> None:
    """One whose plan is too large in one mode alone makes that mode no faster, and its bytes no fewer."""
    asked = list(queries(iceberg=0.5, parquet_projection=0.5))
    slow = replace(asked[0].one_hour, runs=(60.0,), planned_bytes=1 << 30, read_bytes=1000)
    not_run = replace(slow, runs=(), planned_bytes=(1 << 30) + 1, read_bytes=None)
    asked[:2] = [replace(asked[0], one_hour=slow), replace(asked[1], one_hour=not_run)]
    answering, _, read = decide(comparison(queries=tuple(asked))).deciders
    assert answering.values == dict.fromkeys(StorageMode, pytest.approx(0.4))
    assert (answering.better, read.better) == (None, None)
    assert read.values[PARQUET] - read.values[ICEBERG] == 1


def test_nothing_is_ranked_without_ticks() -> None:
    verdict = decide(comparison(lateness=(), queries=(), landings=NOT_MEASURED, read_modes=()))
    assert verdict.headline == "No ticks in these hours, so there is nothing to compare yet."
    assert all(not decider.values for decider in verdict.deciders)
    assert all(decider.sentence.startswith("Not measured. ") for decider in verdict.deciders)


def test_runs_over_other_hours_are_not_compared() -> None:
    """Ten times the ticks take longer in any mode."""
    for change in ({"ticks": 10_000}, {"start_us": HOUR_US - US_PER_HOUR}):
        modes = list(read_modes())
        modes[0] = replace(modes[0], runs=(candle_run(PARQUET, seconds=90.0, **change),))
        assert decide(comparison(read_modes=tuple(modes))).deciders[1].values == {}


def test_a_few_ticks_that_landed_twice_make_no_other_work() -> None:
    """As Firehose may land them in either mode."""
    modes = list(read_modes())
    modes[0] = replace(modes[0], runs=(candle_run(PARQUET, ticks=1005, seconds=90.0),))
    writing = decide(comparison(read_modes=tuple(modes), landings=NOT_MEASURED)).deciders[1]
    assert writing.values == {ICEBERG: 10.0, PARQUET: 90.0}
    assert writing.sentence == "Iceberg makes candles 9\u00d7 faster."


def test_landing_counts_by_the_ticks_of_the_run() -> None:
    """Half a millisecond a row, 1,000 rows; where no run has landed ticks in both modes, the job alone."""
    writing = decide(comparison()).deciders[1]
    assert writing.values == dict.fromkeys(StorageMode, pytest.approx(10.5))
    for landings in (NotMeasured("by Firehose"), (Landing(ICEBERG, 1, 1000, 60.0),)):
        alone = decide(comparison(landings=landings)).deciders[1]
        assert alone.values == dict.fromkeys(StorageMode, 10.0)
        assert "landing" not in alone.sentence


def test_small_data_is_called_small() -> None:
    large = tuple(TableStats(mode, "raw", 1, 1, 1 << 30, 1) for mode in StorageMode)
    assert "a thousand times as large" in (decide(comparison()).caveat or "")
    assert decide(comparison(tables=large)).caveat is None


@given(st.floats(0.1, 1000), st.floats(0.1, 1000))
def test_no_mode_is_favoured(one: float, other: float) -> None:
    """Figures that change places change the winner, and nothing else."""
    here, there = (
        decide(comparison(queries=queries(iceberg=a, parquet_projection=b))).deciders[0]
        for a, b in ((one, other), (other, one))
    )
    swapped = {None: None, ICEBERG: PARQUET, PARQUET: ICEBERG}
    assert there.better is swapped[here.better]
    if here.better:
        assert here.values[here.better] == min(here.values.values())
