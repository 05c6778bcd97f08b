"""Count, mean and variance of a sliding window, merged from per-second buckets.

A bucket holds (n, mean, M2), M2 the sum of squared deviations from the mean. Two neighbours merge by

    n = na + nb;  d = mean_b - mean_a;  mean = mean_a + d nb / n;  M2 = M2a + M2b + d^2 na nb / n

which subtracts no large sums from one another. Source: Chan, Golub, LeVeque, "Updating formulae and a
pairwise algorithm for computing sample variances", 1979.

A window is merged from spans of 1, 2, 4, ... seconds that neighbouring windows share, the same spans
in the same order wherever a window lies: its moments are a function of its own seconds alone, to the
last bit, whatever was computed together with it.
"""

# numpy's element types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Seconds whose windows are merged together, and cells (symbols x seconds) held at once.
_BLOCK_SECONDS = 4096
_MAX_CELLS = 1 << 16


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations; arrays of one shape, zeros where there is none."""

    number: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    def taken(self, places: object) -> Moments:
        """The moments at some places (any index of numpy)."""
        return Moments(self.number[places], self.mean[places], self.m2[places])  # pyright: ignore[reportArgumentType, reportCallIssue]

    def merged(self, later: Moments) -> Moments:
        """The moments of both together, element by element."""
        count = self.number + later.number
        share = later.number / np.maximum(count, 1.0)
        step = later.mean - self.mean
        return Moments(
            count,
            self.mean + step * share,
            self.m2 + later.m2 + step * step * (self.number * share),
        )


@dataclass(frozen=True)
class Buckets:
    """Moments of one metric by (symbol, second).

    Attributes:
        symbol: codes, int64.
        second: seconds since the epoch, int64.
        moments: of the values in that second.
    """

    symbol: NDArray[np.int64]
    second: NDArray[np.int64]
    moments: Moments

    @staticmethod
    def none() -> Buckets:
        """No buckets."""
        empty = np.empty(0)
        return Buckets(
            np.empty(0, np.int64), np.empty(0, np.int64), Moments(empty, empty.copy(), empty.copy())
        )

    def joined(self, other: Buckets) -> Buckets:
        """These and others, of other (symbol, second)."""
        return Buckets(
            np.concatenate((self.symbol, other.symbol)),
            np.concatenate((self.second, other.second)),
            Moments(
                *(np.concatenate(pair) for pair in zip(self.moments, other.moments, strict=True))
            ),
        )

    def where(self, kept: NDArray[np.bool_]) -> Buckets:
        """The buckets that are kept."""
        return Buckets(self.symbol[kept], self.second[kept], self.moments.taken(kept))

    def by_symbol(self) -> Buckets:
        """The same in the order of symbols."""
        if (np.diff(self.symbol) >= 0).all():
            return self
        order = np.argsort(self.symbol, kind="stable")
        return Buckets(self.symbol[order], self.second[order], self.moments.taken(order))


def bucketed(
    symbol: NDArray[np.int64],
    second: NDArray[np.int64],
    value: NDArray[np.float64],
    starts: NDArray[np.intp],
) -> Buckets:
    """Moments of each run of values.

    Deviations are taken from the run's first value, so a constant has none, however large it is.

    Args:
        symbol: code of each value.
        second: second of each value.
        value: finite values, those of one (symbol, second) side by side.
        starts: where each (symbol, second) begins.
    """
    count = np.diff(starts, append=len(value)).astype(np.float64)
    first = value[starts]
    deviation = value - np.repeat(first, count.astype(np.intp))
    total = np.add.reduceat(deviation, starts)
    squares = np.add.reduceat(deviation * deviation, starts)
    shift = total / count
    return Buckets(
        symbol[starts],
        second[starts],
        Moments(count, first + shift, np.maximum(squares - total * shift, 0.0)),
    )


def window_moments(
    buckets: Buckets,
    symbol: NDArray[np.int64],
    second: NDArray[np.int64],
    window_seconds: int,
) -> Moments:
    """Moments of [second - window, second) for each wanted (symbol, second).

    Args:
        buckets: each (symbol, second) at most once, in any order.
        symbol: wanted codes, ascending.
        second: wanted seconds, ascending within a symbol.
        window_seconds: length of the window, at least 1.
    """
    by_symbol = buckets.by_symbol()
    found = Moments(*(np.zeros(len(symbol)) for _ in range(3)))
    for places in _blocks(symbol, second, window_seconds):
        part = _dense_windows(by_symbol, symbol[places], second[places], window_seconds)
        for whole, values in zip(found, part, strict=True):
            whole[places] = values
    return found


def _blocks(
    symbol: NDArray[np.int64], second: NDArray[np.int64], window_seconds: int
) -> Iterator[NDArray[np.intp]]:
    """Places of the wanted windows, in groups that lie close in time and fit into memory."""
    block = second // _BLOCK_SECONDS
    order = np.lexsort((symbol, block))
    rows = max(1, _MAX_CELLS // (window_seconds + _BLOCK_SECONDS))
    in_order = block[order]
    for start, end in _runs(in_order):
        places = order[start:end]
        of_symbol = symbol[places]
        # The n-th symbol of the block goes into group n // rows.
        ordinal = np.cumsum(np.diff(of_symbol, prepend=of_symbol[:1]) != 0)
        for first, last in _runs(ordinal // rows):
            yield places[first:last]


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Begin and end of each run of equal values."""
    if not len(values):
        return []
    cuts = np.flatnonzero(np.diff(values)) + 1
    return list(zip([0, *cuts.tolist()], [*cuts.tolist(), len(values)], strict=True))


def _dense_windows(
    buckets: Buckets, symbol: NDArray[np.int64], second: NDArray[np.int64], window_seconds: int
) -> Moments:
    low, high = int(second.min()), int(second.max()) + 1
    codes, row = np.unique(symbol, return_inverse=True)
    spans = _dense(buckets, codes, low - window_seconds, high)
    # The window of `second` begins at column second - low. Its shortest span stands first.
    start = second - low
    merged: Moments | None = None
    length = 1
    while True:
        if window_seconds & length:
            part = spans.taken((row, start))
            merged = part if merged is None else merged.merged(part)
            start = start + length
        length *= 2
        if length > window_seconds:
            assert merged is not None  # noqa: S101  (a window has at least one second)
            return merged
        half = length // 2
        earlier = spans.taken((slice(None), slice(None, -half)))
        spans = earlier.merged(spans.taken((slice(None), slice(half, None))))


def _dense(buckets: Buckets, codes: NDArray[np.int64], low: int, high: int) -> Moments:
    """Buckets of the symbols as one row each, one column per second of [low, high).

    The buckets are in the order of symbols, the codes ascend.
    """
    near = slice(
        np.searchsorted(buckets.symbol, codes[0]),
        np.searchsorted(buckets.symbol, codes[-1], side="right"),
    )
    symbol, second = buckets.symbol[near], buckets.second[near]
    row = np.searchsorted(codes, symbol)
    inside = (codes[row] == symbol) & (second >= low) & (second < high)
    cells = (row[inside], second[inside] - low)
    dense = Moments(*(np.zeros((len(codes), high - low)) for _ in range(3)))
    for whole, values in zip(dense, buckets.moments.taken(near), strict=True):
        whole[cells] = values[inside]
    return dense
