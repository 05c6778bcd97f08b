"""What earlier runs told of themselves, as plain values: Dagster's memory without Dagster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.storage import LoadDataMode, StorageMode


@dataclass(frozen=True)
class CandleRun:
    """One run of the candle job, as its materialization tells.

    Attributes:
        storage_mode: whose table was written.
        read_mode: how raw was read.
        start_us: first hour, microseconds.
        end_us: end of the last, exclusive.
        ticks: rows of raw read; None where the run did not tell, as are the next four.
        files: of raw.
        bytes: their size.
        requests: list and open calls.
        read_seconds: run time of the tasks that read raw, summed over tasks.
        seconds: wall time without the session's start.
        at_us: when it was told, microseconds.
    """

    storage_mode: StorageMode
    read_mode: LoadDataMode
    start_us: int
    end_us: int
    ticks: int | None
    files: int | None
    bytes: int | None
    requests: int | None
    read_seconds: float | None
    seconds: float
    at_us: int


@dataclass(frozen=True)
class Landing:
    """What deliveries into raw took: rows landed by them, and their wall seconds, summed."""

    mode: StorageMode
    deliveries: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Ledger:
    """What the ledger of late data has of one mode, all hours together; see LateCost."""

    mode: StorageMode
    landed_late: int
    repaired: int
    waiting: int


@dataclass(frozen=True)
class TableState:
    """A table before or after maintenance; None is what a mode has not, or what was not measured."""

    files: int
    bytes: int
    snapshots: int | None
    query_seconds: float | None


@dataclass(frozen=True)
class Upkeep:
    """The newest maintenance of a table, and its wall seconds."""

    mode: StorageMode
    table: str
    at_us: int
    seconds: float
    before: TableState
    after: TableState


@dataclass(frozen=True)
class CheckRun:
    """One evaluation of a check: `ok`, `warn` or `error`."""

    run_id: str
    at_us: int
    mode: StorageMode
    table: str
    check: str
    outcome: str
    description: str


@dataclass(frozen=True)
class History:
    """What Dagster's state remembers: newest first."""

    candle_runs: tuple[CandleRun, ...] = ()
    landings: tuple[Landing, ...] = ()
    last_landing_us: tuple[tuple[StorageMode, int], ...] = ()
    checks: tuple[CheckRun, ...] = ()
    upkeep: tuple[Upkeep, ...] = ()
    ledgers: tuple[Ledger, ...] = ()
