"""Which hours are asked for after something landed, state by state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, parse_instant
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.landed_hours import (
    MOST_RUNS,
    MOST_TRIES,
    RETRY_SECONDS,
    Decision,
    Due,
    Facts,
    HoursState,
    Rules,
    decide,
    due_hours,
    ripe,
)
from tick_pipeline.orchestration.notifications import from_cursor, to_cursor
from tick_pipeline.resources.landed import Landed, LandedFile
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode

ICEBERG, PARQUET = StorageMode
HOUR_US = parse_instant("2026-01-01T10:00:00Z")
NOW_US = HOUR_US + 2 * US_PER_HOUR
OHLC, ANOMALIES = ("ohlc_batch", HOUR_US), ("anomaly_batch", HOUR_US)
RULES = Rules(
    close_after_us=10 * US_PER_MINUTE, first_hour_us=HOUR_US - 5 * US_PER_HOUR, reach_hours=0
)


def marks(iceberg: int | None = None, parquet: int | None = None) -> dict[str, Mark]:
    """Of tables that have the names of their modes."""
    numbers = {"iceberg": iceberg, "parquet_projection": parquet}
    return {mode: Mark(mode, number) for mode, number in numbers.items() if number is not None}


def landed(
    *files: tuple[int, int],
    mark: int | None = None,
    warning: str | None = None,
    table: str = "iceberg",
) -> Landed:
    """Files as (hour, mark)."""
    found = tuple(LandedFile(hour_us, at, at, f"{hour_us}-{at}") for hour_us, at in files)
    newest = max((file.mark for file in found), default=0) if mark is None else mark
    return Landed(found, Mark(table, newest), warning)


NOTHING = landed(table="parquet_projection")


def facts(iceberg: Landed | None = None, **changes: Any) -> Facts:
    """Facts of a moment at which everything has been delivered and nothing runs."""
    known = Facts(
        now_us=NOW_US,
        landed={ICEBERG: iceberg or landed(), PARQUET: NOTHING},
        read={},
        under_way=(),
        delivered_until_us={ICEBERG: NOW_US, PARQUET: NOW_US},
    )
    return replace(known, **changes)


def read(mark: int) -> dict[tuple[str, int], dict[str, Mark]]:
    """Both jobs ran for the hour when raw had this mark."""
    return {OHLC: marks(mark), ANOMALIES: marks(mark)}


def asked(decision: Decision) -> list[tuple[str, int]]:
    return [item.key for item in decision.requests]


@pytest.fixture
def waiting() -> HoursState:
    """An hour in which something landed with mark 7, and that nobody was asked for yet."""
    due = (Due(*OHLC, marks(7)), Due(*ANOMALIES, marks(7)))
    return HoursState(marks(7, 0), due)


def test_first_look() -> None:
    """What is there already and was never aggregated is asked for, both jobs."""
    decision = decide(HoursState(), facts(landed((HOUR_US, 3), (HOUR_US, 7))), RULES)
    assert asked(decision) == [OHLC, ANOMALIES]
    assert decision.requests[0].run_key == "ohlc_batch 2026-01-01-10:00 iceberg=7 try 1"
    assert decision.state.marks == marks(7, 0)
    assert decision.warnings == []


def test_nothing_new() -> None:
    decision = decide(HoursState(), facts(), RULES)
    assert (decision.requests, decision.state.due) == ([], ())
    assert decision.summary == "nothing landed since the last look"


def test_late_hour() -> None:
    """An hour that was aggregated and got something since is asked for; one that was read whole is not."""
    late = landed((HOUR_US, 9), (HOUR_US - US_PER_HOUR, 8))
    earlier = {(job, HOUR_US - US_PER_HOUR): marks(8) for job, _ in (OHLC, ANOMALIES)}
    decision = decide(HoursState(marks(7)), facts(late, read=read(7) | earlier), RULES)
    assert asked(decision) == [OHLC, ANOMALIES]
    assert decision.summary == "runs of hours: 2 up to date, 2 asked for"


def test_either_mode_alone_makes_an_hour_due() -> None:
    both = {OHLC: marks(7, 4), ANOMALIES: marks(7)}
    found = {
        ICEBERG: landed((HOUR_US, 7)),
        PARQUET: landed((HOUR_US, 5), table="parquet_projection"),
    }
    assert asked(decide(HoursState(), facts(landed=found, read=both), RULES)) == [OHLC, ANOMALIES]
    done = {key: marks(7, 5) for key in both}
    assert asked(decide(HoursState(), facts(landed=found, read=done), RULES)) == []


def test_an_hour_that_is_a_partition_no_more_is_forgotten(waiting: HoursState) -> None:
    """PARTITIONS_START was set later: a request for it would end every look with an error."""
    later = replace(RULES, first_hour_us=HOUR_US + US_PER_HOUR)
    decision = decide(waiting, facts(), later)
    assert (decision.requests, decision.state.due) == ([], ())


def test_a_run_by_hand_counts(waiting: HoursState) -> None:
    decision = decide(waiting, facts(read={OHLC: marks(7)}), RULES)
    assert asked(decision) == [ANOMALIES]


@pytest.mark.parametrize(
    "changes",
    [
        {"now_us": HOUR_US + US_PER_HOUR + RULES.close_after_us - 1},
        {"delivered_until_us": {ICEBERG: NOW_US, PARQUET: HOUR_US + US_PER_HOUR}},
        {"delivered_until_us": {}},
    ],
    ids=["not over for long enough", "one mode is behind", "nobody can tell"],
)
def test_an_open_hour_waits(waiting: HoursState, changes: dict[str, Any]) -> None:
    decision = decide(waiting, facts(**changes), RULES)
    assert (asked(decision), decision.state.due) == ([], waiting.due)
    assert decision.summary == "runs of hours: 2 open or not delivered"


def test_only_hours_that_are_over_need_more_facts(waiting: HoursState) -> None:
    assert ripe(list(waiting.due), RULES, NOW_US) == list(waiting.due)
    assert ripe(list(waiting.due), RULES, RULES.closes_us(HOUR_US) - 1) == []


def test_an_hour_with_a_run_under_way_is_not_asked_for_again(waiting: HoursState) -> None:
    decision = decide(waiting, facts(under_way={OHLC}), RULES)
    assert asked(decision) == [ANOMALIES]
    assert {item.key for item in decision.state.due} == {OHLC, ANOMALIES}


def test_what_lands_while_a_run_reads_is_asked_for_after_it(waiting: HoursState) -> None:
    """The run read up to mark 7; 8 landed while it was under way."""
    first = decide(waiting, facts(), RULES)
    during = decide(first.state, facts(landed((HOUR_US, 8)), under_way={OHLC, ANOMALIES}), RULES)
    assert asked(during) == []
    after = decide(during.state, facts(read=read(7)), RULES)
    assert [item.run_key for item in after.requests] == [
        "ohlc_batch 2026-01-01-10:00 iceberg=8 try 1",
        "anomaly_batch 2026-01-01-10:00 iceberg=8 try 1",
    ]
    assert decide(after.state, facts(read=read(8)), RULES).state.due == ()


def test_a_failed_run_is_tried_again_only_so_often(waiting: HoursState) -> None:
    """Each try has a run key of its own, later; then a person is told, at each look, until somebody runs it."""
    state, at_us = waiting, NOW_US
    keys: list[str] = []
    for _ in range(MOST_TRIES):
        decision = decide(state, facts(now_us=at_us), RULES)
        assert decision.warnings == []
        keys += [item.run_key for item in decision.requests]
        soon = decide(decision.state, facts(now_us=at_us + US_PER_MINUTE), RULES)
        assert asked(soon) == []
        state, at_us = soon.state, at_us + RETRY_SECONDS * US_PER_SECOND
    assert len(set(keys)) == 2 * MOST_TRIES
    given_up = decide(state, facts(now_us=at_us), RULES)
    assert asked(given_up) == []
    assert "ohlc_batch of 2026-01-01-10:00 was run 3 times" in given_up.warnings[0]
    assert decide(given_up.state, facts(read=read(7)), RULES).state.due == ()
    fresh = decide(given_up.state, facts(landed((HOUR_US, 8)), now_us=at_us), RULES)
    assert asked(fresh) == [OHLC, ANOMALIES]


def test_backlog() -> None:
    """The oldest hours first; the others wait in the cursor, and none is lost."""
    hours = [HOUR_US - number * US_PER_HOUR for number in range(MOST_RUNS)]
    rules = replace(RULES, first_hour_us=min(hours))
    decision = decide(HoursState(), facts(landed(*((hour, 7) for hour in hours))), rules)
    assert len(decision.requests) == MOST_RUNS
    assert max(item.hour_us for item in decision.requests) == sorted(hours)[MOST_RUNS // 2 - 1]
    assert len(decision.state.due) == 2 * MOST_RUNS
    busy = facts(under_way={item.key for item in decision.requests})
    assert asked(decide(decision.state, busy, rules)) == []
    done = {item.key: marks(7) for item in decision.requests}
    rest = decide(decision.state, facts(read=done), rules)
    assert set(asked(rest)) | set(done) == {item.key for item in decision.state.due}


def test_hours_before_the_partitions_are_told_and_not_asked_for() -> None:
    old_us = RULES.first_hour_us - US_PER_HOUR
    decision = decide(HoursState(), facts(landed((old_us, 7))), replace(RULES, reach_hours=0))
    assert (decision.requests, decision.state.due) == ([], ())
    [told] = decision.warnings
    assert "iceberg: ticks landed in 1 hours that are no partitions" in told
    assert "2026-01-01T04:00:00Z" in told


def test_hours_of_a_clock_that_is_ahead_are_told_and_not_kept() -> None:
    """Or the cursor would grow by each of them, until they come."""
    ahead_us = HOUR_US + 1000 * US_PER_HOUR
    decision = decide(HoursState(), facts(landed((ahead_us, 7))), RULES)
    assert (decision.requests, decision.state.due) == ([], ())
    [told] = decision.warnings
    assert "of a clock that is ahead" in told


def test_expired_cursor() -> None:
    """What the look-back found is asked for, and why it may not be all is told."""
    found = landed((HOUR_US, 7), mark=9, warning="snapshots have expired")
    decision = decide(HoursState(marks(1)), facts(found), RULES)
    assert asked(decision) == [OHLC, ANOMALIES]
    assert decision.warnings == ["iceberg: snapshots have expired"]
    assert decision.state.marks["iceberg"] == Mark("iceberg", 9)


def test_anomalies_of_the_hours_after_need_the_late_tick_too() -> None:
    """Their baselines reach two windows back."""
    next_hour = ("anomaly_batch", HOUR_US + US_PER_HOUR)
    rules = replace(RULES, reach_hours=1)
    now_us = NOW_US + US_PER_HOUR
    late = facts(
        landed((HOUR_US, 7)), now_us=now_us, delivered_until_us={ICEBERG: now_us, PARQUET: now_us}
    )
    assert asked(decide(HoursState(), late, rules)) == [OHLC, ANOMALIES, next_hour]
    settings = load_settings(_env_file=None)
    assert Rules.of(settings, 0).reach_hours == 1
    assert Rules.of(settings.model_copy(update={"anomaly_window_minutes": 31}), 0).reach_hours == 2


def test_a_mode_that_was_switched_off_is_forgotten(waiting: HoursState) -> None:
    only = facts(landed={PARQUET: NOTHING}, delivered_until_us={PARQUET: NOW_US})
    decision = decide(waiting, only, RULES)
    assert (decision.requests, decision.state.due) == ([], ())


def test_a_table_that_was_made_anew_is_read_again(waiting: HoursState) -> None:
    """What runs read of the old one, by greater numbers, says nothing; and its run keys are not used twice."""
    anew = facts(landed((HOUR_US, 3), table="another"), read=read(500))
    first = decide(waiting, anew, RULES)
    assert [item.run_key for item in first.requests] == [
        "ohlc_batch 2026-01-01-10:00 another=3 try 1",
        "anomaly_batch 2026-01-01-10:00 another=3 try 1",
    ]
    done = {key: {"iceberg": Mark("another", 3)} for key in (OHLC, ANOMALIES)}
    after = decide(first.state, facts(landed(mark=3, table="another"), read=done), RULES)
    assert (after.requests, after.state.due) == ([], ())


def test_hours_of_a_table_that_is_gone_are_forgotten(waiting: HoursState) -> None:
    """No run of theirs could ever read what landed in it."""
    decision = decide(waiting, facts(landed(table="another")), RULES)
    assert (decision.requests, decision.state.due) == ([], ())


def test_the_cursor_keeps_the_state(waiting: HoursState) -> None:
    assert from_cursor(HoursState, to_cursor(waiting)) == waiting
    assert from_cursor(HoursState, "nonsense") is None


LANDINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=12)


@given(LANDINGS, st.data())
def test_every_landing_is_read_by_a_run_that_began_after_it(
    landings: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever lands when, and whichever runs fail: in the end nothing is due, and each hour was read whole.

    A landing is (hour, looks until the next one); runs read all up to the mark of their start.
    """
    state, mark, at_us = HoursState(), 0, NOW_US + 10 * US_PER_HOUR
    done: dict[tuple[str, int], dict[str, Mark]] = {}
    newest: dict[int, int] = {}

    def look(files: list[tuple[int, int]], *, may_fail: bool) -> None:
        nonlocal state, at_us
        at_us += RETRY_SECONDS * US_PER_SECOND
        until = {ICEBERG: at_us, PARQUET: at_us}
        now = facts(
            landed(*files, mark=mark), read=dict(done), now_us=at_us, delivered_until_us=until
        )
        decision = decide(state, now, RULES)
        keys = [item.run_key for item in decision.requests]
        assert len(set(keys)) == len(keys)
        state = decision.state
        for item in decision.requests:
            if not (may_fail and item.tries < MOST_TRIES and data.draw(st.booleans())):
                done[item.key] = marks(mark)

    for number, looks in landings:
        mark += 1
        hour_us = HOUR_US + number * US_PER_HOUR
        newest[hour_us] = mark
        look([(hour_us, mark)], may_fail=True)
        for _ in range(looks - 1):
            look([], may_fail=True)
    for _ in range(MOST_TRIES):
        look([], may_fail=False)
    look([], may_fail=False)
    assert state.due == ()
    for hour_us, wanted in newest.items():
        for job, _ in (OHLC, ANOMALIES):
            assert done[job, hour_us]["iceberg"].number >= wanted


@given(LANDINGS)
def test_an_hour_is_due_for_its_newest_landing(landings: list[tuple[int, int]]) -> None:
    """In whatever order files are told."""
    files = [(HOUR_US + number * US_PER_HOUR, mark) for number, mark in landings]
    due = due_hours(HoursState(), {ICEBERG: landed(*files)}, RULES, NOW_US)
    assert {item.hour_us: item.marks["iceberg"].number for item in due} == {
        hour_us: max(mark for other, mark in files if other == hour_us) for hour_us, _ in files
    }
