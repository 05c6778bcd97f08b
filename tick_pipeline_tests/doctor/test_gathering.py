"""The facts that the doctor judges by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.doctor.gathering import Gathering
from tick_pipeline.doctor.looking import Looker
from tick_pipeline.event_time import parse_instant
from tick_pipeline.resources.deployments import LocalDeployment
from tick_pipeline_tests.doctor.facts import NOW_US, load

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.load import CountSymbols, StreamLoad, StreamMeter


class Measured(LocalDeployment):
    """A deployment whose stream took what is given."""

    def __init__(self, settings: Settings, found: StreamLoad) -> None:
        super().__init__(settings)
        self._found = found

    def stream_meter(self) -> StreamMeter:
        """It is its own meter."""
        return self

    def measure(self, now_us: int, count_symbols: CountSymbols) -> StreamLoad:
        """What is given."""
        return self._found


@pytest.mark.parametrize(
    ("calendar", "newest", "open_seconds"),
    [
        # It closes at nine in the evening, UTC, on Friday; now is Monday before it opens.
        ("XNYS", "2026-02-27T20:50:00Z", 600),
        ("XNYS", "2026-02-28T12:00:00Z", 0),
        # A clock that is ahead.
        ("XNYS", "2026-03-02T13:00:00Z", 0),
        ("24/7", "2026-02-27T20:50:00Z", None),
    ],
)
def test_the_time_since_the_newest_record_counts_by_the_calendar(
    home: Home, settings: Settings, calendar: str, newest: str, open_seconds: float | None
) -> None:
    settings = settings.model_copy(update={"home": home.path, "calendar": calendar})
    found = load(9, newest_arrival_us=parse_instant(newest))
    looker = Looker("nobody")
    facts = Gathering(Measured(settings, found), settings, looker, NOW_US).entering()
    assert (facts.calendar, facts.open_seconds) == (calendar, open_seconds)
    assert looker.unseen() == []


def test_days_that_the_calendar_does_not_know_are_told(home: Home, settings: Settings) -> None:
    settings = settings.model_copy(update={"home": home.path, "calendar": "XHKG"})
    looker, late_us = Looker("nobody"), parse_instant("2080-01-03T00:00:00Z")
    found = load(9, newest_arrival_us=late_us - 1)
    facts = Gathering(Measured(settings, found), settings, looker, late_us + 3_600_000_000)
    assert facts.entering().open_seconds is None
    (unseen,) = looker.unseen()
    assert "TICK_PIPELINE_CALENDAR=XHKG" in str(unseen.evidence["reason"])
