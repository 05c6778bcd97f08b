"""What a look at the stream of anomalies decides, state by state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE
from tick_pipeline.orchestration.stream_watch import (
    MAX_RESTARTS_PER_HOUR,
    SILENT_SECONDS,
    Action,
    WatchState,
    decide,
)
from tick_pipeline.resources.stream_run import StreamRunStatus

NOW_US = 1_780_000_000_000_000
RUNS = StreamRunStatus(
    state="running",
    wanted=True,
    runner="4711",
    progress=None,
    heartbeat_seconds=0.5,
    behind=12,
    ended_us=None,
    reason=None,
)
RESTS = replace(RUNS, state="stopped", wanted=False, runner=None)
CRASHED = replace(RUNS, state="failed", runner=None, reason="it was killed")


@pytest.mark.parametrize(
    ("status", "action", "says"),
    [
        (RUNS, Action.NOTHING, "12 records behind"),
        (replace(RUNS, behind=None), Action.NOTHING, "it runs"),
        (replace(RUNS, wanted=False), Action.STOP, "not wanted"),
        (RESTS, Action.NOTHING, "not wanted"),
        (CRASHED, Action.START, "it was killed"),
        (replace(CRASHED, wanted=False), Action.NOTHING, "not wanted"),
        (replace(RESTS, wanted=True), Action.START, "does not run"),
    ],
)
def test_what_is_wanted_runs_and_what_is_not_does_not(
    status: StreamRunStatus, action: Action, says: str
) -> None:
    decision = decide(WatchState(), status, NOW_US)
    assert (decision.action, decision.alarm) == (action, False)
    assert says in decision.reason


def test_it_is_started_again_only_so_often_within_an_hour() -> None:
    """Then a person is called; an hour later it is tried again."""
    state, at_us = WatchState(), NOW_US
    for _ in range(MAX_RESTARTS_PER_HOUR):
        decision = decide(state, CRASHED, at_us)
        assert decision.action is Action.START
        state, at_us = decision.state, at_us + US_PER_MINUTE
    given_up = decide(state, CRASHED, at_us)
    assert (given_up.action, given_up.alarm) == (Action.NOTHING, True)
    assert "3 times within an hour" in given_up.reason
    assert decide(given_up.state, CRASHED, NOW_US + US_PER_HOUR).action is Action.START


def test_a_silent_process_is_an_alarm() -> None:
    silent = replace(RUNS, heartbeat_seconds=SILENT_SECONDS + 1)
    decision = decide(WatchState(), silent, NOW_US)
    assert (decision.action, decision.alarm) == (Action.NOTHING, True)
    assert "4711" in decision.reason


def test_the_cursor_keeps_the_state() -> None:
    state = WatchState((1, 2))
    assert WatchState.from_cursor(state.to_cursor()) == state
    assert WatchState.from_cursor(None) == WatchState()
