"""What the commands that make a table of whole hours share: their options, checks and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tick_pipeline.cli.options import chosen_modes, instant
from tick_pipeline.cli.output import human_bytes, say
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, format_short, widen_to_hours
from tick_pipeline.settings import Settings
from tick_pipeline.storage import LoadDataMode, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.home import Home
    from tick_pipeline.landing.read_marks import Mark
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.spark.report import JobReport

StartOption = Annotated[str, typer.Option(help="ISO 8601, UTC; widened to whole hours.")]
EndOption = Annotated[str, typer.Option(help="ISO 8601, UTC, exclusive; widened to whole hours.")]
LoadOption = Annotated[
    LoadDataMode | None,
    typer.Option("--load-data-mode", help="How raw is read; each mode's own if not given."),
]


class Hours(NamedTuple):
    """What was asked for: the first attributes of `spark.request.HoursRequest`, in its order."""

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None


def asked_hours(
    start: str,
    end: str,
    mode: StorageMode | None,
    load: LoadDataMode | None,
    settings: Settings,
    *,
    made: str,
) -> Hours:
    """The options as values; what a user should know of them is said.

    Args:
        start: as given.
        end: as given.
        mode: as given.
        load: as given.
        settings: of the run.
        made: what the command makes, for people.

    Raises:
        InputError: an option cannot be used.
    """
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
    modes = chosen_modes(settings, mode)
    _check_read_mode(load, modes, settings, made)
    return Hours(first_us, last_us, modes, load)


def say_where_partitions_begin(home: Home, start_us: int) -> None:
    """Tell of hours that Dagster has no partitions for."""
    if start_us < home.partitions_start_us:
        say(
            f"hours before {format_short(home.partitions_start_us)} are no partitions of this HOME; "
            "TICK_PIPELINE_PARTITIONS_START sets where they begin"
        )


def raw_marks(deployment: Deployment, hours: Hours) -> dict[StorageMode, Mark]:
    """What a job that begins now can read of each mode's raw; see resources/landed.py.

    Raises:
        AwsError: the catalog could not be read.
    """
    landed_files = deployment.landed_files()
    return {mode: landed_files.mark(mode) for mode in hours.storage_modes}


def rows_of_reading(reports: Sequence[JobReport]) -> list[tuple[Any, ...]]:
    """What runs of a job read, side by side, for people."""
    return [
        ("files read", *(report.files for report in reports)),
        ("bytes read", *(human_bytes(report.bytes) for report in reports)),
        ("read seconds", *(round(report.read_seconds, 2) for report in reports)),
        ("seconds", *(round(report.seconds, 2) for report in reports)),
    ]


def _check_read_mode(
    load: LoadDataMode | None, modes: Sequence[StorageMode], settings: Settings, made: str
) -> None:
    """Refuse to read raw of a mode that is switched off; say it where modes are crossed.

    Raises:
        InputError: its raw is not kept up, so what is made from it would be wrong.
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
            say(f"{made} of {mode} are made from {source}.raw")


def say_next(reports: Sequence[JobReport], query: str) -> None:
    """The query that shows what was made; where nothing was read, how to find hours that hold something."""
    if any(report.rows for report in reports):
        say(f"next: tick-pipeline query --file {query}")
    else:
        sql = f"select max(event_at) as newest from {reports[0].storage_mode}.ticks"  # noqa: S608  (a closed set of names)
        say(f'raw has no ticks in these hours; the newest: tick-pipeline query "{sql}"')
