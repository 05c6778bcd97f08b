"""Price paths and trade times as functions of (seed, symbol, event time).

A path is a Brownian motion made by midpoint displacement (Lévy's construction) on a dyadic grid of
seconds since the epoch: any window is computed from the grid above it, so overlapping runs trade on
one path. Inside a second each trade goes on halving, down to 1/256 s; below that the path is a line.
Its volatility follows the hour of the day and slow regimes (clustering). Trades bounce between bid
and ask around it.

Trading comes in bursts, second by second, and the path runs on that clock: a second's variance is
in proportion to the trades it is due. Over a minute the bursts average out, so the path at each 64 s
knows nothing of them.
Source: Clark, "A subordinated stochastic process model with finite variance for speculative
prices", Econometrica 41, 1973; Ané, Geman, "Order flow, transaction clock, and normality of asset
returns", Journal of Finance 55, 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.noise import bits, key_of, normal, substream, uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tick_pipeline.producer.instruments import Instrument

#: Path kinds: what a scenario makes of a symbol's path.
STEADY, TREND, VOLATILE = "steady", "trend", "volatile"

#: Random streams of a symbol; those of the path's levels have the level's width, a power of two.
_ANCHOR, _REGIME, _SLOW_REGIME, _TRADE, _TREND_PHASE, _COUNT, _TIME, _WITHIN_SECOND = (
    0,
    101,
    102,
    103,
    104,
    105,
    106,
    107,
)
_ROOT_SECONDS = 1 << 17
#: A second is halved so often: its path is straight below 1/256 s, where it moves less than a spread.
_HALVINGS_OF_SECOND = 8
#: Cells of this width, a power of two, and narrower are halved by the clock of trading.
_TRADE_CLOCK_SECONDS = 64
#: Activity of a second against its hour's: uniform from 0.4 to 1.6, so 1 in the mean.
_BURST_MIN, _BURST_RANGE = 0.4, 1.2
#: Volatile paths move more below this width only, so they stay around the steady path.
_VOLATILE_BELOW_SECONDS = 2048
_VOLATILE_FACTOR = 3.0
_TREND_PERIOD_SECONDS = 4 * 3600
_TREND_SWING = 0.03
_SECONDS_PER_DAY = 86_400
#: Activity at each full hour, UTC: quiet nights, the U of the New York session from 13:30 to 20:00.
_ACTIVITY = np.array(
    [
        *(0.55, 0.5, 0.45, 0.45, 0.5, 0.55, 0.65, 0.8, 0.85, 0.8, 0.75, 0.75),
        *(0.9, 1.5, 1.6, 1.25, 1.05, 1.0, 1.05, 1.3, 1.6, 0.9, 0.7, 0.6, 0.55),
    ],
    np.float64,
)


@dataclass(frozen=True)
class Trades:
    """Trades of many symbols: by symbol, then by time; arrays of one length.

    Attributes:
        symbol: index of the instrument.
        event_us: microseconds since the epoch.
        price_ticks: price in ticks, at least 1.
        volume: shares or coins.
    """

    symbol: NDArray[np.int64]
    event_us: NDArray[np.int64]
    price_ticks: NDArray[np.int64]
    volume: NDArray[np.float64]

    def where(self, kept: NDArray[np.bool_]) -> Trades:
        """The trades that are kept."""
        return Trades(
            self.symbol[kept], self.event_us[kept], self.price_ticks[kept], self.volume[kept]
        )


@dataclass(frozen=True)
class _Clock:
    """Time that passes in cells of one width, by the clock of trading.

    Attributes:
        begin: the first cell, counted from the epoch.
        elapsed: by instrument and cell; the cell's width in the mean.
    """

    begin: int
    elapsed: NDArray[np.float64]

    def within(self, low: int, high: int) -> NDArray[np.float64]:
        """Of the cells [low, high)."""
        return self.elapsed[:, low - self.begin : high - self.begin]


class Market:
    """The instruments of a seed, and their trades in any window."""

    def __init__(self, instruments: Sequence[Instrument], seed: int, kinds: Sequence[str]) -> None:
        """Args: instruments, the seed that names their paths, and each one's path kind."""
        self._keys = np.array(
            [key_of("path", seed, item.symbol) for item in instruments], np.uint64
        )
        self._price = np.array([item.price for item in instruments], np.float64)
        self._sigma = np.array([item.sigma for item in instruments], np.float64)
        self._weight = np.array([item.weight for item in instruments], np.float64)
        self._lots = np.array([item.lots for item in instruments], np.float64)
        self._lots_per_unit = np.array([item.lots_per_unit for item in instruments], np.float64)
        self.ticks_per_unit = np.array([item.ticks_per_unit for item in instruments], np.int64)
        volatile = np.array([kind == VOLATILE for kind in kinds])
        self._fine_factor = np.where(volatile, _VOLATILE_FACTOR, 1.0)
        self._spread = np.array([item.spread_ticks for item in instruments]) * np.where(
            volatile, 2.0, 1.0
        )
        self._swing = np.array([_TREND_SWING if kind == TREND else 0.0 for kind in kinds])

    def mid_prices(self, first_second: int, last_second: int) -> NDArray[np.float64]:
        """The path at each full second of [first, last], one row per instrument, quote currency.

        Args:
            first_second: seconds since the epoch.
            last_second: the same, greater than the first.
        """
        seconds = np.arange(first_second, last_second + 1)
        return self._price[:, None] * np.exp(
            self._log_path(first_second, last_second)
            + self._swing[:, None] * self._triangle(seconds)
        )

    def trades(self, start_us: int, end_us: int, per_second: float, mean_activity: float) -> Trades:
        """All trades of [start, end).

        Args:
            start_us: microseconds since the epoch.
            end_us: the same, exclusive.
            per_second: trades of all instruments in a second of average activity.
            mean_activity: `mean_activity` of the window to which `per_second` refers.
        """
        first, last = start_us // US_PER_SECOND, -(-end_us // US_PER_SECOND)
        counts = self._counts(first, last, per_second / mean_activity)
        flat = counts.ravel()
        cell = np.repeat(np.arange(flat.size), flat)
        place = np.arange(cell.size) - np.repeat(np.cumsum(flat) - flat, flat)
        symbol, column = np.divmod(cell, last - first)
        event_us = self._times(symbol, first + column, place, flat[cell])
        inside = (event_us >= start_us) & (event_us < end_us)
        symbol, event_us = symbol[inside], event_us[inside]
        random = bits(substream(self._keys, _TRADE)[symbol], event_us)
        return Trades(
            symbol,
            event_us,
            self._price_ticks(symbol, event_us, random),
            self._volumes(symbol, random),
        )

    def _log_path(self, first: int, last: int) -> NDArray[np.float64]:
        width = _ROOT_SECONDS
        low, high = first // width, -(-last // width)
        nodes = np.arange(low, high + 1)
        # Independent anchors tie the path to its level, so that no price drifts away or to zero.
        anchor_sigma = self._sigma * np.sqrt(width / 2)
        values = (
            normal(bits(substream(self._keys, _ANCHOR)[:, None], nodes)) * anchor_sigma[:, None]
        )
        clock = self._trade_clock(first, last)
        while width > 1:
            cells, half = np.arange(low, high), width // 2
            elapsed: NDArray[np.float64] | int = width
            share: NDArray[np.float64] | float = 0.5
            if width in clock:
                elapsed = clock[width].within(low, high)
                share = clock[half].within(2 * low, 2 * high)[:, ::2] / elapsed
            # A Brownian bridge, at the share of its time that has passed in the middle of the cell.
            spread = np.sqrt(share * (1 - share) * elapsed) * self._sigma_at(cells * width + half)
            if width <= _VOLATILE_BELOW_SECONDS:
                spread = spread * self._fine_factor[:, None]
            moves = normal(bits(substream(self._keys, width)[:, None], cells)) * spread
            finer = np.empty((len(self._keys), 2 * len(cells) + 1))
            finer[:, ::2] = values
            finer[:, 1::2] = values[:, :-1] * (1 - share) + values[:, 1:] * share + moves
            begin, width = 2 * low, half
            low, high = first // width, -(-last // width)
            values = finer[:, low - begin : high - begin + 1]
        return values

    def _trade_clock(self, first: int, last: int) -> dict[int, _Clock]:
        """Time by the clock of trading in the cells around [first, last], by width in seconds."""
        width, widest = 1, _TRADE_CLOCK_SECONDS
        begin, end = first // widest * widest, -(-last // widest) * widest
        clock = {width: _Clock(begin, self._bursts(np.arange(begin, end)))}
        # Sums of pairs, not of slices: a cell's sum has the same bits in any window.
        while width < widest:
            finer = clock[width]
            width *= 2
            clock[width] = _Clock(finer.begin // 2, finer.elapsed[:, ::2] + finer.elapsed[:, 1::2])
        return clock

    def _bursts(self, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        """Activity of each second against its hour's: of its trades, and of its variance."""
        random = bits(substream(self._keys, _COUNT)[:, None], seconds) << np.uint64(32)
        return _BURST_MIN + _BURST_RANGE * uniform(random)

    def _sigma_at(self, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        regime = 0.3 * self._slow_noise(seconds, 900, _REGIME) + 0.25 * self._slow_noise(
            seconds, 7200, 102
        )
        return self._sigma[:, None] * np.sqrt(_activity(seconds)) * np.exp(regime)

    def _slow_noise(
        self, seconds: NDArray[np.int64], period: int, stream: int
    ) -> NDArray[np.float64]:
        node, rest = np.divmod(seconds, period)
        knots = np.arange(int(node[0]), int(node[-1]) + 2)
        values = normal(bits(substream(self._keys, stream)[:, None], knots))
        place, share = node - node[0], rest / period
        return values[:, place] * (1 - share) + values[:, place + 1] * share

    def _triangle(self, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        phase = uniform(substream(self._keys, _TREND_PHASE))[:, None]
        turn = (seconds / _TREND_PERIOD_SECONDS + phase) % 1.0
        return 4.0 * np.minimum(turn, 1.0 - turn) - 1.0

    def _counts(self, first: int, last: int, per_second: float) -> NDArray[np.int64]:
        seconds = np.arange(first, last)
        random = bits(substream(self._keys, _COUNT)[:, None], seconds)
        rate = per_second * (self._weight / self._weight.sum())[:, None] * _activity(seconds)
        return (rate * self._bursts(seconds) + uniform(random)).astype(np.int64)

    def _times(
        self,
        symbol: NDArray[np.int64],
        second: NDArray[np.int64],
        place: NDArray[np.int64],
        of: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        # One trade in each of a second's `of` equal parts: sorted by construction.
        jitter = uniform(bits(substream(self._keys, _TIME)[symbol], (second << 22) + place))
        return second * US_PER_SECOND + ((place + jitter) / of * US_PER_SECOND).astype(np.int64)

    def _price_ticks(
        self, symbol: NDArray[np.int64], event_us: NDArray[np.int64], random: NDArray[np.uint64]
    ) -> NDArray[np.int64]:
        if not event_us.size:
            return np.empty(0, np.int64)
        second, rest_us = np.divmod(event_us, US_PER_SECOND)
        first, last = int(second.min()), int(second.max()) + 1
        mid = self.mid_prices(first, last) * self.ticks_per_unit[:, None]
        before = mid[symbol, second - first]
        share = rest_us / US_PER_SECOND
        path = before + (mid[symbol, second - first + 1] - before) * share
        path *= np.exp(self._within_second(symbol, second, share))
        side = (random & np.uint64(1)).astype(np.float64) - 0.5
        # A spread that itself varies gives returns their moderately fat tails.
        depth = np.exp(0.35 * normal(random, shift=24))
        bounce = self._spread[symbol] * (side * depth + 0.2 * normal(random))
        return np.maximum(np.rint(path + bounce), 1).astype(np.int64)

    def _within_second(
        self, symbol: NDArray[np.int64], second: NDArray[np.int64], share: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How far the log path is from the line between a trade's full seconds."""
        keys, halvings = substream(self._keys, _WITHIN_SECOND)[symbol], _HALVINGS_OF_SECOND
        # Cells of a second in a heap's order: 1 is the whole, n is halved into 2 n and 2 n + 1.
        finest = (1 << halvings) + (share * (1 << halvings)).astype(np.int64)
        second_nodes = second << halvings
        bridge = np.zeros(len(symbol))
        for level in range(halvings):
            moves = normal(bits(keys, second_nodes + (finest >> (halvings - level))))
            inside = share * (1 << level)
            inside -= np.floor(inside)
            # A midpoint's move counts in full there, and falls to nothing at both ends of its cell.
            moves *= np.minimum(inside, 1.0 - inside)
            bridge += moves * 2.0 ** (-level / 2)
        first = int(second.min())
        seconds = np.arange(first, int(second.max()) + 1)
        sigma = self._sigma_at(seconds) * np.sqrt(self._bursts(seconds))
        return bridge * sigma[symbol, second - first] * self._fine_factor[symbol]

    def _volumes(
        self, symbol: NDArray[np.int64], random: NDArray[np.uint64]
    ) -> NDArray[np.float64]:
        lots = np.rint(self._lots[symbol] * np.exp(0.9 * normal(random, shift=12)))
        return np.maximum(lots, 1) / self._lots_per_unit[symbol]


def mean_activity(start_us: int, end_us: int) -> float:
    """Mean of the day's activity over [start, end), so that a rate holds for that window."""
    seconds = np.linspace(start_us, end_us, 1441) / US_PER_SECOND
    return float(_activity(seconds).mean())


def _activity(seconds: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(seconds % _SECONDS_PER_DAY / 3600, np.arange(25), _ACTIVITY)
