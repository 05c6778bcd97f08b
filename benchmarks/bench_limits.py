"""What fails first: large hours, many symbols, many hours in one run, a table of many hours, on this machine.

Each line is a whole command's work, from process start to done, with the default settings; docs/limits.md
tells what these say.
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.market import MODE, START_US, hour_of_ticks, land
from benchmarks.processes import spent_by_children
from tick_pipeline.errors import SparkJobError
from tick_pipeline.event_time import US_PER_HOUR, format_short
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.request import AnomalyRequest, OhlcRequest
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.storage import TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

MILLION = 1_000_000
_GIB = 1 << 30


@dataclass(frozen=True)
class Case:
    """Ticks that landed: how many hours of how many ticks of how many symbols."""

    hours: int
    ticks_an_hour: int
    symbols: int

    def __str__(self) -> str:
        return f"{self.hours:4d} x {self.ticks_an_hour / MILLION:5.2f} M ticks, {self.symbols:6,d} symbols"


CASES = (
    Case(1, MILLION, 100),
    Case(1, 5 * MILLION, 100),
    Case(1, 20 * MILLION, 100),
    Case(1, MILLION, 10_000),
    Case(168, 60_000, 100),
    Case(24, MILLION, 100),
)


def main() -> None:
    """Print seconds and peak memory of both jobs and of the queries, case by case."""
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="bench-limits-") as folder:
            settings = load_settings(home=Path(folder) / "home", _env_file=None)
            home = open_home(settings)
            for number in range(case.hours):
                land(home, hour_of_ticks(number, case.ticks_an_hour, case.symbols), number)
            _measure(case, home, settings)


def _measure(case: Case, home: Home, settings: Settings) -> None:
    end_us = START_US + case.hours * US_PER_HOUR
    jobs = LocalSparkJobs(home, settings)
    ohlc = OhlcRequest(START_US, end_us, (MODE,), None, tuple(TIMEFRAMES))
    anomalies = AnomalyRequest(START_US, end_us, (MODE,), None, ScoringRules())
    _tell(case, "ohlc", lambda: jobs.run_ohlc(ohlc))
    _tell(case, "anomalies run", lambda: jobs.run_anomalies(anomalies))
    engine = LocalQueryEngine(home, settings)
    for name, until_us in (("one hour", START_US + US_PER_HOUR), ("all hours", end_us)):
        began = time.monotonic()
        engine.run(
            f"select symbol, count(*) as ticks, sum(volume) as volume from {MODE}.ticks "  # noqa: S608
            f"where event_at >= from_iso8601_timestamp('{format_short(START_US)}') "
            f"and event_at < from_iso8601_timestamp('{format_short(until_us)}') group by symbol"
        )
        print(f"{case}  query, {name:9s}  {time.monotonic() - began:7.1f} s", flush=True)


def _tell(case: Case, name: str, work: Callable[[], object]) -> None:
    try:
        spent = spent_by_children(work)
    except SparkJobError as error:
        print(f"{case}  {name:16s}  {error}", flush=True)
        return
    print(
        f"{case}  {name:16s}  {spent.wall_seconds:7.1f} s {spent.cpu_seconds:7.1f} CPU-s "
        f"{spent.peak_bytes / _GIB:5.1f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
