"""What a picture of anomalies shows, and the band that the score saw; pure, without I/O."""

# numpy's element types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tick_pipeline.event_time import US_PER_SECOND, format_short
from tick_pipeline.spark.moments import bucketed, window_moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tick_pipeline.spark.scoring_rules import ScoringRules

#: A picture has no more room than for so many points of a line.
_BAND_POINTS = 900


@dataclass(frozen=True)
class Candle:
    """One minute of trades: its start in microseconds since the epoch, prices in quote currency, volume in units."""

    start_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


@dataclass(frozen=True)
class Band:
    """Mean and limits of the price at some instants; arrays of one length, NaN where there is none.

    Attributes:
        at_us: microseconds since the epoch, ascending.
        mean: of the symbol's ticks in the window before, quote currency.
        low: mean - threshold x deviation.
        high: mean + threshold x deviation.
    """

    at_us: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Alert:
    """One anomaly at its tick: when, at which price, and what the table tells of it."""

    event_id: str
    at_us: int
    price: float
    metric: str
    value: float
    mean: float
    stddev: float
    zscore: float
    sample_count: int

    @property
    def upwards(self) -> bool:
        """Whether the value lies above its baseline."""
        return self.zscore > 0


@dataclass(frozen=True)
class Picture:
    """One symbol over a range of event time.

    Attributes:
        symbol: whose.
        storage_mode: where the rows come from.
        start_us: microseconds since the epoch.
        end_us: the same, exclusive.
        candles: of one minute, ascending.
        band: around the price.
        threshold: deviations from the band's mean to its limits.
        window_minutes: length of the band's window.
        alerts: ascending, of whatever metric.
        unplaced: anomalies without a tick to mark them at.
    """

    symbol: str
    storage_mode: str
    start_us: int
    end_us: int
    candles: tuple[Candle, ...]
    band: Band
    threshold: float
    window_minutes: int
    alerts: tuple[Alert, ...]
    unplaced: int = 0

    @property
    def title(self) -> str:
        """What it shows, in one line."""
        return (
            f"{self.symbol} ({self.storage_mode}) {format_short(self.start_us)} .. "
            f"{format_short(self.end_us)}: {_counted(len(self.alerts), 'alert')}"
        )

    @property
    def band_label(self) -> str:
        """What the band is."""
        return f"price, {self.window_minutes} min mean ± {self.threshold:g} sigma"


def price_band(
    event_us: NDArray[np.int64],
    price: NDArray[np.float64],
    start_us: int,
    end_us: int,
    rules: ScoringRules,
) -> Band:
    """The baseline of the price in [start, end), as the score of a tick at each instant would have it.

    Args:
        event_us: one symbol's valid ticks, ascending, from a window before the start on.
        price: theirs, quote currency.
        start_us: microseconds since the epoch.
        end_us: the same, exclusive.
        rules: window, threshold, least samples and least scale.
    """
    first, last = start_us // US_PER_SECOND, -(-end_us // US_PER_SECOND)
    step = max(1, -(-(last - first) // _BAND_POINTS))
    wanted = np.arange(first, last, step)
    if not len(event_us):
        nothing = np.full(len(wanted), np.nan)
        return _band(wanted, nothing, nothing, rules.threshold)
    second = event_us // US_PER_SECOND
    starts = np.flatnonzero(np.diff(second, prepend=second[0] - 1))
    buckets = bucketed(np.zeros(len(second), np.int64), second, price, starts)
    window = window_moments(buckets, np.zeros(len(wanted), np.int64), wanted, rules.window_seconds)
    judged = window.number >= rules.min_samples
    deviation = np.sqrt(window.m2 / np.maximum(window.number - 1.0, 1.0))
    scale = np.maximum(deviation, rules.price_floor * np.abs(window.mean))
    return _band(
        wanted,
        np.where(judged, window.mean, np.nan),
        np.where(judged, scale, np.nan),
        rules.threshold,
    )


def _band(
    second: NDArray[np.int64],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    threshold: float,
) -> Band:
    reach = threshold * scale
    return Band(second * US_PER_SECOND, mean, mean - reach, mean + reach)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
