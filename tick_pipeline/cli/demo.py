"""`demo`: the whole pipeline once, and what it did as one table."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson, local_home, local_settings, local_stream
from tick_pipeline.cli.output import progress_bar, say, show, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import WorkError
from tick_pipeline.event_time import format_short, widen_to_hours
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.landing.delivery import DeliverySummary
    from tick_pipeline.producer.simulate import SimulationRequest, SimulationSummary
    from tick_pipeline.settings import Settings
    from tick_pipeline.spark.report import OhlcReport


@dataclass(frozen=True)
class DemoResult:
    """One demo.

    Attributes:
        produced: what the simulator sent.
        delivered: storage mode -> its delivery.
        reports: the Spark job's report per storage mode, over the whole hours of the window.
        parity: claim -> whether both modes agree; empty where one mode is switched off.
        seconds: wall time, and that of each step.
    """

    produced: SimulationSummary
    delivered: dict[str, DeliverySummary]
    reports: list[OhlcReport]
    parity: dict[str, bool]
    seconds: dict[str, float]


def demo(
    minutes: Annotated[float, typer.Option(help="How many minutes of trading before now.")] = 30,
    scenario: Annotated[str, typer.Option(help="What happens.")] = "mixed",
    as_json: AsJson = False,
) -> None:
    """Simulate, land in both modes, make candles, compare: the whole pipeline, on this machine."""
    from tick_pipeline.producer.simulate import SimulationRequest

    settings = local_settings()
    request = SimulationRequest(
        scenario=scenario,
        duration_seconds=minutes * 60,
        past=True,
        lateness_seconds=settings.lateness_seconds,
    )
    result = _run(request, local_home(settings), settings)
    if as_json:
        show_json(result)
    else:
        _show(result)
    if not all(result.parity.values()):
        differing = ", ".join(claim for claim, equal in result.parity.items() if not equal)
        raise WorkError(
            f"the storage modes differ: {differing}; see tick-pipeline query --file "
            "compare_storage_modes"
        )


def _run(request: SimulationRequest, home: Home, settings: Settings) -> DemoResult:
    from tick_pipeline.landing.delivery import deliver
    from tick_pipeline.producer.simulate import run_simulation
    from tick_pipeline.resources.spark_jobs import LocalSparkJobs, OhlcRequest

    stream = local_stream(home, settings)
    clock = _Clock()
    with stop_on_signals() as stop:
        with progress_bar("1/4 ticks into the stream") as bar:
            produced = run_simulation(
                stream,
                request,
                labels_folder=home.labels,
                on_progress=lambda progress: bar.update(progress.sent, progress.expected),
                stop=stop,
            )
        clock.lap("produce")
        with progress_bar("2/4 stream into both raw tables") as bar:
            delivered = deliver(
                home,
                settings,
                stream,
                modes=settings.storage_modes,
                follow=False,
                on_progress=lambda progress: bar.update(progress.records, progress.expected),
                stop=stop,
            )
        clock.lap("deliver")
        if stop.is_set():
            raise KeyboardInterrupt
    with progress_bar("3/4 candles by Spark"):
        start_us, end_us = widen_to_hours(produced.start_us, produced.end_us)
        reports = LocalSparkJobs(home, settings).run_ohlc(
            OhlcRequest(
                start_us=start_us,
                end_us=end_us,
                storage_modes=settings.storage_modes,
                load_data_mode=None,
                timeframes=tuple(TIMEFRAMES),
            )
        )
    clock.lap("ohlc")
    with progress_bar("4/4 compare the storage modes"):
        parity = compare_modes(home, settings, start_us, end_us)
    clock.lap("compare")
    return DemoResult(
        produced,
        {mode.value: summary for mode, summary in delivered.items()},
        reports,
        parity,
        clock.laps,
    )


def compare_modes(home: Home, settings: Settings, start_us: int, end_us: int) -> dict[str, bool]:
    """Promise `both_modes_agree` over [start, end): ticks, and the candles of each timeframe."""
    from tick_pipeline.resources.query_engine import LocalQueryEngine

    if len(settings.storage_modes) == 1:
        return {}
    engine = LocalQueryEngine(home, settings)
    window = {"start": format_short(start_us), "end": format_short(end_us)}
    found = {"ticks": engine.run_file("storage_parity_ticks", window).table.num_rows == 0}
    for timeframe in TIMEFRAMES:
        result = engine.run_file("storage_parity_candles", {**window, "timeframe": timeframe})
        found[f"candles {timeframe}"] = result.table.num_rows == 0
    return found


class _Clock:
    """Wall seconds of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 2)
        self._last = now


def _show(result: DemoResult) -> None:
    produced, modes = result.produced, list(result.delivered)
    reports = {str(report.storage_mode): report for report in result.reports}
    landed = list(result.delivered.values())

    def of_reports(pick: Callable[[OhlcReport], Any]) -> list[Any]:
        return [pick(reports[mode]) for mode in modes]

    rows: list[tuple[Any, ...]] = [
        ("ticks sent", *(produced.sent for _ in modes)),
        ("landed in raw", *(summary.landed for summary in landed)),
        ("malformed, kept as errors", *(sum(summary.malformed.values()) for summary in landed)),
        ("invalid, kept in raw", *(sum(summary.invalid.values()) for summary in landed)),
        ("duplicates, counted once", *of_reports(lambda report: report.duplicates)),
        *(
            (f"candles {name}", *of_reports(lambda report, name=name: report.candles[name]))
            for name in TIMEFRAMES
        ),
        *(
            (f"parity: {claim}", *("equal" if equal else "DIFFER" for _ in modes))
            for claim, equal in result.parity.items()
        ),
    ]
    window = f"{format_short(produced.start_us)} .. {format_short(produced.end_us)}"
    show_table(("", *modes), rows, title=f"{window}, source {produced.source}")
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items())
    show(f"{sum(result.seconds.values()):.1f} s: {steps}")
    show("duplicates and candles are those of the whole hours that the window touches")
    say(f"what was injected: {produced.labels}")
    say("what to look at next:")
    for command in (
        "tick-pipeline query --file latest_candles",
        "tick-pipeline query --file top_movers",
        "tick-pipeline query --file lateness",
        "tick-pipeline status",
    ):
        say(f"  .venv/bin/{command}")
