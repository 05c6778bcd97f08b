"""Anomalies: the kernel against three np.cumsum over the same ticks, the job against the OHLC job.

Both jobs run whole, from process start to done, on the same Parquet files of one hour; CPU seconds are
those of all their processes, JVM and Python workers.
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.market import MODE, START_US, hour_of_ticks, land
from benchmarks.processes import Spent, spent_by_children
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.request import AnomalyRequest, OhlcRequest
from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000
SYMBOLS = 10
KERNEL_RUNS = 7
JOB_RUNS = 3
SKEWED_HOURS = 5
RULES = ScoringRules()


def main() -> None:
    """Print the kernel's speed, then the job's CPU, wall time and memory."""
    ticks = hour_of_ticks(0, MILLION, SYMBOLS)
    _measure_kernel(ticks.rename_columns(_kernel_names(ticks)))
    for number in (216_000, MILLION):
        _compare_jobs(hour_of_ticks(0, number, SYMBOLS))
    _measure_skew()


def _kernel_names(ticks: pa.Table) -> list[str]:
    return ["event_us" if name == "event_ts" else name for name in ticks.column_names]


def _measure_kernel(ticks: pa.Table) -> None:
    order = np.argsort(ticks["event_us"].to_numpy(), kind="stable")
    shuffled = np.random.default_rng(1).permutation(len(ticks))
    columns = [ticks[name].to_numpy() for name in ("price", "volume", "price")]

    def three_sums() -> None:
        for column in columns:
            np.cumsum(column)

    sums = _best(three_sums)
    cases = {
        "by symbol and time": (ticks, RULES),
        "by time, symbols mixed": (ticks.take(pa.array(order)), RULES),
        "in no order": (ticks.take(pa.array(shuffled)), RULES),
        "by symbol and time, three metrics": (ticks, ScoringRules(metrics=METRICS)),
    }
    print(
        f"-- kernel, {len(ticks):,} ticks of {SYMBOLS} symbols: CPU seconds of one core, best of {KERNEL_RUNS}"
    )
    for name, (table, rules) in cases.items():
        given = Ticks.of(table.combine_chunks())
        seconds = _best(partial(_score, rules, given))
        print(
            f"{name:36s} {seconds:6.3f} s {len(ticks) / seconds / MILLION:5.1f} M/s, "
            f"{seconds / sums:5.1f} x three cumsums ({sums:.4f} s)",
            flush=True,
        )
    print("targets: at least 5 M/s and at most 5 x, by symbol and time", flush=True)


def _score(rules: ScoringRules, ticks: Ticks) -> None:
    Scorer(rules).score(ticks)


def _best(work: Callable[[], object]) -> float:
    found: list[float] = []
    for _ in range(KERNEL_RUNS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _compare_jobs(ticks: pa.Table) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-anomalies-") as folder:
        settings = load_settings(home=Path(folder) / "home", _env_file=None)
        home = open_home(settings)
        land(home, ticks, 0)
        jobs = LocalSparkJobs(home, settings)
        hour = (START_US, START_US + US_PER_HOUR, (MODE,), None)
        works: dict[str, Callable[[], object]] = {
            "ohlc": lambda: jobs.run_ohlc(OhlcRequest(*hour, timeframes=tuple(TIMEFRAMES))),
            "anomalies": lambda: jobs.run_anomalies(AnomalyRequest(*hour, rules=RULES)),
        }
        # In turns, so that a busy machine is busy for both.
        runs = [
            {name: spent_by_children(work) for name, work in works.items()} for _ in range(JOB_RUNS)
        ]
    print(f"-- one hour of {len(ticks):,} ticks, whole runs, median of {JOB_RUNS}")
    for name in works:
        spent = [run[name] for run in runs]
        print(
            f"{name:12s} {_median(spent, 'cpu_seconds'):6.1f} CPU s, "
            f"{_median(spent, 'wall_seconds'):5.1f} s wall, "
            f"{_median(spent, 'peak_bytes') / 2**30:.2f} GiB"
        )
    ratio = median(run["anomalies"].cpu_seconds / run["ohlc"].cpu_seconds for run in runs)
    print(f"anomalies / ohlc, CPU: {ratio:.2f} (at most 2)", flush=True)


def _median(spent: list[Spent], name: str) -> float:
    return median(getattr(run, name) for run in spent)


def _measure_skew() -> None:
    """Hours of a million ticks each, half of them of one symbol, in one run."""
    with tempfile.TemporaryDirectory(prefix="bench-anomalies-") as folder:
        settings = load_settings(home=Path(folder) / "home", _env_file=None)
        home = open_home(settings)
        for number in range(SKEWED_HOURS):
            land(home, hour_of_ticks(number, MILLION, SYMBOLS, share_of_first=0.5), number)
        end_us = START_US + SKEWED_HOURS * US_PER_HOUR
        request = AnomalyRequest(START_US, end_us, (MODE,), None, RULES)
        spent = spent_by_children(lambda: LocalSparkJobs(home, settings).run_anomalies(request))
    print(
        f"-- {SKEWED_HOURS} hours of {MILLION:,} ticks, half of one symbol: {spent.cpu_seconds:.1f} CPU s, "
        f"{spent.wall_seconds:.1f} s wall, peak of the job's processes "
        f"{spent.peak_bytes / 2**30:.2f} GiB (at most 3)",
        flush=True,
    )


if __name__ == "__main__":
    main()
