"""Alerts against injected events: what is inside, what is outside, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from tick_pipeline.errors import WorkError
from tick_pipeline.evaluation.matching import (
    InjectedEvent,
    check_apart,
    injected_events,
    match,
)

US = 1_000_000
#: A crash of A from second 100 to 145; its next tick comes two seconds later.
CRASH = InjectedEvent("flash_crash", "A", 100 * US, 145 * US, 147 * US, -12.0)
SPIKE = InjectedEvent("spike", "A", 900 * US, 900 * US, 901 * US, 8.0)
HALT = InjectedEvent("halt", "B", 300 * US, 480 * US, 483 * US, None)


def alert(symbol: str, at_us: int) -> dict[str, Any]:
    """What is looked at in a row of the table anomalies."""
    return {"symbol": symbol, "event_us": at_us, "event_id": f"{symbol}@{at_us}"}


@pytest.mark.parametrize(
    ("at_us", "found"),
    [
        (100 * US - 1, False),
        (100 * US, True),
        (145 * US, True),
        (145 * US + 1, True),
        (147 * US, True),
        (147 * US + 1, False),
    ],
    ids=["before", "at its start", "at its end", "between", "one tick after", "after that"],
)
def test_an_alert_is_true_from_the_start_to_one_tick_after_the_end(at_us: int, found: bool) -> None:
    matching = match([CRASH], [alert("A", at_us)])
    assert (matching.true_alerts, matching.false_alerts) == (int(found), int(not found))
    assert matching.outcomes[0].found is found
    assert matching.recall(8) == float(found)


def test_an_alert_of_another_symbol_is_false() -> None:
    matching = match([CRASH], [alert("B", 120 * US)])
    assert (matching.true_alerts, matching.false_alerts) == (0, 1)
    assert matching.precision == 0


def test_an_event_with_two_alerts_is_found_once_by_the_first() -> None:
    """However the alerts come."""
    matching = match([CRASH, SPIKE], [alert("A", 130 * US), alert("A", 101 * US)])
    crash, spike = matching.outcomes
    assert (crash.alerts, crash.first_alert_id, crash.delay_seconds) == (2, "A@101000000", 1.0)
    assert (spike.found, spike.first_alert_id, spike.delay_seconds) == (False, None, None)
    assert (matching.recall(8), matching.precision) == (0.5, 1.0)


def test_without_alerts_there_is_no_precision_and_without_events_no_recall() -> None:
    assert match([CRASH], []).precision is None
    assert match([], [alert("A", 1)]).recall(8) is None


def test_recall_counts_events_of_the_size_in_either_direction_and_no_halts() -> None:
    small = InjectedEvent("spike", "A", 2000 * US, 2000 * US, 2001 * US, -7.9)
    matching = match([CRASH, SPIKE, small, HALT], [alert("A", 100 * US), alert("A", 900 * US)])
    assert matching.recall(8) == 1
    assert matching.recall(7) == pytest.approx(2 / 3)


def test_the_jump_with_which_a_halt_ends_is_the_halts() -> None:
    matching = match([HALT], [alert("B", 483 * US)])
    assert matching.true_alerts == 1
    assert matching.outcomes[0].delay_seconds == 183


def test_an_alert_in_two_intervals_is_the_later_events() -> None:
    """The tick that closes one event can open the next."""
    opened = InjectedEvent("spike", "A", 147 * US, 147 * US, 148 * US, 9.0)
    crash, spike = match([CRASH, opened], [alert("A", 147 * US)]).outcomes
    assert (crash.found, spike.found) == (False, True)


def test_events_are_read_from_labels_and_close_at_the_next_tick() -> None:
    labels = [
        {"kind": "run", "source": "sim-1"},
        {"kind": "spike", "symbol": "A", "start_us": 900, "end_us": 900, "size_sigmas": 8.5},
        {"kind": "late", "event_id": "a", "symbol": "A", "event_ts": 5},
        {"kind": "halt", "symbol": "A", "start_us": 100, "end_us": 200},
    ]
    after = {200: 207, 900: None}
    found = injected_events(labels, lambda _, at_us: after[at_us])
    assert found == [
        InjectedEvent("halt", "A", 100, 200, 207, None),
        InjectedEvent("spike", "A", 900, 900, 900, 8.5),
    ]


def test_events_too_close_to_measure_by_are_refused() -> None:
    """Of one symbol; others may do as they like."""
    near = InjectedEvent("spike", "A", 744 * US, 744 * US, 745 * US, 9.0)
    check_apart([CRASH, SPIKE, HALT], 600)
    with pytest.raises(WorkError, match="599 s apart"):
        check_apart([CRASH, near], 600)
