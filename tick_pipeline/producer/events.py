"""Injected events: when they happen to which symbol, and what they make of its trades."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.noise import bits, key_of, uniform
from tick_pipeline.producer.scenarios import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tick_pipeline.producer.baseline import Baseline
    from tick_pipeline.producer.scenarios import Scenario
    from tick_pipeline.producer.walk import Trades

#: No two events of a symbol are closer, so that the baseline of one never holds another.
QUIET_SECONDS = 600
_LENGTH_SECONDS = {EventKind.SPIKE: 20.0, EventKind.FLASH_CRASH: 45.0, EventKind.HALT: 180.0}
_SIZE_SIGMAS = {EventKind.SPIKE: (8.0, 16.0), EventKind.FLASH_CRASH: (10.0, 25.0)}
#: A crash goes on to this multiple of its first fall, in this share of its time, then recovers.
_CRASH_DEPTH, _CRASH_FALL_SHARE = 1.8, 0.15


@dataclass
class Event:
    """One planned event of one symbol.

    Attributes:
        kind: what happens.
        symbol: index of the instrument.
        start_us: microseconds since the epoch.
        end_us: the same, exclusive; a spike hits the first trade in between, and only that.
        size_sigmas: return to inject, in standard deviations of the baseline; its sign is the
            direction; 0 for a halt.
        first_us: time of the first trade that it changed; None until there is one.
        offset: log price offset of that trade.
        reported: whether its label is written.
    """

    kind: EventKind
    symbol: int
    start_us: int
    end_us: int
    size_sigmas: float
    first_us: int | None = None
    offset: float = 0.0
    reported: bool = False


@dataclass
class Effects:
    """What the events did to a window of trades.

    Attributes:
        trades: the trades, after it.
        reserved: trades that must reach the stream in time and unspoilt, or a label would lie.
        labels: one for each event that began.
    """

    trades: Trades
    reserved: NDArray[np.bool_]
    labels: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class EventPlan:
    """Every event of a run, planned symbol by symbol as time reaches it."""

    def __init__(
        self, scenario: Scenario, symbols: list[str], seed: int, start_us: int, end_us: int
    ) -> None:
        """Plan the events of [start, end), microseconds since the epoch."""
        self._symbols = symbols
        self._events = [
            _events_of(scenario, index, key_of("events", seed, symbol), start_us, end_us)
            for index, symbol in enumerate(symbols)
        ]
        self._next = [next(events, None) for events in self._events]

    def overlapping(self, start_us: int, end_us: int) -> list[Event]:
        """Events that touch [start, end); windows must be asked for in ascending order."""
        found: list[Event] = []
        for index, event in enumerate(self._next):
            while event is not None and event.start_us < end_us:
                if event.end_us > start_us:
                    found.append(event)
                if event.end_us > end_us:
                    break
                event = next(self._events[index], None)  # noqa: PLW2901  (the loop goes on with it)
            self._next[index] = event
        return found

    def halt(self, trades: Trades, events: list[Event]) -> Effects:
        """Take away the trades of halted symbols."""
        kept = np.ones(len(trades.symbol), np.bool_)
        labels: list[dict[str, Any]] = []
        for event in events:
            if event.kind is not EventKind.HALT:
                continue
            kept[_slice_of(trades, event.symbol, event.start_us, event.end_us)] = False
            if not event.reported:
                event.reported = True
                labels.append(self._label(event, event.start_us, event.end_us))
        trades = trades.where(kept)
        return Effects(trades, np.zeros(len(trades.symbol), np.bool_), labels)

    def move_prices(self, effects: Effects, events: list[Event], baseline: Baseline) -> None:
        """Inject spikes and crashes into the trades, which `baseline` has seen already."""
        for event in events:
            if event.kind is EventKind.HALT or (event.kind is EventKind.SPIKE and event.reported):
                continue
            rows = _slice_of(effects.trades, event.symbol, event.start_us, event.end_us)
            if rows.start == rows.stop:
                continue
            if event.first_us is None:
                label = self._begin(event, rows.start, effects.trades, baseline)
                if label is None:
                    # Too little was traded before for a baseline: the event does not happen.
                    event.start_us = event.end_us
                    continue
                effects.labels.append(label)
            if event.kind is EventKind.FLASH_CRASH:
                _shape_crash(event, rows, effects.trades)
            # With the trades before and after, whose returns into and out of the event are known.
            effects.reserved[max(rows.start - 1, 0) : rows.stop + 1] = True

    def _begin(
        self, event: Event, row: int, trades: Trades, baseline: Baseline
    ) -> dict[str, Any] | None:
        at_us = int(trades.event_us[row])
        found = baseline.before(event.symbol, at_us)
        if found is None:
            return None
        sigma, previous = found
        target = previous * math.exp(event.size_sigmas * sigma)
        # Away from the previous price, so that rounding never makes the event smaller.
        ticks = max(math.ceil(target) if event.size_sigmas > 0 else math.floor(target), 1)
        event.first_us, event.reported = at_us, True
        event.offset = math.log(ticks / float(trades.price_ticks[row]))
        trades.price_ticks[row] = ticks
        end_us = at_us if event.kind is EventKind.SPIKE else event.end_us
        realised = math.log(ticks / previous) / sigma
        return self._label(event, at_us, end_us) | {"size_sigmas": realised, "sigma": sigma}

    def _label(self, event: Event, start_us: int, end_us: int) -> dict[str, Any]:
        return {
            "kind": event.kind.value,
            "symbol": self._symbols[event.symbol],
            "start_us": start_us,
            "end_us": end_us,
        }


def _events_of(
    scenario: Scenario, symbol: int, key: int, start_us: int, end_us: int
) -> Iterator[Event]:
    if not scenario.events:
        return
    window = (end_us - start_us) / US_PER_SECOND
    # The first one within any window, after a third of it at most, so that a short run shows it.
    earliest = min(float(QUIET_SECONDS), window / 3)
    number = 0
    while True:
        draws = uniform(bits(np.array(key, np.uint64), np.arange(4) + 4 * number)).tolist()
        kind = scenario.events[(symbol + number) % len(scenario.events)]
        length = min(_LENGTH_SECONDS[kind], window / 4)
        if number == 0:
            room = min(window - earliest - length, scenario.event_spacing_seconds)
            begin = earliest + draws[0] * max(room, 0.0)
        else:
            begin = earliest + draws[0] * 2 * (scenario.event_spacing_seconds - QUIET_SECONDS)
        if begin + length > window:
            return
        first_us = start_us + round(begin * US_PER_SECOND)
        low, high = _SIZE_SIGMAS.get(kind, (0.0, 0.0))
        size = low + (high - low) * draws[1]
        if kind is EventKind.FLASH_CRASH or draws[2] < 0.5:  # noqa: PLR2004  (a coin's throw)
            size = -size
        yield Event(kind, symbol, first_us, first_us + round(length * US_PER_SECOND), size)
        earliest, number = begin + length + QUIET_SECONDS, number + 1


def _slice_of(trades: Trades, symbol: int, start_us: int, end_us: int) -> slice:
    low, high = np.searchsorted(trades.symbol, [symbol, symbol + 1]).tolist()
    times = trades.event_us[low:high]
    first, last = np.searchsorted(times, [start_us, end_us]).tolist()
    return slice(low + first, low + last)


def _shape_crash(event: Event, rows: slice, trades: Trades) -> None:
    if event.first_us is None:
        return
    times = trades.event_us[rows]
    share = (times - event.first_us) / (event.end_us - event.first_us)
    falling = 1 + (_CRASH_DEPTH - 1) * share / _CRASH_FALL_SHARE
    recovering = _CRASH_DEPTH * ((1 - share) / (1 - _CRASH_FALL_SHARE)) ** 2
    offset = event.offset * np.where(share < _CRASH_FALL_SHARE, falling, recovering)
    later = times > event.first_us
    ticks = np.maximum(np.rint(trades.price_ticks[rows] * np.exp(offset)), 1).astype(np.int64)
    trades.price_ticks[rows] = np.where(later, ticks, trades.price_ticks[rows])
