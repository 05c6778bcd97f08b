"""A picture as one HTML file that needs no other and asks no server, by Bokeh."""

# Bokeh's models take any property as an argument
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.embed import file_html
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from bokeh.resources import INLINE

from tick_pipeline.event_time import US_PER_MINUTE, US_PER_MS, format_instant
from tick_pipeline.plots.style import (
    BAND,
    BODY_SHARE,
    FALLING,
    MEAN,
    METRIC_COLOURS,
    RISING,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.plots.picture import Alert, Candle, Picture

_MINUTE_MS = US_PER_MINUTE / US_PER_MS
#: A browser that obeys it fetches nothing, whatever the script in the file might want.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    'font-src data:">'
)
_CANDLE_TIPS = [
    ("minute", "@minute"),
    *((name, f"@{name}{{0,0.[0000]}}") for name in ("open", "high", "low", "close")),
]
_ALERT_TIPS = [
    ("tick", "@event_id"),
    ("time", "@time"),
    ("price", "@price{0,0.[0000]}"),
    ("metric", "@metric"),
    ("z", "@zscore{0.00}"),
    ("value", "@value"),
    ("mean", "@mean"),
    ("stddev", "@stddev"),
    ("samples", "@sample_count{0,0}"),
]


def html_text(picture: Picture) -> str:
    """Draw the picture; it is about a megabyte, nearly all of it Bokeh's script."""
    plot = figure(
        title=picture.title,
        x_axis_type="datetime",
        x_axis_label="UTC",
        sizing_mode="stretch_both",
        min_height=420,
        x_range=(picture.start_us / US_PER_MS, picture.end_us / US_PER_MS),
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
    )
    plot.toolbar.logo = None
    draw_band(plot, picture)
    draw_candles(plot, picture.candles)
    draw_alerts(plot, picture.alerts)
    plot.legend.orientation = "horizontal"
    plot.add_layout(plot.legend[0], "below")
    plot.legend.click_policy = "hide"
    page = file_html(plot, INLINE, title=picture.title)
    return page.replace("<head>", f"<head>\n    {POLICY}", 1)


def draw_band(plot: Any, picture: Picture) -> None:
    """The mean of the price and its limits."""
    band = picture.band
    source = ColumnDataSource(
        {
            "at": band.at_us / US_PER_MS,
            "mean": band.mean,
            "low": band.low,
            "high": band.high,
        }
    )
    label = picture.band_label
    plot.varea("at", "low", "high", source=source, color=BAND, alpha=0.3, legend_label=label)
    plot.line("at", "mean", source=source, color=MEAN, legend_label=label)


def draw_candles(plot: Any, candles: Sequence[Candle]) -> None:
    """A body and a wick for each minute, told on hovering."""
    colours = [RISING if candle.close >= candle.open else FALLING for candle in candles]
    source = ColumnDataSource(
        {
            "middle": [candle.start_us / US_PER_MS + _MINUTE_MS / 2 for candle in candles],
            "minute": [format_instant(candle.start_us) for candle in candles],
            "open": [candle.open for candle in candles],
            "high": [candle.high for candle in candles],
            "low": [candle.low for candle in candles],
            "close": [candle.close for candle in candles],
            "colour": colours,
        }
    )
    plot.segment("middle", "high", "middle", "low", source=source, color="colour")
    bodies = plot.vbar(
        "middle", _MINUTE_MS * BODY_SHARE, "open", "close", source=source, color="colour"
    )
    plot.add_tools(HoverTool(renderers=[bodies], tooltips=_CANDLE_TIPS))


def draw_alerts(plot: Any, alerts: Sequence[Alert]) -> None:
    """A triangle at each anomaly's tick, told on hovering."""
    drawn: list[Any] = []
    for metric, colour in METRIC_COLOURS.items():
        of_metric = [alert for alert in alerts if alert.metric == metric]
        if not of_metric:
            continue
        drawn.append(
            plot.scatter(
                "at",
                "price",
                source=ColumnDataSource(_columns(of_metric)),
                size=10,
                marker="marker",
                color=colour,
                line_color="white",
                legend_label=f"{metric}: {len(of_metric):,}",
            )
        )
    plot.add_tools(HoverTool(renderers=drawn, tooltips=_ALERT_TIPS))


def _columns(alerts: Sequence[Alert]) -> dict[str, list[Any]]:
    names = ("event_id", "price", "metric", "value", "mean", "stddev", "zscore", "sample_count")
    return {
        **{name: [getattr(alert, name) for alert in alerts] for name in names},
        "at": [alert.at_us / US_PER_MS for alert in alerts],
        "time": [format_instant(alert.at_us) for alert in alerts],
        "marker": ["triangle" if alert.upwards else "inverted_triangle" for alert in alerts],
    }
