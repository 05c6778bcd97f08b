"""A market from the simulator to its alerts, in memory."""

from __future__ import annotations

import pytest

from tick_pipeline.errors import ScenarioError
from tick_pipeline.evaluation.cases import case_names, find_case
from tick_pipeline.evaluation.defaults import EVALUATION_DAY_US, seed_starts_us
from tick_pipeline.evaluation.matching import match
from tick_pipeline.evaluation.quality import qualities, targets_of
from tick_pipeline.evaluation.run import MarketRun, RunSize, run_market
from tick_pipeline.event_time import parse_instant
from tick_pipeline.producer.scenarios import SCENARIOS
from tick_pipeline.spark.scoring_rules import ScoringRules

#: Three symbols for twenty minutes: each has an event after ten.
SHORT = RunSize(EVALUATION_DAY_US, 1200, 15)


def market(name: str, **changes: object) -> MarketRun:
    return run_market(find_case(name, 3), 1, SHORT, ScoringRules(**changes))  # pyright: ignore[reportArgumentType]


def test_spikes_are_injected_scored_and_found() -> None:
    run = market("spikes")
    assert run.ticks == pytest.approx(18_000, rel=0.05)
    assert (run.late, run.duplicates) == (0, 0)
    assert len(run.events) >= 3
    assert all(event.is_at_least(8) for event in run.events)
    assert all(event.closes_us > event.end_us for event in run.events)
    assert match(run.events, run.alerts).recall(8) == 1


def test_late_ticks_copies_and_bad_records_are_what_they_are() -> None:
    """Not scored, scored once, and no ticks: with real arrival, shard by shard."""
    run = market("mixed")
    assert run.late > 0
    assert run.duplicates > 0
    assert run.ticks == pytest.approx(18_000, rel=0.1)


def test_a_run_repeats_itself() -> None:
    """The names of the ticks are new with each run; nothing else is."""

    def alerts(run: MarketRun) -> list[tuple[object, ...]]:
        return [(row["symbol"], row["event_us"], row["zscore"]) for row in run.alerts]

    first, second = market("flash_crash", threshold=4.0), market("flash_crash", threshold=4.0)
    assert alerts(first) == alerts(second)
    assert first.events == second.events


def test_a_higher_threshold_is_a_filter_on_the_scores_of_a_lower() -> None:
    """So one pass of the kernel measures them all."""
    low = qualities("mixed", [market("mixed", threshold=3.0)], ("return",), (3.0, 6.0))
    high = qualities("mixed", [market("mixed", threshold=6.0)], ("return",), (6.0,))
    assert low[1] == high[0]
    assert low[0].alerts > low[1].alerts


def test_every_seed_counts_and_delay_is_that_of_the_sized_events() -> None:
    run = market("mixed")
    one, three = (
        qualities("mixed", runs, ("return",), (5.0,))[0] for runs in ([run], [run, run, run])
    )
    assert three.ticks == 3 * one.ticks
    assert three.alerts == 3 * one.alerts
    assert three.found_events == 3 * one.found_events
    assert (three.recall, three.precision) == (one.recall, one.precision)
    # The halts' alerts come minutes after their start, when they reopen.
    assert one.delay_max_seconds is not None
    assert one.delay_max_seconds < 60


def test_a_target_that_nothing_was_measured_for_does_not_hold() -> None:
    empty = MarketRun(0, 0, 0, [], [])
    found = [*qualities("steady", [empty], ("return",), (5.0,))]
    found += qualities("spikes", [empty], ("return",), (5.0,))
    assert [target.holds for target in targets_of(found)] == [False, False]


def test_only_the_default_metric_and_threshold_have_targets() -> None:
    found = qualities("steady", [market("steady")], ("price", "return", "volume"), (4.0, 5.0))
    assert [(target.measure, target.wanted) for target in targets_of(found)] == [
        ("alerts_per_million", "<= 20")
    ]


def test_the_windows_of_the_seeds_are_spread_over_one_day() -> None:
    """The figures are those of a day, not of its busiest hour."""
    assert seed_starts_us(5) == [
        parse_instant(f"2026-01-05T{time}:00Z")
        for time in ("00:00", "04:48", "09:36", "14:24", "19:12")
    ]
    assert seed_starts_us(1) == [EVALUATION_DAY_US]


def test_every_case_is_a_scenario_of_the_producer() -> None:
    assert {find_case(name, 2).scenario for name in case_names()} <= set(SCENARIOS)
    assert len(find_case("low_volatility", 12).traded) == 12


@pytest.mark.parametrize(("name", "symbols"), [("boom", 1), ("steady", 0), ("steady", 501)])
def test_a_wrong_case_is_refused(name: str, symbols: int) -> None:
    with pytest.raises(ScenarioError):
        find_case(name, symbols)
