"""`demo`: the whole pipeline once, as two runs of Dagster and a drain of the stream, and what it did."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.demo_result import CheckOutcome, DemoResult, show_demo
from tick_pipeline.cli.options import (
    AsJson,
    deployment_of,
    local_home,
    local_settings,
    local_stream,
)
from tick_pipeline.cli.output import progress_bar, say, show_json
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import US_PER_MINUTE, format_short, now_us, widen_to_hours
from tick_pipeline.settings import load_settings, settings_in_environment

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg

    from tick_pipeline.evaluation.matching import Matching
    from tick_pipeline.home import Home
    from tick_pipeline.producer.simulate import SimulationRequest, SimulationSummary
    from tick_pipeline.settings import Settings


def demo(
    minutes: Annotated[float, typer.Option(help="How many minutes of trading before now.")] = 30,
    scenario: Annotated[str, typer.Option(help="What happens.")] = "mixed",
    as_json: AsJson = False,
) -> None:
    """Simulate, land, make candles, find anomalies, by stream and by batch, and check it all, here."""
    from tick_pipeline.producer.simulate import SimulationRequest
    from tick_pipeline.spark.locks import exclusive

    settings = local_settings("demo", instead="it runs on this machine, with that set to local")
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
    with exclusive(home.locks / "demo.lock", what=f"the demo of {home.path}", wait_seconds=0):
        result = _run(request, home, settings)
    if as_json:
        show_json(result)
    else:
        show_demo(result, settings)
    wrong = [check for check in result.checks if check.outcome == "error"]
    if wrong:
        raise WorkError(
            "; ".join(f"{check.check} of {check.asset}: {check.description}" for check in wrong)
        )


def _run(request: SimulationRequest, home: Home, settings: Settings) -> DemoResult:
    from tick_pipeline.producer.instruments import tick_sizes
    from tick_pipeline.producer.simulate import run_simulation

    stream = local_stream(home, settings)
    clock = _Clock()
    with stop_on_signals() as stop, progress_bar("1/5 ticks into the stream") as bar:
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
    # What moves by its price increment has not moved far; the user's own sizes win.
    sizes = {**tick_sizes(request.symbols), **settings.anomaly_tick_sizes}
    texts = ",".join(f"{symbol}={size!r}" for symbol, size in sizes.items())
    with settings_in_environment(anomaly_tick_sizes=texts):
        with progress_bar("2/5 both raw tables, candles by Spark, checks: the job ohlc_batch"):
            candles = _run_hours("ohlc_batch", home, settings, produced)
        clock.lap("ohlc_batch")
        with progress_bar("3/5 anomalies from the stream, by Spark Structured Streaming"):
            streamed = _drain(home)
        clock.lap("stream")
        with progress_bar("4/5 the same by batch, compared and checked: the job anomaly_batch"):
            anomalies = _run_hours("anomaly_batch", home, settings, produced)
        clock.lap("anomaly_batch")
    page = _write_report(settings)
    clock.lap("report")
    checks = [*_checks(candles), *_checks(anomalies)]
    matching = _match(home, settings, produced)
    return DemoResult(
        produced=produced,
        tables=_tables(candles) | _tables(anomalies),
        checks=checks,
        parity={
            check.asset.partition("/")[2]: check.outcome == "ok"
            for check in checks
            if check.check == "storage_parity"
        },
        streamed=streamed,
        injected=matching.outcomes,
        false_alerts=matching.false_alerts,
        report=page,
        run_ids={"ohlc_batch": candles.run_id, "anomaly_batch": anomalies.run_id},
        seconds=clock.laps,
    )


def _drain(home: Home) -> dict[str, int]:
    """Score the whole stream and let it go; rows added by storage mode.

    A stream that is being scored in the background is left to that.
    """
    from tick_pipeline.resources.anomaly_stream import LocalAnomalyStream
    from tick_pipeline.resources.stream_run import StreamOptions

    # With the tick sizes of the moment.
    stream = LocalAnomalyStream(home, load_settings())
    status = stream.status()
    if status.runner is not None:
        say(f"the stream is being scored by process {status.runner}")
        return status.progress.written if status.progress else {}
    with stop_on_signals() as stop:
        progress = stream.run(StreamOptions(drain=True, flush=True), stop=stop)
        if stop.is_set():
            raise KeyboardInterrupt
    stream.stop()
    return progress.written


def _write_report(settings: Settings) -> Path | None:
    """The page that compares the storage modes; none where one is switched off."""
    from tick_pipeline.cli.report import write_report
    from tick_pipeline.report.make import default_page

    if len(settings.storage_modes) == 1:
        return None
    page = default_page(settings)
    with progress_bar("5/5 the report that compares both storage modes"):
        write_report(deployment_of(settings), settings, page)
    return page


def _match(home: Home, settings: Settings, produced: SimulationSummary) -> Matching:
    """The events of this run, and the anomalies of its window."""
    from tick_pipeline.evaluation.run import read_labels
    from tick_pipeline.evaluation.stored import match_stored
    from tick_pipeline.resources.query_engine import LocalQueryEngine

    return match_stored(
        LocalQueryEngine(home, settings),
        settings.storage_modes[0],
        read_labels(produced.labels),
        produced.start_us,
        produced.end_us,
    )


def _run_hours(
    job: str, home: Home, settings: Settings, produced: SimulationSummary
) -> dg.ExecuteInProcessResult:
    """A job over the hours that the ticks touch.

    Raises:
        WorkError: a step failed; the run in the web interface tells all.
    """
    from tick_pipeline.orchestration.instance import open_instance
    from tick_pipeline.orchestration.local_runs import run_job
    from tick_pipeline.orchestration.partitions import Window

    window = Window(*widen_to_hours(produced.start_us, produced.end_us))
    with open_instance(home, settings) as instance:
        result = run_job(instance, job, window)
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
