"""`deliver`: the stream into both raw tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import (
    AsJson,
    StorageModeOption,
    chosen_modes,
    local_home,
    local_settings,
    local_stream,
)
from tick_pipeline.cli.output import human_bytes, progress_bar, say, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.landing.delivery import DeliverySummary, Progress
    from tick_pipeline.storage import StorageMode


def deliver(
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until Ctrl-C, a flush every BUFFER_SECONDS.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="From the stream's oldest record: what raw lost comes back; `ticks` counts the rest once.",
        ),
    ] = False,
    storage_mode: StorageModeOption = None,
    as_json: AsJson = False,
) -> None:
    """Drain the stream into both raw tables; what cannot be converted goes to the error prefix."""
    from tick_pipeline.landing.delivery import deliver as run_delivery
    from tick_pipeline.orchestration.reports import report_deliveries
    from tick_pipeline.stream.housekeeping import Housekeeping

    settings = local_settings(
        "deliver",
        instead="there Firehose delivers by itself; `tick-pipeline status` tells how far it is",
    )
    modes = chosen_modes(settings, storage_mode)
    home = local_home(settings)
    stream = local_stream(home, settings)
    house = Housekeeping(stream)
    with stop_on_signals() as stop, progress_bar("deliver") as bar:

        def on_progress(progress: Progress) -> None:
            bar.update(progress.records, progress.expected)
            house.if_due()

        summaries = run_delivery(
            home,
            settings,
            stream,
            modes=modes,
            follow=follow,
            again=again,
            on_progress=on_progress,
            stop=stop,
        )
    report_deliveries(home, settings, summaries)
    if as_json:
        show_json({mode.value: summary for mode, summary in summaries.items()})
        return
    show_table(("what", *(mode.value for mode in summaries)), summary_rows(summaries))
    say("next: tick-pipeline ohlc --start T --end T, or tick-pipeline query --file lateness")


def summary_rows(summaries: Mapping[StorageMode, DeliverySummary]) -> list[tuple[Any, ...]]:
    """Deliveries side by side, for people."""
    every = list(summaries.values())
    return [
        ("records read", *(summary.records for summary in every)),
        ("rows landed", *(summary.landed for summary in every)),
        ("malformed, kept as errors", *(sum(summary.malformed.values()) for summary in every)),
        ("invalid, kept in raw", *(sum(summary.invalid.values()) for summary in every)),
        ("files", *(summary.files for summary in every)),
        ("bytes", *(human_bytes(summary.bytes) for summary in every)),
        ("hours touched", *(len(summary.hours) for summary in every)),
        ("flushes", *(summary.flushes for summary in every)),
        ("seconds", *(round(summary.seconds, 2) for summary in every)),
    ]
