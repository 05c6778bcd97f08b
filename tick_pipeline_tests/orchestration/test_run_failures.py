"""Which failed runs are told at a look, state by state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE
from tick_pipeline.orchestration.notifications import Message, from_cursor, to_cursor
from tick_pipeline.orchestration.run_failures import FailureState, RunFailure, decide

NOW_US = 1_780_000_000_000_000
FAILURE = RunFailure(
    run_id="4711",
    job="ohlc_batch",
    partitions="2026-05-28-19:00",
    step="iceberg_candles",
    error="no memory for 2026-05-28-19:00 in /tmp/3f2a91bc",
    failed_us=NOW_US,
)
AGAIN = replace(FAILURE, run_id="4712", error="no memory for 2026-05-28-20:00 in /tmp/00ff91bc")
OTHER = replace(FAILURE, run_id="4713", error="the disk is full")
ELSEWHERE = replace(FAILURE, run_id="4714", job="anomaly_batch")
START = FailureState(after_id=7)


def look(
    state: FailureState, *failures: RunFailure, at_us: int = NOW_US
) -> tuple[Message | None, FailureState]:
    decision = decide(state, failures, state.after_id + len(failures), at_us)
    kept = from_cursor(FailureState, to_cursor(decision.state))
    assert kept is not None
    assert kept == decision.state
    return decision.message, kept


def subject(message: Message | None) -> str | None:
    return message.subject if message else None


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ((), None),
        ((FAILURE,), f"ohlc_batch failed: {FAILURE.error}"),
        ((FAILURE, AGAIN), f"ohlc_batch failed 2 times: {AGAIN.error}"),
        ((FAILURE, OTHER), "2 runs failed: ohlc_batch"),
        ((FAILURE, AGAIN, ELSEWHERE), "3 runs failed: anomaly_batch, ohlc_batch"),
    ],
)
def test_what_failed_since_the_last_look_is_one_message(
    failures: tuple[RunFailure, ...], says: str | None
) -> None:
    message, state = look(START, *failures)
    assert subject(message) == says
    assert state.after_id == START.after_id + len(failures)
    assert subject(look(state)[0]) is None


def test_a_message_has_what_one_needs_to_act() -> None:
    decision = decide(START, [FAILURE], 8, NOW_US, dagster_url="http://127.0.0.1:3000/")
    assert decision.message is not None
    assert decision.message.text.splitlines() == [
        "ohlc_batch failed, at 2026-05-28T20:26:40Z",
        "  error: no memory for 2026-05-28-19:00 in /tmp/3f2a91bc",
        "  step: iceberg_candles",
        "  partitions: 2026-05-28-19:00",
        "  run: 4711  http://127.0.0.1:3000/runs/4711",
        (
            "  next: `tick-pipeline doctor` says what is wrong; once it is mended, re-execute the run: "
            "a run can be repeated at any time"
        ),
    ]


def test_a_run_without_partition_or_step_says_so() -> None:
    message, _ = look(START, replace(FAILURE, partitions="", step=""))
    assert message is not None
    assert "  partitions: none\n  run: 4711\n" in message.text
    assert "  step: none: the run itself failed\n" in message.text


def test_the_same_failure_within_an_hour_is_told_after_it_as_a_number() -> None:
    """Hours, numbers and ids do not make an error another one."""
    _, state = look(START, FAILURE)
    for minute in (1, 2, 59):
        at_us = NOW_US + minute * US_PER_MINUTE
        message, state = look(state, replace(AGAIN, failed_us=at_us), at_us=at_us)
        assert message is None
    message, state = look(state, at_us=NOW_US + US_PER_HOUR)
    assert message is not None
    assert message.subject == f"ohlc_batch failed 3 times: {AGAIN.error}"
    assert "since 2026-05-28T20:27:40Z" in message.text
    assert "newest run: 4712" in message.text
    message, state = look(state, at_us=NOW_US + 2 * US_PER_HOUR)
    assert (message, state.repeated) == (None, ())


def test_another_error_or_job_is_told_at_once() -> None:
    _, state = look(START, FAILURE)
    message, state = look(state, AGAIN, OTHER, at_us=NOW_US + US_PER_MINUTE)
    assert subject(message) == "ohlc_batch failed: the disk is full"
    message, _ = look(state, ELSEWHERE, at_us=NOW_US + US_PER_MINUTE)
    assert subject(message) == f"anomaly_batch failed: {FAILURE.error}"


def test_a_thousand_failures_fit_one_message_and_the_cursor() -> None:
    _, state = look(START, FAILURE)
    many = [replace(AGAIN, run_id=str(run), partitions=f"hour {run}") for run in range(1000)]
    _, state = look(state, *many)
    assert len(to_cursor(state)) < 10_000
    message, _ = look(state, at_us=NOW_US + US_PER_HOUR)
    assert message is not None
    assert "failed 1,000 times" in message.subject
    assert "hour 999, and 980 before" in message.text


def test_what_was_not_told_is_decided_anew() -> None:
    """A message that did not get through leaves the state as it was."""
    first = decide(START, [FAILURE], 8, NOW_US)
    second = decide(START, [FAILURE, AGAIN], 9, NOW_US + US_PER_MINUTE)
    assert subject(first.message) == f"ohlc_batch failed: {FAILURE.error}"
    assert subject(second.message) == f"ohlc_batch failed 2 times: {AGAIN.error}"


@pytest.mark.parametrize("cursor", [None, "", "7", "{}", '{"after_id": "x"}', "no JSON"])
def test_a_cursor_of_none_of_ours_is_none(cursor: str | None) -> None:
    assert from_cursor(FailureState, cursor) is None
