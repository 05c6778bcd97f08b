"""What the late-data ledger enters and tells, state by state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dagster import AssetObservation
from hypothesis import example, given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, parse_instant
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.late_ledger import (
    MOST_FILES,
    Entry,
    HourFacts,
    LedgerState,
    decide,
    first_files,
    landed_late,
)
from tick_pipeline.orchestration.notifications import MOST_LISTED, from_cursor, to_cursor
from tick_pipeline.resources.landed import Landed, LandedFile
from tick_pipeline.storage import StorageMode

ICEBERG, _ = StorageMode
HOUR_US = parse_instant("2026-01-01T10:00:00Z")
NOW_US = HOUR_US + 4 * US_PER_HOUR
KEY = ("iceberg", HOUR_US)
MARKS = {ICEBERG: Mark("raw", 9)}
LATENESS = {"ticks": 600, "late_p50_seconds": 61.5, "max_seconds": 7200.0}


def hour(entry: Entry | None = None, **changes: Any) -> HourFacts:
    """An hour in which nothing landed after it had closed."""
    found = HourFacts(entry or Entry(), late=0, mends=0, mark=0, newest_mark=None, lateness=None)
    return replace(found, **changes)


def late_hour(entry: Entry | None = None, **changes: Any) -> HourFacts:
    """Three late ticks landed with mark 8, after a run had read up to 5."""
    return hour(
        entry,
        **{"late": 3, "mends": 3, "mark": 8, "newest_mark": 5, "lateness": LATENESS} | changes,
    )


def test_nothing_new() -> None:
    decision = decide(LedgerState({"iceberg": Mark("raw", 7)}), MARKS, {}, NOW_US)
    assert (decision.entries, decision.message) == ({}, None)
    assert decision.state == decision.untold == LedgerState({"iceberg": Mark("raw", 9)})


def test_late_ticks_are_entered_and_told_once() -> None:
    decision = decide(LedgerState(), MARKS, {KEY: late_hour()}, NOW_US)
    entry = decision.entries[KEY]
    assert entry == Entry(3, 61.5, 7200.0, 600, waiting=3, waiting_mark=8, counted_to=8)
    assert decision.message is not None
    assert decision.message.subject == "ticks came late: iceberg 3"
    assert decision.message.text == (
        "iceberg 2026-01-01-10:00: 3 landed after the hour had closed, 3 in all; its late ticks came 62 s (median) to "
        "7,200 s after their time; 3 records wait for the hour's next run"
    )
    assert decision.state.waiting == (KEY,)
    again = decide(decision.state, MARKS, {KEY: hour(entry, newest_mark=5)}, NOW_US)
    assert (again.entries, again.message, again.state.waiting) == ({}, None, (KEY,))


def test_what_was_not_told_is_told_by_a_later_look_with_what_came_since() -> None:
    """It is entered all the same, and counted once."""
    first = decide(LedgerState(), MARKS, {KEY: late_hour()}, NOW_US)
    entry = first.entries[KEY]
    assert (first.untold.untold, first.untold.waiting, first.untold.told_us) == (
        ((*KEY, 3),),
        (KEY,),
        None,
    )
    assert first.untold.hours == {KEY}
    again = decide(first.untold, MARKS, {KEY: hour(entry, newest_mark=5)}, NOW_US)
    assert (again.entries, again.message) == ({}, first.message)
    more = late_hour(entry, late=1, mends=1, mark=9)
    second = decide(again.untold, MARKS, {KEY: more}, NOW_US)
    assert second.message is not None
    assert second.message.subject == "ticks came late: iceberg 4"
    assert second.entries[KEY].late == 4
    assert (second.state.untold, second.state.told_us) == ((), NOW_US)


def test_what_comes_within_an_hour_of_a_message_is_one_more() -> None:
    """A trickle of late ticks is no flood."""
    state, entry = LedgerState(), Entry()
    told: list[str] = []
    for minute in range(121):
        facts = late_hour(entry, late=1, mark=8 + minute)
        decision = decide(state, MARKS, {KEY: facts}, NOW_US + minute * US_PER_MINUTE)
        state, entry = decision.state, decision.entries[KEY]
        told += [decision.message.subject] if decision.message else []
    assert told == [f"ticks came late: iceberg {number}" for number in (1, 60, 60)]


def test_of_a_mode_that_was_switched_off_nothing_is_told() -> None:
    decision = decide(LedgerState(untold=((*KEY, 3),)), {}, {}, NOW_US)
    assert (decision.message, decision.state.untold) == (None, ())


def test_a_run_that_read_them_makes_them_repairs() -> None:
    """Silently: nothing new is late."""
    entry = Entry(late=3, waiting=3, waiting_mark=8, counted_to=8)
    decision = decide(LedgerState(waiting=(KEY,)), MARKS, {KEY: hour(entry, newest_mark=8)}, NOW_US)
    repaired = decision.entries[KEY]
    assert (repaired.repaired, repaired.waiting, repaired.late) == (3, 0, 3)
    assert (decision.message, decision.state.waiting) == (None, ())


def test_late_ticks_that_a_run_had_read_before_the_look_are_repairs_at_once() -> None:
    decision = decide(LedgerState(), MARKS, {KEY: late_hour(newest_mark=8)}, NOW_US)
    assert (decision.entries[KEY].repaired, decision.entries[KEY].waiting) == (3, 0)


def test_more_late_ticks_of_an_hour_add_up() -> None:
    entry = Entry(late=3, repaired=3, counted_to=6)
    decision = decide(LedgerState(), MARKS, {KEY: late_hour(entry, late=1, mends=2)}, NOW_US)
    found = decision.entries[KEY]
    assert (found.late, found.repaired, found.waiting) == (4, 3, 2)
    assert decision.message is not None
    assert "1 landed after the hour had closed, 4 in all" in decision.message.text


def test_an_hour_that_was_never_run_has_nothing_to_repair() -> None:
    decision = decide(LedgerState(), MARKS, {KEY: late_hour(mends=0, newest_mark=None)}, NOW_US)
    assert (decision.entries[KEY].late, decision.entries[KEY].waiting) == (3, 0)
    assert decision.state.waiting == ()


def test_a_replay_is_not_late() -> None:
    """It lands after its hours had closed, with no lateness: no entry, nothing to tell."""
    decision = decide(LedgerState(), MARKS, {KEY: hour(mark=8)}, NOW_US)
    assert (decision.entries, decision.message) == ({}, None)


def test_a_message_is_a_digest() -> None:
    hours = {("iceberg", HOUR_US + n * US_PER_HOUR): late_hour() for n in range(MOST_LISTED + 5)}
    message = decide(LedgerState(), MARKS, hours, NOW_US).message
    assert message is not None
    lines = message.text.splitlines()
    assert len(lines) == MOST_LISTED + 1
    assert lines[-1] == "and 5 hours more: the query lateness"


def test_an_entry_reads_back_from_its_observation() -> None:
    entry = Entry(3, 61.5, 7200.0, 600, 1, 2, 8, 9, "raw")
    observed = AssetObservation("raw", metadata=entry.to_metadata())
    assert Entry.from_metadata(observed.metadata) == entry
    other = AssetObservation("raw", metadata={"rows": 3})
    assert Entry.from_metadata(other.metadata) is None


def test_the_cursor_keeps_the_state() -> None:
    state = LedgerState({"iceberg": Mark("raw", 7)}, (KEY,))
    assert from_cursor(LedgerState, to_cursor(state)) == state


def test_only_files_that_landed_after_the_closing_count() -> None:
    """One whose snapshot has expired cannot tell when it landed."""
    times = (HOUR_US + 4, HOUR_US + 5, HOUR_US + 6, None)
    files = [LandedFile(HOUR_US, n, at_us, str(n)) for n, at_us in enumerate(times)]
    assert [file.mark for file in landed_late(files, 5)] == [1, 2]


@example([*range(1, 61)] * 5)
@example([7] * 2 * MOST_FILES + [3, 9])
@given(st.lists(st.integers(1, 60), max_size=4 * MOST_FILES))
def test_a_look_reads_few_files_and_all_are_read_in_the_end(marks: list[int]) -> None:
    """Each once, those of one mark together, whatever order they are told in."""
    files = [LandedFile(HOUR_US, mark, mark, f"{n}") for n, mark in enumerate(marks)]
    seen: list[LandedFile] = []
    since = Mark("raw", 0)
    while since.number < 99:
        left = tuple(file for file in files if file.mark > since.number)
        found, since = first_files(Landed(left, Mark("raw", 99)))
        seen += found
        assert len(found) <= MOST_FILES + max((marks.count(mark) for mark in marks), default=0)
    assert sorted(seen, key=lambda file: file.path) == sorted(files, key=lambda file: file.path)
