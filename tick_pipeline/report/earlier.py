"""What earlier runs of jobs told of themselves, put side by side; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import format_short, hours_of
from tick_pipeline.report.comparison import LateCost, NotMeasured, ReadModeFigures
from tick_pipeline.storage import DEFAULT_LOAD_DATA_MODE, LoadDataMode, StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.report.comparison import HourLateness
    from tick_pipeline.report.remembered import CandleRun, History


def read_modes(runs: Sequence[CandleRun], hours: tuple[int, int]) -> tuple[ReadModeFigures, ...]:
    """Each way of reading raw, by its newest run for each mode that was written.

    Args:
        runs: newest first.
        hours: [start, end) that the command for a way without runs names, microseconds; those of the
            newest run, where there is one, so that the next can be compared with it.
    """
    if runs:
        hours = runs[0].start_us, runs[0].end_us
    found: list[ReadModeFigures] = []
    for read_mode in LoadDataMode:
        newest: dict[StorageMode, CandleRun] = {}
        for run in runs:
            if run.read_mode is read_mode:
                newest.setdefault(run.storage_mode, run)
        missing = None if newest else _never_run(read_mode, hours)
        found.append(ReadModeFigures(read_mode, tuple(newest.values()), missing))
    return tuple(found)


def late_costs(
    history: History, lateness: Mapping[StorageMode, Sequence[HourLateness]]
) -> tuple[LateCost, ...]:
    """What came late in each mode, how often candles were made anew, and how long that took.

    Args:
        history: newest first.
        lateness: of each mode's hours.
    """
    ledgers = {ledger.mode: ledger for ledger in history.ledgers}
    costs: list[LateCost] = []
    for mode, hours in lateness.items():
        ledger = ledgers.get(mode)
        again = _repeated([run for run in history.candle_runs if run.storage_mode is mode])
        costs.append(
            LateCost(
                mode,
                sum(hour.late_ticks for hour in hours),
                ledger and ledger.landed_late,
                ledger and ledger.repaired,
                ledger and ledger.waiting,
                len(again),
                round(sum(run.seconds for run in again), 3),
            )
        )
    return tuple(costs)


def _repeated(runs: Sequence[CandleRun]) -> list[CandleRun]:
    """Runs over an hour that an earlier one had made; newest first, as they come."""
    made: set[int] = set()
    again: list[CandleRun] = []
    for run in reversed(runs):
        of_run = set(hours_of(run.start_us, run.end_us))
        if of_run & made:
            again.append(run)
        made |= of_run
    return again


def _never_run(read_mode: LoadDataMode, hours: tuple[int, int]) -> NotMeasured:
    written = next(
        (mode for mode, default in DEFAULT_LOAD_DATA_MODE.items() if default is read_mode),
        StorageMode.PARQUET_PROJECTION,
    )
    start, end = (format_short(us) for us in hours)
    return NotMeasured(
        "no run of the candle job has read raw this way",
        f"tick-pipeline ohlc --start {start} --end {end} --storage-mode {written} "
        f"--load-data-mode {read_mode}",
    )
