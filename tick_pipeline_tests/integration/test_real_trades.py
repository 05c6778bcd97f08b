"""Trades of a file, real and made up, through the whole pipeline, against a recompute from the file."""

# pandas has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tick_pipeline.storage import TIMEFRAMES, LoadDataMode, StorageMode, candle_table
from tick_pipeline_tests.integration.pipeline import MODES, both_modes
from tick_pipeline_tests.integration.trades import (
    DAY,
    START,
    assert_same_candles,
    candles_of,
    read_trades,
    write_numbered_tape,
    write_plain_tape,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.spark

END = f"{DAY}T20:00:00Z"
MADE_UP_END_US = 1_410_955_200_000_000  # noon of DAY; the real trades are all later
each_timeframe = pytest.mark.parametrize("timeframe", TIMEFRAMES)
each_load_mode = pytest.mark.parametrize("load_mode", list(LoadDataMode), ids=str)


@dataclass(frozen=True)
class Run:
    """One run of `ohlc` over everything: its reports, the candles after it, and their files' times."""

    reports: dict[StorageMode, dict[str, Any]]
    candles: dict[tuple[StorageMode, str], Any]
    written_ns: dict[tuple[StorageMode, str], int]


@dataclass(frozen=True)
class Traded:
    """The trades that were replayed, and a run for each way to read raw.

    Before the last run, which reads as `spark`, every file was replayed and delivered once more.
    """

    trades: Any
    runs: dict[LoadDataMode, Run]


@pytest.fixture(scope="module")
def traded(
    new_pipeline: Callable[..., Pipeline],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Traded:
    folder = tmp_path_factory.mktemp("tapes")
    tapes: list[tuple[Path, tuple[str, ...]]] = [
        (write_plain_tape(folder / "plain.csv"), ()),
        (write_numbered_tape(folder / "numbered.csv"), ("--map", "sequence=number")),
    ]
    try:
        tapes.append((request.getfixturevalue("real_trades"), ()))
    except pytest.skip.Exception:
        # Then only the tests of the real trades are skipped.
        assert len(tapes) == 2
    pipeline = new_pipeline()
    _land(pipeline, tapes)
    runs = {
        LoadDataMode.PARQUET: _run(pipeline, LoadDataMode.PARQUET),
        LoadDataMode.ICEBERG: _run(pipeline, LoadDataMode.ICEBERG),
    }
    _land(pipeline, tapes)
    runs[LoadDataMode.SPARK] = _run(pipeline, LoadDataMode.SPARK)
    return Traded(pd.concat([read_trades(path) for path, _ in tapes]), runs)


def _land(pipeline: Pipeline, tapes: list[tuple[Path, tuple[str, ...]]]) -> None:
    for path, options in tapes:
        pipeline.json("replay", str(path), *options)
    pipeline.json("deliver")


def _run(pipeline: Pipeline, load_mode: LoadDataMode) -> Run:
    reports = pipeline.json(
        "ohlc", "--start", START, "--end", END, "--load-data-mode", load_mode.value
    )
    tables = [(mode, timeframe) for mode in MODES for timeframe in TIMEFRAMES]
    return Run(
        {StorageMode(report["storage_mode"]): report for report in reports},
        {(mode, name): pipeline.candles(mode, name) for mode, name in tables},
        {
            (mode, name): max(
                path.stat().st_mtime_ns for path in pipeline.files(mode, candle_table(name))
            )
            for mode, name in tables
        },
    )


@each_load_mode
@each_timeframe
@both_modes
def test_candles_of_a_made_up_tape_are_those_of_the_file(
    traded: Traded, mode: StorageMode, timeframe: str, load_mode: LoadDataMode
) -> None:
    """Ties, identical trades, huge sequences, an empty hour, volume 0 and ticks on the edges."""
    candles = traded.runs[load_mode].candles[mode, timeframe]
    trades = traded.trades[traded.trades["us"] < MADE_UP_END_US]
    expected = candles_of(trades, TIMEFRAMES[timeframe])
    assert expected["vwap"].isna().any()
    assert len(expected) > 100
    assert_same_candles(candles[candles["bucket_start"] < MADE_UP_END_US], expected)


@each_load_mode
@each_timeframe
@both_modes
def test_candles_of_real_trades_are_those_of_the_file(
    real_trades: Path, traded: Traded, mode: StorageMode, timeframe: str, load_mode: LoadDataMode
) -> None:
    candles = traded.runs[load_mode].candles[mode, timeframe]
    expected = candles_of(read_trades(real_trades), TIMEFRAMES[timeframe])
    assert_same_candles(candles[candles["bucket_start"] >= MADE_UP_END_US], expected)


@each_timeframe
@both_modes
def test_replay_changes_nothing_in_the_candles(
    traded: Traded, mode: StorageMode, timeframe: str
) -> None:
    """Each file replayed, delivered and aggregated twice leaves the candles of once."""
    once, twice = traded.runs[LoadDataMode.ICEBERG], traded.runs[LoadDataMode.SPARK]
    assert_same_candles(twice.candles[mode, timeframe], once.candles[mode, timeframe])


@both_modes
def test_a_run_reports_the_copies_of_a_second_replay(traded: Traded, mode: StorageMode) -> None:
    """Identical trades of one file are no copies; the same file again is nothing but copies."""
    trades = len(traded.trades)
    once = traded.runs[LoadDataMode.PARQUET].reports[mode]
    twice = traded.runs[LoadDataMode.SPARK].reports[mode]
    assert (once["rows"], once["duplicates"]) == (trades, 0)
    assert (twice["rows"], twice["duplicates"]) == (2 * trades, trades)
    assert twice["conflicting_duplicates"] == twice["invalid"] == 0
    assert twice["candles"] == once["candles"]


@each_timeframe
@both_modes
def test_every_run_writes_the_candles_anew(
    traded: Traded, mode: StorageMode, timeframe: str
) -> None:
    """Else one run's candles could pass for another's."""
    for load_mode, run in traded.runs.items():
        assert run.reports[mode]["load_data_mode"] == load_mode.value
    times = [run.written_ns[mode, timeframe] for run in traded.runs.values()]
    assert times == sorted(set(times))
