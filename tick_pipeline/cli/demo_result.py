"""What a demo did, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.cli.output import say, show, show_table
from tick_pipeline.event_time import format_short

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.evaluation.matching import EventOutcome
    from tick_pipeline.producer.simulate import SimulationSummary
    from tick_pipeline.settings import Settings


@dataclass(frozen=True)
class CheckOutcome:
    """One asset check of the run: `ok`, `warn` or `error`, and what it found."""

    asset: str
    check: str
    outcome: str
    description: str


@dataclass(frozen=True)
class DemoResult:
    """One demo.

    Attributes:
        produced: what the simulator sent.
        tables: `storage_mode/table` -> numbers of its materialization, over the whole hours of the window.
        checks: every asset check of the run.
        parity: table -> whether both modes hold the same; empty where one mode is switched off.
        streamed: storage mode -> anomalies that the streaming job added.
        injected: every event that the simulator injected, and whether it was found.
        false_alerts: anomalies of the window that belong to no injected event.
        report: the page that compares the storage modes; None where one mode is switched off.
        run_ids: job -> Dagster's run.
        seconds: wall time of each step.
    """

    produced: SimulationSummary
    tables: dict[str, dict[str, Any]]
    checks: list[CheckOutcome]
    parity: dict[str, bool]
    streamed: dict[str, int]
    injected: list[EventOutcome]
    false_alerts: int
    report: Path | None
    run_ids: dict[str, str]
    seconds: dict[str, float]


def show_demo(result: DemoResult, settings: Settings) -> None:
    """The result as tables, and what to look at next."""
    produced, modes = result.produced, [mode.value for mode in settings.storage_modes]

    def row(title: str, table: str, name: str) -> tuple[Any, ...]:
        return (title, *(result.tables[f"{mode}/{table}"][name] for mode in modes))

    rows: list[tuple[Any, ...]] = [
        ("ticks sent", *(produced.sent for _ in modes)),
        row("landed in raw", "raw", "landed"),
        row("malformed, kept as errors", "raw", "malformed, kept as errors"),
        row("invalid, kept in raw", "raw", "invalid"),
        row("duplicates, counted once", "raw", "duplicates"),
        row("candles 1m", "aggregated_1m", "dagster/row_count"),
        row("candles 5m", "aggregated_5m", "dagster/row_count"),
        ("anomalies added by the stream", *(result.streamed.get(mode) for mode in modes)),
        row("anomalies by batch", "anomalies", "dagster/row_count"),
        *(
            (f"parity: {table}", *("equal" if equal else "DIFFER" for _ in modes))
            for table, equal in result.parity.items()
        ),
    ]
    window = f"{format_short(produced.start_us)} .. {format_short(produced.end_us)}"
    show_table(("", *modes), rows, title=window)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items())
    show(f"{sum(result.seconds.values()):.1f} s: {steps}")
    count = Counter(check.outcome for check in result.checks)
    errors = "1 error" if count["error"] == 1 else f"{count['error']} errors"
    show(f"checks: {count['ok']} ok, {count['warn']} warnings, {errors}")
    for check in result.checks:
        if check.outcome != "ok":
            show(f"  {check.outcome}: {check.check} of {check.asset}: {check.description}")
    show("invalid, duplicates, candles and anomalies are those of the whole hours of the window")
    _show_injected(result)
    if result.report is not None:
        show(f"report: {result.report}")
    say(f"everything that was injected: {produced.labels}")
    say("what to look at next:")
    say("  make ui     the same in Dagster: lineage, checks, this run")
    for command in (
        "tick-pipeline query --file latest_candles",
        "tick-pipeline query --file top_movers",
        "tick-pipeline query --file anomalies_with_candle",
        "tick-pipeline anomalies plot",
        "tick-pipeline status",
    ):
        say(f"  .venv/bin/{command}")


def _show_injected(result: DemoResult) -> None:
    """Each injected event, and whether an anomaly is its."""
    if result.injected:
        rows = [
            (
                outcome.event.kind,
                outcome.event.symbol,
                format_short(outcome.event.start_us),
                "-" if outcome.event.size_sigmas is None else f"{outcome.event.size_sigmas:+.1f}",
                f"found, {outcome.delay_seconds:.1f} s" if outcome.found else "missed",
            )
            for outcome in result.injected
        ]
        show_table(("injected", "symbol", "at", "sigmas", "anomaly"), rows)
    found = sum(outcome.found for outcome in result.injected)
    show(
        f"anomalies: {found} of {len(result.injected)} injected events found, "
        f"{result.false_alerts} alerts beside them"
    )
