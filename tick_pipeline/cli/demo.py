"""`demo`: the whole pipeline once, as one run of Dagster, and what it did as one table."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson, local_home, local_settings, local_stream
from tick_pipeline.cli.output import progress_bar, say, show, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import US_PER_MINUTE, format_short, now_us, widen_to_hours

if TYPE_CHECKING:
    import dagster as dg

    from tick_pipeline.home import Home
    from tick_pipeline.producer.simulate import SimulationRequest, SimulationSummary
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
        run_id: Dagster's run.
        seconds: wall time of each step.
    """

    produced: SimulationSummary
    tables: dict[str, dict[str, Any]]
    checks: list[CheckOutcome]
    parity: dict[str, bool]
    run_id: str
    seconds: dict[str, float]


def demo(
    minutes: Annotated[float, typer.Option(help="How many minutes of trading before now.")] = 30,
    scenario: Annotated[str, typer.Option(help="What happens.")] = "mixed",
    as_json: AsJson = False,
) -> None:
    """Simulate, then land, make candles and check them as one Dagster run, on this machine."""
    from tick_pipeline.producer.simulate import SimulationRequest

    settings = local_settings()
    request = SimulationRequest(
        scenario=scenario,
        duration_seconds=minutes * 60,
        past=True,
        lateness_seconds=settings.lateness_seconds,
    )
    home = local_home(settings)
    if now_us() - minutes * US_PER_MINUTE < home.partitions_start_us:
        raise InputError(
            f"--minutes {minutes:g} begins before {format_short(home.partitions_start_us)}, the first "
            "hour of this HOME's partitions; take fewer, or set TICK_PIPELINE_PARTITIONS_START"
        )
    result = _run(request, home, settings)
    if as_json:
        show_json(result)
    else:
        _show(result, settings)
    wrong = [check for check in result.checks if check.outcome == "error"]
    if wrong:
        raise WorkError(
            "; ".join(f"{check.check} of {check.asset}: {check.description}" for check in wrong)
        )


def _run(request: SimulationRequest, home: Home, settings: Settings) -> DemoResult:
    from tick_pipeline.producer.simulate import run_simulation

    stream = local_stream(home, settings)
    clock = _Clock()
    with stop_on_signals() as stop, progress_bar("1/2 ticks into the stream") as bar:
        produced = run_simulation(
            stream,
            request,
            labels_folder=home.labels,
            on_progress=lambda progress: bar.update(progress.sent, progress.expected),
            stop=stop,
        )
        if stop.is_set():
            raise KeyboardInterrupt
    clock.lap("produce")
    with progress_bar("2/2 both raw tables, candles by Spark, checks: Dagster's job ohlc_batch"):
        result = _run_hours(home, settings, produced)
    clock.lap("ohlc_batch")
    tables, checks = _tables(result), _checks(result)
    return DemoResult(
        produced=produced,
        tables=tables,
        checks=checks,
        parity={
            check.asset.partition("/")[2]: check.outcome == "ok"
            for check in checks
            if check.check == "storage_parity"
        },
        run_id=result.run_id,
        seconds=clock.laps,
    )


def _run_hours(
    home: Home, settings: Settings, produced: SimulationSummary
) -> dg.ExecuteInProcessResult:
    """`ohlc_batch` over the hours that the ticks touch.

    Raises:
        WorkError: a step failed; the run in the web interface tells all.
    """
    from tick_pipeline.orchestration.instance import open_instance
    from tick_pipeline.orchestration.local_runs import run_job
    from tick_pipeline.orchestration.partitions import Window

    window = Window(*widen_to_hours(produced.start_us, produced.end_us))
    with open_instance(home, settings) as instance:
        result = run_job(instance, "ohlc_batch", window)
    failures = result.get_step_failure_events()
    if failures:
        error = failures[0].step_failure_data.error
        cause = error.cause if error and error.cause else error
        # Without the name of the error's class.
        reason = re.sub(r"^[\w.]+: ", "", cause.message.strip()) if cause else "no reason was told"
        raise WorkError(
            f"{failures[0].step_key} failed: {reason}; run {result.run_id} in `make ui`"
        )
    return result


def _tables(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Numbers of each materialization; the newest where an hour of the range has its own."""
    tables: dict[str, dict[str, Any]] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        tables[materialization.asset_key.to_user_string()] = {
            name: value.value
            for name, value in materialization.metadata.items()
            if isinstance(value.value, int | float)
        }
    return tables


def _checks(result: dg.ExecuteInProcessResult) -> list[CheckOutcome]:
    return [
        CheckOutcome(
            found.asset_key.to_user_string(),
            found.check_name,
            "ok" if found.passed else found.severity.value.lower(),
            found.description or "",
        )
        for found in result.get_asset_check_evaluations()
    ]


class _Clock:
    """Wall seconds of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def _show(result: DemoResult, settings: Settings) -> None:
    produced, modes = result.produced, [mode.value for mode in settings.storage_modes]

    def row(title: str, table: str, name: str) -> tuple[Any, ...]:
        return (title, *(result.tables[f"{mode}/{table}"][name] for mode in modes))

    rows: list[tuple[Any, ...]] = [
        ("ticks sent", *(produced.sent for _ in modes)),
        row("landed in raw", "raw", "landed by this run"),
        row("malformed, kept as errors", "raw", "malformed, kept as errors"),
        row("invalid, kept in raw", "raw", "invalid"),
        row("duplicates, counted once", "raw", "duplicates"),
        row("candles 1m", "aggregated_1m", "dagster/row_count"),
        row("candles 5m", "aggregated_5m", "dagster/row_count"),
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
    show(f"checks: {count['ok']} ok, {count['warn']} warnings, {count['error']} errors")
    for check in result.checks:
        if check.outcome != "ok":
            show(f"  {check.outcome}: {check.check} of {check.asset}: {check.description}")
    show("invalid, duplicates and candles are those of the whole hours that the window touches")
    say(f"what was injected: {produced.labels}")
    say("what to look at next:")
    say("  make ui     the same in Dagster: lineage, checks, this run")
    for command in (
        "tick-pipeline query --file latest_candles",
        "tick-pipeline query --file top_movers",
        "tick-pipeline query --file lateness",
        "tick-pipeline status",
    ):
        say(f"  .venv/bin/{command}")
