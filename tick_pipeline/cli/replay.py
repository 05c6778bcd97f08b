"""`replay`: real trades from a file into the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import progress_bar, say, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.event_time import format_instant
from tick_pipeline.settings import load_settings


def replay(
    file: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet, one trade a row.")],
    file_format: Annotated[
        str, typer.Option("--format", help="auto, generic, binance, taq or databento.")
    ] = "auto",
    speed: Annotated[
        str, typer.Option(help="max, or as 1x or 60x of the tape's own time.")
    ] = "max",
    column_map: Annotated[
        str, typer.Option("--map", help="Columns by field, as event_time=TIME,price=PX.")
    ] = "",
    source: Annotated[
        str | None, typer.Option(help="Who numbered the trades; the file's content hash if absent.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="The symbol, where no column tells it.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Of local exchange times (taq).")
    ] = "America/New_York",
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Count and leave out bad rows, not refuse them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put the trades of a file into the stream; the same file twice gives the same ids."""
    from tick_pipeline.producer.replay import (
        ReplayRequest,
        parse_map,
        replay_file,
    )

    deployment = deployment_of(load_settings())
    request = ReplayRequest(
        path=file,
        format=file_format,
        speed=speed,
        columns=parse_map(column_map),
        source=source,
        symbol=symbol,
        skip_invalid=skip_invalid,
        timezone=timezone,
        first_event_us=deployment.first_event_us,
    )
    stream = deployment.stream()
    with stop_on_signals() as stop, progress_bar(f"replay {file.name}") as bar:
        summary = replay_file(
            stream,
            request,
            on_progress=lambda progress: bar.update(progress.sent, progress.expected),
            stop=stop,
        )
    if as_json:
        show_json(summary)
        return
    rows: list[tuple[str, Any]] = [
        ("source", summary.source),
        ("rows", summary.rows),
        ("ticks sent", summary.sent),
        *((f"skipped: {reason}", count) for reason, count in summary.skipped.items()),
        ("symbols", ", ".join(summary.symbols)),
        ("first trade", "" if summary.first_us is None else format_instant(summary.first_us)),
        ("last trade", "" if summary.last_us is None else format_instant(summary.last_us)),
        ("hours", summary.hours),
        ("seconds", round(summary.seconds, 2)),
        ("ticks per second", round(summary.rate)),
    ]
    show_table(("what", "figure"), rows, title=f"replayed: {file.name}")
    if summary.rejected:
        say(f"{summary.rejected} records were refused by the stream and kept under its rejected/")
    if summary.stopped:
        say("stopped before the end of the file; run it again to send the rest")
    say(f"next: {deployment.after_put}")
