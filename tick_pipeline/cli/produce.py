"""`produce`: simulated ticks into the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import progress_bar, say, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.event_time import format_short
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.producer.simulate import SimulationSummary


def produce(
    scenario: Annotated[str, typer.Option(help="What happens; a wrong name lists them.")],
    duration: Annotated[float, typer.Option(help="Seconds of trading to cover.")],
    rate: Annotated[float, typer.Option(help="Ticks per second over all symbols.")] = 60.0,
    symbols: Annotated[int, typer.Option(help="How many symbols trade.")] = 10,
    seed: Annotated[int, typer.Option(help="Names the price paths.")] = 1,
    past: Annotated[
        bool, typer.Option("--past", help="Cover the seconds before now, as fast as it goes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate ticks and put them into the stream, in real time or over a past period."""
    from tick_pipeline.producer.simulate import SimulationRequest, run_simulation

    settings = load_settings()
    request = SimulationRequest(
        scenario=scenario,
        duration_seconds=duration,
        rate=rate,
        symbols=symbols,
        seed=seed,
        past=past,
        lateness_seconds=settings.lateness_seconds,
    )
    deployment = deployment_of(settings)
    stream = deployment.stream()
    with stop_on_signals() as stop, progress_bar(f"produce {scenario}") as bar:
        summary = run_simulation(
            stream,
            request,
            labels_folder=deployment.home.labels,
            on_progress=lambda progress: bar.update(progress.sent, progress.expected),
            stop=stop,
        )
    if as_json:
        show_json(summary)
        return
    show_table(("what", "figure"), summary_rows(summary), title=f"produced: {scenario}")
    if summary.stopped:
        say("stopped before the end of the duration")
    say(f"next: {deployment.after_put}")


def summary_rows(summary: SimulationSummary) -> list[tuple[str, Any]]:
    """A run of the simulator, for people."""
    return [
        ("source", summary.source),
        ("window", f"{format_short(summary.start_us)} .. {format_short(summary.end_us)}"),
        ("records sent", summary.sent),
        ("of them malformed", summary.malformed),
        ("of them invalid", summary.invalid),
        ("of them duplicates", summary.duplicates),
        ("of them late", summary.late),
        ("events injected", summary.injected),
        ("seconds", round(summary.seconds, 2)),
        ("ticks per second", round(summary.rate)),
        ("labels", str(summary.labels)),
    ]
