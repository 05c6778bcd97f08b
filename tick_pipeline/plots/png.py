"""A picture as PNG, by matplotlib."""

# matplotlib's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.plots.style import (
    BAND,
    BODY_SHARE,
    FALLING,
    MEAN,
    METRIC_COLOURS,
    RISING,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tick_pipeline.plots.picture import Candle, Picture

_DPI = 100
_SECONDS_PER_DAY = 86_400
_MINUTE = 60 / _SECONDS_PER_DAY


def png_bytes(picture: Picture, width: int = 1400, height: int = 700) -> bytes:
    """Draw the picture.

    Args:
        picture: what to draw.
        width: pixels.
        height: pixels.
    """
    # No pyplot: it keeps every figure, and looks for a screen.
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    _draw_band(axes, picture)
    _draw_candles(axes, picture)
    _draw_alerts(axes, picture)
    axes.set_xlim(*_days(np.array([picture.start_us, picture.end_us])))
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("UTC")
    axes.set_title(picture.title, fontsize="medium")
    axes.grid(visible=True, alpha=0.25)
    # Below, where it hides no price.
    figure.legend(loc="outside lower left", ncols=4, fontsize="small", frameon=False)
    out = io.BytesIO()
    # Without the version of the library, equal pictures are equal bytes.
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _draw_band(axes: Axes, picture: Picture) -> None:
    band = picture.band
    days = _days(band.at_us)
    axes.fill_between(days, band.low, band.high, color=BAND, alpha=0.25, lw=0)
    axes.plot(days, band.mean, color=MEAN, lw=1, label=picture.band_label)


def _draw_candles(axes: Axes, picture: Picture) -> None:
    rising = [candle for candle in picture.candles if candle.close >= candle.open]
    falling = [candle for candle in picture.candles if candle.close < candle.open]
    for candles, colour in ((rising, RISING), (falling, FALLING)):
        if not candles:
            continue
        middle = _days(_starts(candles)) + _MINUTE / 2
        opened, high, low, close = (
            np.array([getattr(candle, name) for candle in candles])
            for name in ("open", "high", "low", "close")
        )
        axes.vlines(middle, low, high, color=colour, lw=0.8)
        bottom = np.minimum(opened, close)
        # A body without a height still shows as a line.
        axes.bar(
            middle,
            np.abs(close - opened),
            _MINUTE * BODY_SHARE,
            bottom,
            color=colour,
            edgecolor=colour,
            lw=0.6,
        )


def _draw_alerts(axes: Axes, picture: Picture) -> None:
    for metric, colour in METRIC_COLOURS.items():
        for upwards, marker, side in ((True, "^", "above"), (False, "v", "below")):
            alerts = [
                alert
                for alert in picture.alerts
                if alert.metric == metric and alert.upwards is upwards
            ]
            if alerts:
                axes.scatter(
                    _days(np.array([alert.at_us for alert in alerts])),
                    [alert.price for alert in alerts],
                    s=45,
                    marker=marker,
                    color=colour,
                    edgecolors="white",
                    linewidths=0.6,
                    zorder=3,
                    label=f"{metric} {side}: {len(alerts):,}",
                )


def _starts(candles: list[Candle]) -> NDArray[np.int64]:
    return np.array([candle.start_us for candle in candles], np.int64)


def _days(us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Days since the epoch, as matplotlib counts."""
    return us / (US_PER_SECOND * _SECONDS_PER_DAY)
