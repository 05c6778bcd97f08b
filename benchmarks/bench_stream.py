"""The streaming job: a drain of what is there, and a live stream at a rate that it has to sustain.

Lag is the age of a micro-batch's oldest record when its anomalies are written: what a second that the
record closes waits for its scores. Memory is that of the job, its JVM and its supervisor.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psutil

from benchmarks.processes import spent_by_children
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.resources.anomaly_stream import LocalAnomalyStream, StreamOptions
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings, process_environment
from tick_pipeline.spark.streaming.progress import StreamProgress

if TYPE_CHECKING:
    from tick_pipeline.settings import Settings

DRAINED_TICKS, DRAIN_RATE = 1_000_000, 280
LIVE_RATE, LIVE_SECONDS = 20_000, 180
_SAMPLE_SECONDS = 1.0
#: Until a window of ticks waits for the watermark, memory can only grow.
_WARM_UP_SECONDS = 90.0


@dataclass(frozen=True)
class Live:
    """A live stream, sample by sample after the warm-up.

    Attributes:
        records: that the job took.
        late: ticks that came too late for it.
        lags_seconds: lag of the last micro-batch at each sample.
        bytes: memory at each sample.
        cpu_seconds: of all its processes.
        seconds: event time that was produced.
    """

    records: int
    late: int
    lags_seconds: list[float]
    bytes: list[int]
    cpu_seconds: float
    seconds: float

    @property
    def growth(self) -> float:
        """Memory of the last third of the samples as a multiple of the first third's, medians."""
        third = max(1, len(self.bytes) // 3)
        return median(self.bytes[-third:]) / median(self.bytes[:third])


def main() -> None:
    """Print the drain's and the live stream's figures."""
    with tempfile.TemporaryDirectory() as folder:
        _drain(load_settings(home=Path(folder) / "home"))
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder) / "home")
        shown(follow_live(settings, LIVE_RATE, LIVE_SECONDS))


def shown(live: Live) -> None:
    """Print a live stream's figures."""
    lags = sorted(live.lags_seconds)
    print(
        f"live {live.records / live.seconds:,.0f} ticks/s for {live.seconds:.0f} s: lag median "
        f"{median(lags):.1f} s, p95 {lags[int(len(lags) * 0.95)]:.1f} s, max {lags[-1]:.1f} s; "
        f"late {live.late}; {live.cpu_seconds / live.records * 1e6:.1f} CPU-s a million; memory "
        f"{min(live.bytes) / 2**30:.2f} to {max(live.bytes) / 2**30:.2f} GiB, "
        f"last third {live.growth:.2f} x the first",
        flush=True,
    )


def follow_live(settings: Settings, rate: float, seconds: float) -> Live:
    """Produce in real time beside a running job, and look at it once a second.

    Args:
        settings: of a new HOME.
        rate: ticks per second.
        seconds: how long.
    """
    stream = LocalAnomalyStream(open_home(settings), settings)
    started = stream.start(StreamOptions(idle_minutes=0, max_hours=0))
    processes = [psutil.Process(int(str(started.runner)))]
    processes += processes[0].children(recursive=True)
    cpu_before = _cpu_seconds(processes)
    command = ["produce", "--scenario", "spikes", "--duration", str(seconds), "--rate", str(rate)]
    producer = subprocess.Popen(
        [sys.executable, "-m", "tick_pipeline.cli.main", *command],
        env=process_environment({"TICK_PIPELINE_HOME": str(settings.home)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    began = time.monotonic()
    lags: list[float] = []
    sizes: list[int] = []
    try:
        while producer.poll() is None:
            time.sleep(_SAMPLE_SECONDS)
            progress = stream.status().progress
            if progress is not None and time.monotonic() - began > _WARM_UP_SECONDS:
                lags.append(progress.lag_seconds)
                sizes.append(sum(process.memory_info().rss for process in processes))
        cpu = _cpu_seconds(processes) - cpu_before
    finally:
        ended = stream.stop(flush=True)
    told = ended.progress or StreamProgress()
    return Live(told.records, told.late, lags, sizes, cpu, seconds)


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(time.user + time.system for time in times)


def _drain(settings: Settings) -> None:
    home = open_home(settings)
    run_simulation(
        open_stream(home, settings),
        SimulationRequest("spikes", DRAINED_TICKS / DRAIN_RATE, rate=DRAIN_RATE, past=True),
        labels_folder=home.labels,
        on_progress=lambda _: None,
        stop=threading.Event(),
    )
    stream = LocalAnomalyStream(home, settings)
    options = StreamOptions(drain=True, flush=True)
    spent = spent_by_children(lambda: stream.run(options, stop=threading.Event()))
    progress = stream.status().progress or StreamProgress()
    working = (progress.heartbeat_us - progress.started_us) / 1e6
    print(
        f"drain of {progress.records:,} records: {spent.wall_seconds:.1f} s with start-up, "
        f"{progress.records / working:,.0f} a second of work, {spent.cpu_seconds:.1f} CPU-s, "
        f"peak {spent.peak_bytes / 2**30:.2f} GiB",
        flush=True,
    )
