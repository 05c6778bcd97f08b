"""Which failed and recovered checks are told at a look, state by state."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE
from tick_pipeline.orchestration.failed_checks import CheckState, Evaluation, decide
from tick_pipeline.orchestration.notifications import Message, from_cursor, to_cursor

NOW_US = 1_780_000_000_000_000
START = CheckState(after_id=7)
TEN, ELEVEN = ("2026-05-28T10:00:00Z", "2026-05-28T11:00:00Z"), ("11", "12")
FAILS = Evaluation("iceberg/raw", "schema_drift", TEN, True, "column price: double", "4711")
PASSES = replace(FAILS, failed=False, description="", run_id="4712")
OTHER = replace(FAILS, asset="parquet_projection/raw")
NEXT_HOUR = replace(FAILS, window=ELEVEN)


def look(
    state: CheckState, *found: Evaluation, at_us: int = NOW_US
) -> tuple[Message | None, CheckState]:
    decision = decide(state, found, state.after_id + 1, at_us)
    kept = from_cursor(CheckState, to_cursor(decision.state))
    assert kept is not None
    assert kept == decision.state
    return decision.message, kept


def subject(message: Message | None) -> str | None:
    return message.subject if message else None


def test_checks_that_pass_are_not_told() -> None:
    message, state = look(START, PASSES)
    assert (message, state) == (None, CheckState(8))


def test_a_failed_check_is_told_once_with_what_one_needs_to_act() -> None:
    decision = decide(START, [FAILS], 8, NOW_US, dagster_url="http://127.0.0.1:3000")
    assert decision.message is not None
    assert decision.message.subject == "schema_drift of iceberg/raw fails"
    assert decision.message.text.splitlines()[:3] == [
        "schema_drift of iceberg/raw fails",
        "  2026-05-28T10:00:00Z .. 2026-05-28T11:00:00Z: column price: double",
        "    run 4711  http://127.0.0.1:3000/runs/4711",
    ]
    assert "docs/runbook.md" in decision.message.text
    again, state = look(decision.state, replace(FAILS, run_id="4713"))
    assert again is None
    assert look(state, FAILS, at_us=NOW_US + 2 * US_PER_HOUR)[0] is None


def test_several_checks_are_one_message() -> None:
    message, _ = look(START, FAILS, OTHER)
    assert message is not None
    assert message.subject == "2 checks fail"
    assert "schema_drift of iceberg/raw fails" in message.text
    assert "schema_drift of parquet_projection/raw fails" in message.text


def test_a_check_that_passes_again_is_told_once() -> None:
    _, state = look(START, FAILS)
    message, state = look(state, PASSES)
    assert subject(message) == "schema_drift of iceberg/raw recovered"
    assert look(state, PASSES)[0] is None


def test_what_failed_and_passed_between_two_looks_is_not_told() -> None:
    assert look(START, FAILS, PASSES)[0] is None
    _, state = look(START, FAILS)
    assert look(state, PASSES, FAILS)[0] is None


def test_other_hours_of_a_check_are_told_an_hour_later() -> None:
    _, state = look(START, FAILS)
    message, state = look(state, NEXT_HOUR, at_us=NOW_US + US_PER_MINUTE)
    assert message is None
    message, state = look(state, at_us=NOW_US + US_PER_HOUR)
    assert message is not None
    assert message.subject == "schema_drift of iceberg/raw fails"
    assert "11 .. 12: column price: double" in message.text
    assert TEN[0] not in message.text
    assert look(state, at_us=NOW_US + 3 * US_PER_HOUR)[0] is None


def test_a_check_recovers_when_no_hour_fails_any_more() -> None:
    _, state = look(START, FAILS, NEXT_HOUR)
    message, state = look(state, PASSES)
    assert message is None
    message, state = look(state, replace(PASSES, window=ELEVEN))
    assert subject(message) == "schema_drift of iceberg/raw recovered"


def test_a_run_over_more_hours_mends_what_lies_in_them() -> None:
    wide = replace(PASSES, window=("2026-05-28T08:00:00Z", "2026-05-28T12:00:00Z"))
    beside = replace(PASSES, window=("2026-05-28T11:00:00Z", "2026-05-28T12:00:00Z"))
    _, state = look(START, FAILS)
    message, state = look(state, beside)
    assert message is None
    assert subject(look(state, wide)[0]) == "schema_drift of iceberg/raw recovered"


def test_a_check_of_no_hours_fails_and_recovers_as_a_whole() -> None:
    now = replace(FAILS, window=())
    message, state = look(START, now)
    assert message is not None
    assert "  as of now: column price: double" in message.text
    assert look(state, PASSES)[0] is None
    assert look(state, replace(PASSES, window=()))[0] is not None


def test_failing_and_recovering_in_turn_is_no_flood() -> None:
    """Two messages an hour at most."""
    state, told = START, 0
    for minute in range(60):
        message, state = look(
            state, FAILS if minute % 2 == 0 else PASSES, at_us=NOW_US + minute * US_PER_MINUTE
        )
        told += message is not None
    assert told == 2


def test_hundreds_of_hours_fit_one_message_and_the_cursor() -> None:
    hours = [replace(FAILS, window=(f"{hour:03}", f"{hour + 1:03}")) for hour in range(300)]
    message, state = look(START, *hours)
    assert message is not None
    assert "299 .. 300" in message.text
    assert "  and 80 before" in message.text
    assert len(to_cursor(state)) < 20_000


@given(st.lists(st.booleans(), max_size=12))
def test_failed_and_recovered_are_told_in_turn(outcomes: list[bool]) -> None:
    """Whatever the order, and an hour later the last message is what is so."""
    state, told = START, list[bool]()
    for failed in outcomes:
        message, state = look(state, FAILS if failed else PASSES)
        told += [message.subject.endswith("fails")] if message else []
    message, state = look(state, at_us=NOW_US + US_PER_HOUR)
    told += [message.subject.endswith("fails")] if message else []
    assert told == [number % 2 == 0 for number in range(len(told))]
    assert told[-1:] == [True] or not any(outcomes[-1:])
