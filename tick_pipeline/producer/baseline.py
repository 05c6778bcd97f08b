"""What an event is measured by: the spread of each symbol's returns over the ten minutes before."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tick_pipeline.event_time import US_PER_SECOND

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tick_pipeline.producer.walk import Trades

WINDOW_SECONDS = 600
MIN_RETURNS = 30


class Baseline:
    """Per symbol and second: number, sum and sum of squares of the log returns from trade to trade."""

    def __init__(self, symbols: int) -> None:
        """Begin with no returns for so many symbols."""
        self._first = 0
        self._sums = np.zeros((3, symbols, 0))
        self._last_ticks = np.zeros(symbols, np.int64)
        self._trades: Trades | None = None
        self._previous = np.zeros(0, np.int64)

    def add(self, trades: Trades, first_second: int, last_second: int) -> None:
        """Take in the next window's trades, before anything is injected into them.

        Args:
            trades: by symbol, then time.
            first_second: second of the window's start, since the epoch; not before the last window's.
            last_second: the window ends at or before this second's start.
        """
        symbols = self._sums.shape[1]
        previous = np.empty_like(trades.price_ticks)
        previous[1:] = trades.price_ticks[:-1]
        heads = np.flatnonzero(np.diff(trades.symbol, prepend=-1))
        previous[heads] = self._last_ticks[trades.symbol[heads]]
        tails = np.flatnonzero(np.diff(trades.symbol, append=symbols))
        self._last_ticks[trades.symbol[tails]] = trades.price_ticks[tails]
        known = previous > 0
        returns = np.zeros(len(previous))
        returns[known] = np.log(trades.price_ticks[known] / previous[known])
        self._trades, self._previous = trades, previous

        self._make_room(first_second, last_second)
        seconds = self._sums.shape[2]
        cell = trades.symbol * seconds + trades.event_us // US_PER_SECOND - self._first
        for row, weights in enumerate((known * 1.0, returns, returns**2)):
            added = np.bincount(cell, weights, symbols * seconds)
            self._sums[row] += added.reshape(symbols, seconds)

    def before(self, symbol: int, at_us: int) -> tuple[float, float] | None:
        """Standard deviation of the returns, and the price in ticks, before a trade of the window.

        The baseline is the anomaly detector's: returns of the ten minutes that end with the second
        of the trade, and a deviation of half a tick at least.

        Args:
            symbol: index of the instrument.
            at_us: time of a trade of the last window that was added.

        Returns:
            None where there are fewer than MIN_RETURNS returns, or no trade before.
        """
        column = at_us // US_PER_SECOND - self._first
        past = self._sums[:, symbol, max(column - WINDOW_SECONDS, 0) : max(column, 0)].sum(axis=1)
        count, total, squares = past.tolist()
        previous = self._previous_ticks(symbol, at_us)
        if count < MIN_RETURNS or previous <= 0:
            return None
        variance = max(squares - total * total / count, 0.0) / (count - 1)
        return max(math.sqrt(variance), 0.5 / previous), float(previous)

    def _previous_ticks(self, symbol: int, at_us: int) -> int:
        if self._trades is None:
            return 0
        low, high = np.searchsorted(self._trades.symbol, [symbol, symbol + 1]).tolist()
        row = low + int(np.searchsorted(self._trades.event_us[low:high], at_us))
        return int(self._previous[row]) if row < high else 0

    def _make_room(self, first_second: int, last_second: int) -> None:
        keep_from = first_second - WINDOW_SECONDS
        end = self._first + self._sums.shape[2]
        kept = self._sums[:, :, max(keep_from - self._first, 0) :] if end > keep_from else None
        self._first = max(self._first, keep_from) if kept is not None else keep_from
        width = last_second - self._first
        wider: NDArray[np.float64] = np.zeros((3, self._sums.shape[1], width))
        if kept is not None:
            wider[:, :, : kept.shape[2]] = kept
        self._sums = wider
