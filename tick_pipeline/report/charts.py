"""The report's charts, by Bokeh as SVG: their frame takes its colours from the page, so one drawing suits any theme."""

# Bokeh's models take any property as an argument
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, NumeralTickFormatter, Span
from bokeh.plotting import figure

from tick_pipeline.event_time import US_PER_MINUTE, US_PER_MS, format_short
from tick_pipeline.plots.html import draw_alerts, draw_band, draw_candles
from tick_pipeline.plots.style import BODY_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.plots.picture import Picture
    from tick_pipeline.report.comparison import Comparison, Minute

_MINUTE_MS = US_PER_MINUTE / US_PER_MS
#: Stand-ins that nothing else is drawn in; see chart_style.
_GRID, _AXIS, _BARS, _DOTS, _LIMIT = "#010203", "#010204", "#010205", "#010206", "#010207"
_STAND_INS = {
    _GRID: "--line",
    _AXIS: "--line-strong",
    _BARS: "--neutral",
    _DOTS: "--accent",
    _LIMIT: "--warn",
}
_FONT = "system-ui, sans-serif"
#: Points of a chart at most; of more, each shows the latest of several minutes.
_MOST_POINTS = 480
#: Ticks of an axis of lateness: seconds -> label.
_LATENESS_TICKS = {
    0.001: "1 ms",
    0.01: "10 ms",
    0.1: "0.1 s",
    1: "1 s",
    10: "10 s",
    60: "1 min",
    600: "10 min",
    3600: "1 h",
    86_400: "1 day",
}


def chart_style() -> str:
    """Rules for the inside of a chart: the colours that the page has at the moment in place of the stand-ins."""
    rules = ["svg text { fill: var(--ink-2) !important; }"]
    for colour, variable in _STAND_INS.items():
        red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        for attribute in ("fill", "stroke"):
            written = (colour, f"rgb({red},{green},{blue})")
            chosen = ", ".join(f'svg [{attribute}="{text}"]' for text in written)
            rules.append(f"{chosen} {{ {attribute}: var({variable}) !important; }}")
    return "\n".join(rules)


def price_chart(picture: Picture, *, height: int) -> figure:
    """Candles, the band around them and the anomalies."""
    plot = _frame(picture.start_us, picture.end_us, height)
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    draw_band(plot, picture)
    draw_candles(plot, picture.candles)
    draw_alerts(plot, picture.alerts)
    # The page has a legend of its own, of text that can be read out and printed.
    plot.legend.visible = False
    return plot


def volume_chart(picture: Picture, above: figure) -> figure:
    """The volume of each candle, under the chart of its prices; they move together."""
    plot = _frame(picture.start_us, picture.end_us, 110)
    plot.x_range = above.x_range
    above.xaxis.visible = False
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]a")
    plot.yaxis.ticker.desired_num_ticks = 3
    source = ColumnDataSource(
        {
            "at": [candle.start_us / US_PER_MS + _MINUTE_MS / 2 for candle in picture.candles],
            "minute": [format_short(candle.start_us) for candle in picture.candles],
            "volume": [candle.volume for candle in picture.candles],
        }
    )
    plot.vbar("at", _MINUTE_MS * BODY_SHARE, "volume", source=source, color=_BARS)
    tips = [("minute", "@minute"), ("volume", "@volume{0,0.[00]}")]
    plot.add_tools(HoverTool(tooltips=tips))
    return plot


def lateness_chart(comparison: Comparison) -> figure | None:
    """The latest tick of each minute against the limit; None where no tick was sent after its event."""
    floor = min(_LATENESS_TICKS)
    shown = [
        minute for minute in _thinned(comparison.minutes) if minute.max_lateness_seconds >= floor
    ]
    if not shown:
        return None
    first_us, last_us = shown[0].minute_us, shown[-1].minute_us + US_PER_MINUTE
    ends = [comparison.lateness_seconds, *(minute.max_lateness_seconds for minute in shown)]
    plot = _frame(
        first_us,
        last_us,
        220,
        y_axis_type="log",
        y_range=(min(ends) / 2 or floor, max(ends) * 2),
    )
    source = ColumnDataSource(
        {
            "at": [minute.minute_us / US_PER_MS + _MINUTE_MS / 2 for minute in shown],
            "minute": [format_short(minute.minute_us) for minute in shown],
            "lateness": [minute.max_lateness_seconds for minute in shown],
            "rows": [minute.rows for minute in shown],
            "late": [minute.late_rows for minute in shown],
        }
    )
    plot.scatter("at", "lateness", source=source, size=6, color=_DOTS)
    plot.add_layout(
        Span(
            location=comparison.lateness_seconds,
            dimension="width",
            line_color=_LIMIT,
            line_dash="dashed",
            line_width=1.5,
        )
    )
    plot.yaxis.ticker = FixedTicker(ticks=list(_LATENESS_TICKS))
    plot.ygrid.ticker = plot.yaxis[0].ticker
    plot.yaxis.major_label_overrides = dict(_LATENESS_TICKS)
    plot.add_tools(
        HoverTool(
            tooltips=[
                ("minute", "@minute"),
                ("latest tick", "@lateness{0,0.[000]} s"),
                ("rows", "@rows{0,0}"),
                ("of them late", "@late{0,0}"),
            ]
        )
    )
    return plot


def _frame(start_us: int, end_us: int, height: int, **options: Any) -> figure:
    plot = figure(
        x_axis_type="datetime",
        x_range=(start_us / US_PER_MS, end_us / US_PER_MS),
        sizing_mode="stretch_width",
        height=height,
        output_backend="svg",
        tools="xpan,xbox_zoom,xwheel_zoom,reset",
        active_drag=None,
        active_scroll=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=64,
        min_border_right=12,
        **options,
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.xgrid.visible = False
    plot.ygrid.grid_line_color = _GRID
    plot.axis.axis_line_color = _AXIS
    plot.axis.major_tick_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.yaxis.axis_line_color = None
    plot.axis.major_label_text_font = _FONT
    plot.axis.major_label_text_font_size = "12px"
    return plot


def _thinned(minutes: Sequence[Minute]) -> list[Minute]:
    """So few that a chart can show them: of neighbours the latest one."""
    width = max(1, -(-len(minutes) // _MOST_POINTS))
    return [
        max(minutes[at : at + width], key=lambda minute: minute.max_lateness_seconds)
        for at in range(0, len(minutes), width)
    ]
