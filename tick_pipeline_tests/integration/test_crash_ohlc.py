"""Promise `crash_loses_nothing`, of `ohlc`: whichever of its processes is killed, whenever."""

# pandas has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.storage import TIMEFRAMES, StorageMode, candle_table
from tick_pipeline_tests.integration.pipeline import MODES
from tick_pipeline_tests.integration.processes import Victim, kill_batch_run
from tick_pipeline_tests.integration.trades import (
    DAY,
    END,
    START,
    are_same_candles,
    assert_same_candles,
    candles_of,
    read_trades,
    write_trades,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.spark

COMMAND = ["ohlc", "--start", START, "--end", END]
TABLES = [candle_table(timeframe) for timeframe in TIMEFRAMES]
HOURS = ("08", "09", "10")


@dataclass
class Lake:
    """A HOME whose raw tables grow, and what its candles must be."""

    pipeline: Pipeline
    folder: Path
    tapes: list[Path] = field(default_factory=list["Path"])

    def grow(self) -> None:
        """Land trades that change some candles of every hour."""
        number = len(self.tapes)
        # A microsecond of its own: between two files, ties are told apart by ids, which no tape has.
        rows = [
            (
                f"{DAY}T{hour}:{minute:02d}:{second:02d}.{500_000 + number}Z",
                symbol,
                f"{100 + number}.25",
                "3",
            )
            for hour in HOURS
            for symbol in ("AAA", "BBB")
            for minute in range(number % 7, 60, 7)
            for second in (0, 30)
        ]
        self.tapes.append(write_trades(self.folder / f"{number}.csv", rows))
        self.pipeline.json("replay", str(self.tapes[-1]))
        self.pipeline.json("deliver")

    def expected(self, timeframe: str) -> Any:
        """The candles of everything that has landed."""
        trades = pd.concat([read_trades(tape) for tape in self.tapes])
        return candles_of(trades, TIMEFRAMES[timeframe])

    def stored(self) -> dict[tuple[StorageMode, str], Any]:
        """The candles of every table, which must be readable."""
        return {
            (mode, timeframe): self.pipeline.candles(mode, timeframe)
            for mode in MODES
            for timeframe in TIMEFRAMES
        }


@pytest.fixture
def lake(new_pipeline: Callable[..., Pipeline], tmp_path: Path) -> Lake:
    return Lake(new_pipeline(), tmp_path)


def test_crash_loses_nothing_when_ohlc_is_killed(lake: Lake) -> None:
    """Three kills at random moments: the caller's, the job's and the JVM's."""
    _kill_runs(lake, list(Victim))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_crash_loses_nothing_when_ohlc_is_killed_many_times(lake: Lake) -> None:
    _kill_runs(lake, [victim for _ in range(7) for victim in Victim][:20])


def _kill_runs(lake: Lake, victims: list[Victim]) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  (pytest shows it when the test fails)
    chance = random.Random(seed)
    interrupted = 0
    lake.grow()
    for victim in victims:
        old = lake.stored()
        lake.grow()
        hit = kill_batch_run(lake.pipeline, COMMAND, TABLES, victim, chance)
        interrupted += hit
        for table, found in lake.stored().items():
            new = lake.expected(table[1])
            _assert_old_or_new(found, old[table] if hit else new, new, table)
    assert interrupted > len(victims) / 2, "too few kills hit a run at work"
    lake.pipeline.json("ohlc", "--start", START, "--end", END)
    for (_, timeframe), found in lake.stored().items():
        assert_same_candles(found, lake.expected(timeframe))
    assert not list(lake.pipeline.home.rglob("_staging"))


def _assert_old_or_new(found: Any, old: Any, new: Any, table: tuple[StorageMode, str]) -> None:
    """Each hour is that of before the run or that of after it, whole."""
    for frame in (old, found, new):
        if not frame.empty:
            frame["hour"] = frame["bucket_start"] // US_PER_HOUR
    for hour in sorted(new["hour"].unique()):
        has, had, gets = (_of_hour(frame, hour) for frame in (found, old, new))
        assert are_same_candles(has, had) or are_same_candles(has, gets), (*table, hour)
    assert set(() if found.empty else found["hour"]) <= set(new["hour"])


def _of_hour(frame: Any, hour: int) -> Any:
    return frame if frame.empty else frame[frame["hour"] == hour]
