"""What a run of the simulator is asked for, and what it tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.errors import ScenarioError
from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    US_PER_SECOND,
    format_short,
)
from tick_pipeline.producer.instruments import MAX_SYMBOLS
from tick_pipeline.producer.scenarios import find_scenario

if TYPE_CHECKING:
    from pathlib import Path

MAX_RATE = 1_000_000.0
MAX_DURATION_SECONDS = 10 * 366 * 86_400.0
#: A late tick is at least a second later than the lateness, and some time must be left for it.
_LATE_NEEDS_SECONDS = 10


@dataclass(frozen=True)
class SimulationRequest:
    """One run.

    Attributes:
        scenario: one of SCENARIOS.
        duration_seconds: length of the window of event time.
        rate: ticks per second over all symbols, mean of the window.
        symbols: how many instruments trade.
        seed: names the price paths.
        past: cover the window that ends now, as fast as it goes; else in real time from now on.
        lateness_seconds: a tick is late when it is sent later than this after its event.
        start_us: cover the window that begins here instead, as fast as it goes; microseconds since
            the epoch.
    """

    scenario: str
    duration_seconds: float
    rate: float = 60.0
    symbols: int = 10
    seed: int = 1
    past: bool = False
    lateness_seconds: int = 60
    start_us: int | None = None

    def check(self) -> None:
        """Refuse what cannot be simulated.

        Raises:
            ScenarioError: the scenario is unknown, or a number is out of its range.
        """
        scenario = find_scenario(self.scenario)
        _check_range("duration", self.duration_seconds, MAX_DURATION_SECONDS, "seconds")
        _check_range("rate", self.rate, MAX_RATE, "ticks per second")
        if not 1 <= self.symbols <= MAX_SYMBOLS:
            raise ScenarioError(f"symbols must be 1 to {MAX_SYMBOLS}, not {self.symbols}")
        if self.lateness_seconds < 0:
            raise ScenarioError(
                f"the lateness must be 0 seconds or more, not {self.lateness_seconds}"
            )
        least = self.lateness_seconds + _LATE_NEEDS_SECONDS
        if scenario.name == "late" and self.duration_seconds < least:
            raise ScenarioError(
                f"the scenario late needs a duration of {least} seconds or more, the lateness and "
                f"{_LATE_NEEDS_SECONDS} beyond, not {self.duration_seconds:g}"
            )

    def window(self, now_us: int) -> tuple[int, int]:
        """The window [start, end) of event time when the run begins now; microseconds.

        Raises:
            ScenarioError: it leaves the years that a tick can have.
        """
        length_us = max(round(self.duration_seconds * US_PER_SECOND), 1)
        start_us = self.start_us
        if start_us is None:
            start_us = now_us - length_us if self.past else now_us
        if not MIN_EVENT_US <= start_us < start_us + length_us <= MAX_EVENT_US:
            raise ScenarioError(
                f"a window of {self.duration_seconds:g} seconds leaves the time of ticks, "
                f"{format_short(MIN_EVENT_US)} to {format_short(MAX_EVENT_US)}"
            )
        return start_us, start_us + length_us

    @property
    def simulates_clock(self) -> bool:
        """Whether time passes as fast as it goes."""
        return self.past or self.start_us is not None


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        sent: records put so far.
        expected: records to put in all, about.
    """

    sent: int
    expected: int


@dataclass(frozen=True)
class SimulationSummary:
    """What a run did.

    Attributes:
        source: its name in the ticks, new for each run.
        start_us: start of the event time it covered, microseconds since the epoch.
        end_us: end of it, exclusive; earlier than asked for when it was stopped.
        sent: records put, of whatever kind.
        rejected: records that the stream refused.
        malformed: of the sent, records that cannot be stored.
        invalid: of the sent, records that break a rule.
        duplicates: of the sent, ticks that were sent before.
        late: of the sent, ticks sent later than the lateness.
        injected: events: spikes, crashes, halts.
        seconds: wall time of the run.
        simulation_seconds: of it, making ticks.
        put_seconds: of it, encoding, labelling and putting them.
        rate: records per second of wall time.
        stopped: whether it was stopped before its end.
        labels: the file that tells each injected thing.
    """

    source: str
    start_us: int
    end_us: int
    sent: int
    rejected: int
    malformed: int
    invalid: int
    duplicates: int
    late: int
    injected: int
    seconds: float
    simulation_seconds: float
    put_seconds: float
    rate: float
    stopped: bool
    labels: Path


def _check_range(name: str, value: float, most: float, unit: str) -> None:
    if not (math.isfinite(value) and 0 < value <= most):
        raise ScenarioError(
            f"the {name} must be more than 0 and at most {most:,.0f} {unit}, not {value:g}"
        )
