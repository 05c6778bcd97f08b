"""Whether data leaves the stream is judged by what waits, what failed, and which hours lack their candles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.doctor.leaving import judge
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE
from tick_pipeline_tests.doctor.facts import (
    DELIVER,
    HOUR_US,
    NO_ERRORS,
    NOW_US,
    ago,
    backlog,
    leaving,
    mode_leaving,
)

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Finding

WAITING = {"caught_up": False, "waiting_records": 100}


def of(subject: str, mode: Any, records: int | None = 1000) -> Finding:
    (found,) = (item for item in judge(leaving(mode, records)) if item.subject == subject)
    return found


def delivery(**changes: Any) -> Finding:
    return of("delivery", mode_leaving(backlog=backlog(**changes)))


@pytest.mark.parametrize(
    ("changes", "verdict", "told"),
    [
        ({}, "ok", "all that came has landed, 900 of 1,000 records"),
        # A process delivers: what is younger than two buffers is on its way.
        (WAITING | {"running": True, "oldest_us": ago(100)}, "ok", "100 records on the way"),
        (WAITING | {"running": True, "oldest_us": ago(130)}, "fail", "the oldest for 2 min"),
        (WAITING | {"oldest_us": ago(5)}, "warn", "100 records wait for 5 s, and no process"),
        (WAITING | {"oldest_us": ago(500)}, "fail", "100 records wait, the oldest for 8 min"),
        (
            WAITING | {"oldest_us": ago(90_000), "expires_us": ago(3600), "running": True},
            "fail",
            "the stream has to keep it no longer",
        ),
        # Firehose does not tell how many wait, nor always how far it is.
        (
            {"caught_up": False, "waiting_records": None, "oldest_us": ago(900), "running": True},
            "fail",
            "records wait, the oldest for 15 min",
        ),
        (
            {"caught_up": False, "waiting_records": None, "running": True, "always_runs": True},
            "warn",
            "not known how far",
        ),
        (
            {"always_runs": True, "runner": "there is no Firehose ticks-iceberg"},
            "fail",
            "there is no Firehose ticks-iceberg",
        ),
    ],
)
def test_a_delivery_is_judged_by_what_waits_and_who_delivers(
    changes: dict[str, Any], verdict: str, told: str
) -> None:
    found = delivery(**changes)
    assert found.verdict.value == verdict
    assert told in found.statement
    assert (found.failure, found.next) == (
        ("", "") if verdict == "ok" else ("stopped-delivery", DELIVER)
    )


def test_what_the_stream_dropped_is_lost() -> None:
    lost = of("retention", mode_leaving(backlog=backlog(lost_records=12)))
    assert (lost.failure, lost.verdict.value) == ("lost-records", "fail")
    assert "dropped 12 records" in lost.statement


@pytest.mark.parametrize(
    ("count", "newest", "of_window", "verdict"),
    [
        (0, None, 1000, "ok"),
        (40, 10, 1000, "warn"),
        (40, 11, 1000, "fail"),
        (40, 0, 1000, "warn"),
        (40, None, None, "warn"),
    ],
)
def test_errors_fail_when_they_are_more_than_one_in_a_hundred_of_the_newest(
    count: int, newest: int | None, of_window: int | None, verdict: str
) -> None:
    reasons = {f"reason {number}": 1 for number in range(5)}
    errors = replace(NO_ERRORS, count=count, by_reason=reasons, newest_us=ago(9), redriven=3)
    found = of("errors", mode_leaving(errors=errors, errors_of_window=newest), of_window)
    assert found.verdict.value == verdict
    assert (found.failure == "poison-records") == (verdict != "ok")
    if count:
        assert found.evidence["further reasons"] == 2
        assert found.next == "tick-pipeline redrive"
    else:
        assert "3 were redriven" in found.statement


MADE_US = HOUR_US + US_PER_HOUR + 15 * US_PER_MINUTE


@pytest.mark.parametrize(
    ("raw", "candles", "failure", "verdict"),
    [
        ({}, {}, "", "ok"),
        # The current hour, and one that ended less than ten minutes ago, are open.
        ({HOUR_US + US_PER_HOUR: NOW_US}, {}, "", "ok"),
        ({HOUR_US: MADE_US - 1}, {HOUR_US: MADE_US}, "", "ok"),
        ({HOUR_US: None}, {HOUR_US: MADE_US}, "", "ok"),
        ({HOUR_US: MADE_US + 1}, {HOUR_US: MADE_US}, "late-hour", "warn"),
        ({HOUR_US: MADE_US}, {HOUR_US: None}, "", "ok"),
        ({HOUR_US: ago(600)}, {}, "missing-candles", "warn"),
        ({HOUR_US: ago(3 * 3600)}, {}, "missing-candles", "fail"),
        # The expired snapshot that brought it is old.
        ({HOUR_US: None}, {}, "missing-candles", "fail"),
        (
            {HOUR_US: MADE_US + 1, HOUR_US - US_PER_HOUR: ago(600)},
            {HOUR_US: MADE_US},
            "late-hour",
            "warn",
        ),
    ],
)
def test_an_hour_is_behind_when_it_is_closed_and_its_candles_are_older_than_its_ticks(
    raw: dict[int, int | None], candles: dict[int, int | None], failure: str, verdict: str
) -> None:
    found = of("candles", mode_leaving(raw=raw, candles=candles))
    assert (found.failure, found.verdict.value) == (failure, verdict)
    if failure:
        first = "10:00" if len(raw) > 1 else "11:00"
        assert found.next == (
            f"tick-pipeline ohlc --start 2026-03-02T{first}:00Z --end 2026-03-02T12:00:00Z "
            "--storage-mode iceberg"
        )


def test_hours_still_to_come_tell_of_a_clock_ahead() -> None:
    hours = of("hours", mode_leaving(raw={HOUR_US: None, NOW_US + US_PER_HOUR: None}))
    assert (hours.failure, hours.verdict.value) == ("clock-ahead", "warn")
    assert of("hours", mode_leaving()).evidence["newest hour"] == "2026-03-02T12:00:00Z"
    assert "nothing has landed" in of("hours", mode_leaving(raw={})).statement


def test_what_could_not_be_seen_is_not_judged() -> None:
    unseen = mode_leaving(backlog=None, errors=None, raw=None, candles=None)
    assert judge(leaving(unseen)) == []
    assert [item.subject for item in judge(leaving(mode_leaving(candles=None)))] == [
        "delivery",
        "errors",
        "hours",
    ]
