"""`report`: the page that compares both storage modes, measured on this data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.cli.options import AsJson, deployment_of, instant
from tick_pipeline.cli.output import human_bytes, progress_bar, say, show, show_json
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_short, widen_to_hours
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.report.comparison import Comparison
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings


def report(
    out: Annotated[
        Path | None, typer.Option(help="The page; report/index.html in HOME if not given.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="ISO 8601, UTC; the newest 24 hours with ticks if not given.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601, UTC, exclusive; with --start.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare Iceberg and projected Parquet by what they hold, read, take and cost: one HTML page."""
    from tick_pipeline.report.make import default_page
    from tick_pipeline.report.verdict import decide

    settings = load_settings()
    hours = _hours(start, end)
    page = (out or default_page(settings)).expanduser().absolute()
    if page.is_dir():
        raise InputError(f"--out {page} is a folder: name a file")
    with progress_bar("measuring both storage modes"):
        comparison = write_report(deployment_of(settings), settings, page, hours)
    verdict = decide(comparison)
    if as_json:
        show_json({"page": page, "verdict": verdict, "comparison": comparison})
        return
    say(verdict.headline)
    for decider in verdict.deciders:
        say(f"  {decider.title}: {decider.sentence}")
    say(f"{human_bytes(page.stat().st_size)}, measured in {comparison.seconds:.1f} s")
    show(str(page))


def write_report(
    deployment: Deployment, settings: Settings, page: Path, hours: tuple[int, int] | None = None
) -> Comparison:
    """Measure, write the page, and tell Dagster.

    Raises:
        SettingsError: one storage mode is switched off.
        WorkError: something could not be read, or the page not be written.
    """
    from tick_pipeline.orchestration.history import read_history
    from tick_pipeline.orchestration.instance import open_instance
    from tick_pipeline.orchestration.reports import report_comparison
    from tick_pipeline.report.make import make_report
    from tick_pipeline.report.measure import Sources

    with open_instance(deployment.home, settings) as instance:
        sources = Sources(
            settings,
            deployment.query_engine(),
            deployment.tables(),
            deployment.landing(),
            read_history(instance),
        )
        comparison = make_report(sources, page, hours)
        report_comparison(instance, comparison, page)
    return comparison


def _hours(start: str | None, end: str | None) -> tuple[int, int] | None:
    """The hours that were asked for, widened to whole ones.

    Raises:
        InputError: one of the two is missing, or they are no range.
    """
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InputError("--start and --end go together; give both or neither")
    asked = instant(start, "--start"), instant(end, "--end")
    try:
        hours = widen_to_hours(*asked)
    except ValueError as error:
        raise InputError(f"--start, --end: {error}") from error
    if hours != asked:
        say(f"widened to whole hours: {format_short(hours[0])} .. {format_short(hours[1])}")
    return hours
