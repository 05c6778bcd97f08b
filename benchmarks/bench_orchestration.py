"""`orchestration`: loading the definitions, a step's overhead, and one hour of a million ticks as Dagster runs it."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event

import dagster as dg

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings

#: (ticks of the hour, symbols): what `produce` sends by default in an hour, and a busy one.
HOURS = ((216_000, 10), (1_000_000, 100))
_STEPS = 20
_LOAD = "import tick_pipeline.definitions as d; d.defs().get_repository_def()"


def main() -> None:
    """Print seconds, each beside what it may be."""
    with tempfile.TemporaryDirectory(prefix="bench-orchestration-") as folder:
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", _LOAD], check=True)
        print(f"definitions, from process start: {time.monotonic() - began:.2f} s (at most 3)")
        print(f"a step in the run's process: {_step_seconds() * 1000:.0f} ms (at most 50)")
        for ticks, symbols in HOURS:
            # The run's resources read the environment, as they do in a code location.
            os.environ["TICK_PIPELINE_HOME"] = str(Path(folder) / f"home-{ticks}")
            _run_an_hour(ticks, symbols)


def _step_seconds() -> float:
    """Seconds that a step adds to a run of empty ones."""

    @dg.op
    def empty() -> None:
        """Nothing."""

    def run_of(steps: int) -> float:
        @dg.job
        def job() -> None:
            for number in range(steps):
                empty.alias(f"empty_{number}")()

        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
            with dg.DagsterInstance.from_config(folder) as instance:
                began = time.monotonic()
                job.execute_in_process(instance=instance, run_config=quiet)
                return time.monotonic() - began

    return (run_of(_STEPS) - run_of(1)) / (_STEPS - 1)


def _run_an_hour(ticks: int, symbols: int) -> None:
    settings = load_settings()
    home = open_home(settings)
    # All ticks lie between the hour's start and now.
    hour_us = hour_floor(now_us())
    duration_seconds = (now_us() - hour_us) / US_PER_SECOND
    run_simulation(
        open_stream(home, settings),
        SimulationRequest(
            scenario="steady",
            duration_seconds=duration_seconds,
            rate=ticks / duration_seconds,
            symbols=symbols,
            past=True,
        ),
        labels_folder=home.labels,
        on_progress=lambda _: None,
        stop=Event(),
    )
    with open_instance(home, settings) as instance:
        began = time.monotonic()
        result = run_job(instance, "ohlc_batch", Window(hour_us, hour_us + US_PER_HOUR))
        seconds = time.monotonic() - began
    print(f"ohlc_batch, both modes, {ticks:,} ticks, all checks: {seconds:.1f} s (at most 25)")
    for event in sorted(
        result.get_step_success_events(),
        key=lambda event: -event.step_success_data.duration_ms,
    )[:12]:
        print(f"  {event.step_key:60s} {event.step_success_data.duration_ms / 1000:6.2f} s")
    for found in result.get_asset_check_evaluations():
        if "seconds" in found.metadata:
            taken = found.metadata["seconds"].value
            name = f"{found.asset_key.to_user_string()} {found.check_name}"
            print(f"  SQL of {name:53s} {taken:6.2f} s (at most 2)")


if __name__ == "__main__":
    main()
