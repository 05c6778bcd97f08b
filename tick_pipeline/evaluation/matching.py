"""Which injected events the alerts found, and which alerts are true; pure, without I/O.

An alert is true inside [start, end + one tick of the symbol] of an event of its symbol. The last tick
is the first one after the event's end: the return out of a spike is part of the spike. For a halt,
in which nothing trades, it is the trade that reopens: an alert on its jump is true. A halt's label
tells no size, as nobody injected one, so a halt that reopens quietly is not missed: recall does not
count it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import WorkError
from tick_pipeline.event_time import US_PER_SECOND, format_instant
from tick_pipeline.producer.scenarios import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_KINDS = {kind.value for kind in EventKind}


@dataclass(frozen=True)
class InjectedEvent:
    """One event that the simulator put into the ticks of a symbol.

    Attributes:
        kind: one of EventKind's values.
        symbol: whose ticks.
        start_us: of its first tick, a halt's beginning; microseconds since the epoch.
        end_us: of its last tick, or its planned end.
        closes_us: up to here, inclusive, an alert is its: the first tick after the end.
        size_sigmas: first return in deviations of the baseline, signed; None for a halt.
    """

    kind: str
    symbol: str
    start_us: int
    end_us: int
    closes_us: int
    size_sigmas: float | None

    def is_at_least(self, sigmas: float) -> bool:
        """Whether its realised size is so many deviations, in either direction."""
        return self.size_sigmas is not None and abs(self.size_sigmas) >= sigmas


@dataclass(frozen=True)
class EventOutcome:
    """One event, and what became of it.

    Attributes:
        event: the event.
        alerts: how many alerts are its.
        first_alert_id: event_id of the first of them; None where it was missed.
        first_alert_us: event time of that one.
    """

    event: InjectedEvent
    alerts: int
    first_alert_id: str | None
    first_alert_us: int | None

    @property
    def found(self) -> bool:
        """Whether any alert is its."""
        return self.alerts > 0

    @property
    def delay_seconds(self) -> float | None:
        """Event time from its start to its first alert; None where it was missed."""
        if self.first_alert_us is None:
            return None
        return (self.first_alert_us - self.event.start_us) / US_PER_SECOND


@dataclass(frozen=True)
class Matching:
    """Events and alerts held against each other.

    Attributes:
        outcomes: one for each event, in the events' order.
        true_alerts: alerts inside an event of their symbol.
        false_alerts: the others.
    """

    outcomes: list[EventOutcome]
    true_alerts: int
    false_alerts: int

    @property
    def precision(self) -> float | None:
        """Share of the alerts that are true; None without alerts."""
        alerts = self.true_alerts + self.false_alerts
        return self.true_alerts / alerts if alerts else None

    def recall(self, least_sigmas: float) -> float | None:
        """Share of the events of at least that size that were found; None without such events."""
        sized = [item.found for item in self.outcomes if item.event.is_at_least(least_sigmas)]
        return sum(sized) / len(sized) if sized else None


def injected_events(
    labels: Iterable[Mapping[str, Any]], tick_after: Callable[[str, int], int | None]
) -> list[InjectedEvent]:
    """The events among a run's labels, by symbol and start.

    Args:
        labels: lines of a labels file; the lines of other kinds are passed over.
        tick_after: time of a symbol's first valid tick after an instant, None where there is none.
    """
    events: list[InjectedEvent] = []
    for label in labels:
        if label["kind"] not in _KINDS:
            continue
        symbol, end_us = label["symbol"], label["end_us"]
        after_us = tick_after(symbol, end_us)
        events.append(
            InjectedEvent(
                kind=label["kind"],
                symbol=symbol,
                start_us=label["start_us"],
                end_us=end_us,
                closes_us=end_us if after_us is None else after_us,
                size_sigmas=label.get("size_sigmas"),
            )
        )
    return sorted(events, key=lambda event: (event.symbol, event.start_us))


def check_apart(events: Sequence[InjectedEvent], least_seconds: float) -> None:
    """Hold the events of each symbol to their distance: else one hides in another's baseline.

    Args:
        events: by symbol and start.
        least_seconds: from one's end to the next one's start.

    Raises:
        WorkError: two are closer.
    """
    for earlier, later in pairwise(events):
        apart = (later.start_us - earlier.end_us) / US_PER_SECOND
        if earlier.symbol == later.symbol and apart < least_seconds:
            raise WorkError(
                f"the events of {later.symbol} at {format_instant(earlier.start_us)} and "
                f"{format_instant(later.start_us)} are {apart:g} s apart, not {least_seconds:g}"
            )


def match(events: Sequence[InjectedEvent], alerts: Iterable[Mapping[str, Any]]) -> Matching:
    """Hold alerts against events; an alert inside two events of its symbol is the later one's.

    Args:
        events: what was injected.
        alerts: rows of the contract `anomaly`; symbol, event_us and event_id are looked at, so rows of
            one tick under two metrics are two alerts.
    """
    places: dict[str, list[int]] = {}
    for place in sorted(range(len(events)), key=lambda place: events[place].start_us):
        places.setdefault(events[place].symbol, []).append(place)
    starts = {symbol: [events[item].start_us for item in of] for symbol, of in places.items()}
    count = [0] * len(events)
    first: list[tuple[float, str | None]] = [(math.inf, None)] * len(events)
    false_alerts = 0
    for alert in alerts:
        symbol, at_us = alert["symbol"], alert["event_us"]
        ordinal = bisect_right(starts.get(symbol, []), at_us) - 1
        place = places[symbol][ordinal] if ordinal >= 0 else None
        if place is None or at_us > events[place].closes_us:
            false_alerts += 1
            continue
        count[place] += 1
        if at_us < first[place][0]:
            first[place] = (at_us, alert["event_id"])
    outcomes = [
        EventOutcome(event, alerts, found, None if found is None else int(at_us))
        for event, alerts, (at_us, found) in zip(events, count, first, strict=True)
    ]
    return Matching(outcomes, sum(count), false_alerts)
