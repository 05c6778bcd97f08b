"""`ohlc`: candles of whole hours, by Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import (
    AsJson,
    StorageModeOption,
    chosen_modes,
    instant,
    local_home,
    local_settings,
)
from tick_pipeline.cli.output import human_bytes, progress_bar, say, show_json, show_table
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import (
    MAX_EVENT_US,
    MIN_EVENT_US,
    format_short,
    widen_to_hours,
)
from tick_pipeline.settings import Settings
from tick_pipeline.storage import TIMEFRAMES, LoadDataMode, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.spark.report import OhlcReport


def ohlc(
    start: Annotated[str, typer.Option(help="ISO 8601, UTC; widened to whole hours.")],
    end: Annotated[str, typer.Option(help="ISO 8601, UTC, exclusive; widened to whole hours.")],
    storage_mode: StorageModeOption = None,
    load_data_mode: Annotated[
        LoadDataMode | None,
        typer.Option("--load-data-mode", help="How raw is read; each mode's own if not given."),
    ] = None,
    timeframes: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(TIMEFRAMES),
    as_json: AsJson = False,
) -> None:
    """Recompute the candles of whole hours from raw; a rerun changes nothing."""
    from tick_pipeline.orchestration.reports import report_candles
    from tick_pipeline.resources.spark_jobs import LocalSparkJobs
    from tick_pipeline.spark.request import OhlcRequest

    settings = local_settings()
    start_us, end_us = instant(start, "--start"), instant(end, "--end")
    try:
        first_us, last_us = widen_to_hours(start_us, end_us)
    except (ValueError, OverflowError) as error:
        raise InputError(f"--start, --end: {error}") from error
    if first_us < MIN_EVENT_US or last_us > MAX_EVENT_US:
        raise InputError(
            f"--start {start}, --end {end}: ticks have event times from {format_short(MIN_EVENT_US)} "
            f"to {format_short(MAX_EVENT_US)}"
        )
    if (first_us, last_us) != (start_us, end_us):
        say(f"widened to whole hours: {format_short(first_us)} .. {format_short(last_us)}")
    modes = chosen_modes(settings, storage_mode)
    check_read_mode(load_data_mode, modes, settings)
    request = OhlcRequest(
        start_us=first_us,
        end_us=last_us,
        storage_modes=modes,
        load_data_mode=load_data_mode,
        timeframes=parse_timeframes(timeframes),
    )
    home = local_home(settings)
    if first_us < home.partitions_start_us:
        say(
            f"hours before {format_short(home.partitions_start_us)} are no partitions of this HOME; "
            "TICK_PIPELINE_PARTITIONS_START sets where they begin"
        )
    with progress_bar("candles by Spark"):
        reports = LocalSparkJobs(home, settings).run_ohlc(request)
    report_candles(home, settings, reports)
    if as_json:
        show_json(reports)
        return
    show_table(("what", *(report.storage_mode for report in reports)), report_rows(reports))
    say("next: tick-pipeline query --file latest_candles")


def check_read_mode(
    load: LoadDataMode | None, modes: Sequence[StorageMode], settings: Settings
) -> None:
    """Refuse to read raw of a mode that is switched off; say it where modes are crossed.

    Raises:
        InputError: its raw is not kept up, so candles from it would be wrong.
    """
    if load is None:
        return
    source = StorageMode.ICEBERG if load is LoadDataMode.ICEBERG else StorageMode.PARQUET_PROJECTION
    if source not in settings.storage_modes:
        raise InputError(
            f"--load-data-mode {load} reads {source}.raw, which TICK_PIPELINE_STORAGE_MODES="
            f"{','.join(settings.storage_modes)} switches off"
        )
    for mode in modes:
        if mode is not source:
            say(f"candles of {mode} are made from {source}.raw")


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
        ("files read", *(report.files for report in reports)),
        ("bytes read", *(human_bytes(report.bytes) for report in reports)),
        ("read seconds", *(round(report.read_seconds, 2) for report in reports)),
        ("seconds", *(round(report.seconds, 2) for report in reports)),
    ]
