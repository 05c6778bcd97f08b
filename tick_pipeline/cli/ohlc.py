"""`ohlc`: candles of whole hours, by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.hours import (
    EndOption,
    LoadOption,
    StartOption,
    asked_hours,
    raw_marks,
    rows_of_reading,
    say_next,
    say_where_partitions_begin,
)
from tick_pipeline.cli.options import AsJson, StorageModeOption, deployment_of
from tick_pipeline.cli.output import progress_bar, show_json, show_table
from tick_pipeline.errors import InputError
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.spark.report import OhlcReport


def ohlc(
    start: StartOption,
    end: EndOption,
    storage_mode: StorageModeOption = None,
    load_data_mode: LoadOption = None,
    timeframes: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(TIMEFRAMES),
    as_json: AsJson = False,
) -> None:
    """Recompute the candles of whole hours from raw; a rerun changes nothing."""
    from tick_pipeline.orchestration.reports import report_candles
    from tick_pipeline.spark.request import OhlcRequest

    settings = load_settings()
    hours = asked_hours(start, end, storage_mode, load_data_mode, settings, made="candles")
    request = OhlcRequest(*hours, timeframes=parse_timeframes(timeframes))
    deployment = deployment_of(settings)
    say_where_partitions_begin(deployment.home, hours.start_us)
    marks = raw_marks(deployment, hours)
    with progress_bar("candles by Spark"):
        reports = deployment.spark_jobs().run_ohlc(request)
    report_candles(deployment.home, settings, reports, marks)
    if as_json:
        show_json(reports)
        return
    show_table(("what", *(report.storage_mode for report in reports)), report_rows(reports))
    say_next(reports, "latest_candles")


def parse_timeframes(text: str) -> tuple[str, ...]:
    """`1m,5m` as names, in the table's order.

    Raises:
        InputError: a timeframe is not known, or none is named.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in TIMEFRAMES]
    if unknown or not names:
        raise InputError(f"--timeframes {text!r}: name one or more of {', '.join(TIMEFRAMES)}")
    return tuple(name for name in TIMEFRAMES if name in names)


def report_rows(reports: Sequence[OhlcReport]) -> list[tuple[Any, ...]]:
    """Runs of the job side by side, for people."""
    timeframes = sorted({name for report in reports for name in report.candles})
    return [
        ("read as", *(report.load_data_mode for report in reports)),
        ("rows read", *(report.rows for report in reports)),
        ("invalid", *(report.invalid for report in reports)),
        ("duplicates", *(report.duplicates for report in reports)),
        ("conflicting duplicates", *(report.conflicting_duplicates for report in reports)),
        *(
            (f"candles {name}", *(report.candles.get(name) for report in reports))
            for name in timeframes
        ),
        *rows_of_reading(reports),
    ]
