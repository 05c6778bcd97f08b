"""Why a minute has no candle: a computation without I/O.

A set of minutes of the window is one integer, its lowest bit the window's first minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class SymbolCoverage:
    """One symbol's minutes of a window.

    Attributes:
        symbol: which.
        traded: minutes in session with a candle.
        no_trade: in session without one, and nothing says that a tick is missing.
        lost: ranges in session without one, where ticks are missing; minutes since the epoch, half-open.
        outside: with a candle while the market was closed.
    """

    symbol: str
    traded: int
    no_trade: int
    lost: tuple[range, ...]
    outside: int

    @property
    def lost_minutes(self) -> int:
        """How many minutes of `lost`."""
        return sum(len(part) for part in self.lost)


@dataclass(frozen=True)
class Coverage:
    """The minutes of a window.

    Attributes:
        minutes: the window, minutes since the epoch, half-open.
        in_session: how many of them the market was open.
        symbols: by name.
    """

    minutes: range
    in_session: int
    symbols: tuple[SymbolCoverage, ...]

    @property
    def market_closed(self) -> int:
        """How many minutes of the window the market was closed."""
        return len(self.minutes) - self.in_session


def classify(
    minutes: range,
    sessions: Iterable[range],
    candles: Mapping[str, Sequence[range]],
    missing: Mapping[str, Sequence[range]],
) -> Coverage:
    """Sort the minutes of a window, symbol by symbol; every range is half-open, minutes since the epoch.

    Args:
        minutes: the window.
        sessions: when the market is open.
        candles: symbol -> minutes with a candle; a symbol without any is one to tell of, too.
        missing: symbol -> minutes of which ticks are missing: no candle is lost data there.
    """
    session = _bits(minutes, sessions)
    every = (1 << len(minutes)) - 1
    found: list[SymbolCoverage] = []
    for symbol in sorted(candles):
        candle = _bits(minutes, candles[symbol])
        lost = session & ~candle & _bits(minutes, missing.get(symbol, ()))
        quiet = every & session & ~candle & ~lost
        found.append(
            SymbolCoverage(
                symbol=symbol,
                traded=(candle & session).bit_count(),
                no_trade=quiet.bit_count(),
                lost=tuple(_ranges(minutes, lost)),
                outside=(candle & ~session).bit_count(),
            )
        )
    return Coverage(minutes, session.bit_count(), tuple(found))


def _bits(minutes: range, parts: Iterable[range]) -> int:
    """The minutes of ranges that lie in the window."""
    bits = 0
    for part in parts:
        start, stop = max(part.start, minutes.start), min(part.stop, minutes.stop)
        if start < stop:
            bits |= ((1 << (stop - start)) - 1) << (start - minutes.start)
    return bits


def _ranges(minutes: range, bits: int) -> Iterable[range]:
    """The ranges of a set of minutes, ascending."""
    at = minutes.start
    while bits:
        skipped = (bits & -bits).bit_length() - 1
        bits >>= skipped
        length = (~bits & (bits + 1)).bit_length() - 1
        bits >>= length
        at += skipped
        yield range(at, at + length)
        at += length
