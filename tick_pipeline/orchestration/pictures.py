"""A picture in a materialization, as Markdown that carries it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import dagster as dg

from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import US_PER_HOUR

if TYPE_CHECKING:
    from tick_pipeline.orchestration.metadata import Metadata
    from tick_pipeline.orchestration.partitions import Window
    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.spark.report import AnomalyReport
    from tick_pipeline.spark.scoring_rules import ScoringRules

#: Of more, a minute is too narrow; and every hour of a run keeps the picture of the run.
_MOST_HOURS = 12
_WIDTH, _HEIGHT = 900, 450


def anomaly_picture(
    engine: QueryEngine, report: AnomalyReport, window: Window, rules: ScoringRules
) -> Metadata:
    """The symbol with the most anomalies in the last hours of the window; empty without any."""
    from tick_pipeline.plots.load import Wanted, load_picture  # noqa: PLC0415
    from tick_pipeline.plots.png import png_bytes  # noqa: PLC0415  (matplotlib takes a second)
    from tick_pipeline.storage import StorageMode  # noqa: PLC0415

    symbol = next(iter(report.by_symbol), None)
    if symbol is None:
        return {}
    start_us = max(window.start_us, window.end_us - _MOST_HOURS * US_PER_HOUR)
    try:
        mode = StorageMode(report.storage_mode)
        wanted = Wanted(symbol, start_us, window.end_us)
        png = png_bytes(load_picture(engine, mode, wanted, rules), _WIDTH, _HEIGHT)
    except (InputError, WorkError):
        # There may be no candles yet; the anomalies stand without them.
        return {}
    text = base64.b64encode(png).decode()
    return {"picture": dg.MetadataValue.md(f"![{symbol}](data:image/png;base64,{text})")}
