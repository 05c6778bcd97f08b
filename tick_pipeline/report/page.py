"""The comparison as one HTML page that needs no other file and asks no server."""

# Bokeh's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
from bokeh.embed import components
from bokeh.resources import Resources

from tick_pipeline import __version__
from tick_pipeline.errors import WorkError
from tick_pipeline.home import write_atomically
from tick_pipeline.plots.html import POLICY
from tick_pipeline.plots.style import FALLING, METRIC_COLOURS, RISING
from tick_pipeline.report import words
from tick_pipeline.report.charts import chart_style, lateness_chart, price_chart, volume_chart
from tick_pipeline.report.comparison import NotMeasured
from tick_pipeline.report.standard_queries import VOLUME_BY_SYMBOL
from tick_pipeline.report.tables import (
    check_rows,
    late_hours,
    query_rows,
    scan_rows,
    stored_rows,
)
from tick_pipeline.report.verdict import decide
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tick_pipeline.plots.picture import Picture
    from tick_pipeline.report.comparison import Comparison

_TALL, _LOW = 340, 220


def page_text(comparison: Comparison, pictures: Sequence[Picture]) -> str:
    """The page; about 1.5 MB, most of it Bokeh's script."""
    # Its own types know its own filters alone.
    environment: Any = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(words, name)
        for name in ("count", "size", "seconds", "usd", "moment", "hour", "bytes_of")
    }
    environment.tests["measured"] = _is_measured
    environment.globals["shown"] = environment.filters
    script, charts = _charts(comparison, pictures)
    return environment.from_string(_own_text("page.html")).render(
        comparison=comparison,
        verdict=decide(comparison),
        modes=tuple(StorageMode),
        mode_names=words.MODE_NAMES,
        times=words.times,
        queries=query_rows(comparison),
        scans=scan_rows(comparison),
        question_of_json=VOLUME_BY_SYMBOL.question,
        stored=stored_rows(comparison),
        late_hours=late_hours(comparison),
        check_rows=check_rows(comparison),
        pictures=pictures,
        charts=charts,
        chart_script=script,
        policy=POLICY,
        style=_own_text("page.css"),
        chart_style=chart_style(),
        behaviour=_own_text("page.js"),
        market={"rising": RISING, "falling": FALLING, "metrics": METRIC_COLOURS},
        version=__version__,
    )


def write_page(path: Path, text: str) -> None:
    """Replace the file by the page.

    Raises:
        WorkError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise WorkError(
            f"{path} cannot be written: {error.strerror}; --out names another"
        ) from error


def _charts(comparison: Comparison, pictures: Sequence[Picture]) -> tuple[str, dict[str, str]]:
    """The scripts that draw the charts, Bokeh's own among them, and where each goes; nothing without charts."""
    plots: dict[str, Any] = {}
    for number, picture in enumerate(pictures):
        plots[f"price{number}"] = price_chart(picture, height=_LOW if number else _TALL)
    if pictures:
        plots["volume"] = volume_chart(pictures[0], plots["price0"])
    if lateness := lateness_chart(comparison):
        plots["lateness"] = lateness
    if not plots:
        return "", {}
    drawing, places = components(plots)
    library = Resources(mode="inline", components=["bokeh"], log_level="error").render_js()
    return f"{library}\n{drawing}", places


def _is_measured(figures: object) -> bool:
    return not isinstance(figures, NotMeasured)


def _own_text(name: str) -> str:
    return (files("tick_pipeline.report") / name).read_text(encoding="utf-8")
