"""Every figure of the comparison, as plain values: what `report --json` prints and the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.report.remembered import CandleRun, CheckRun, Landing, Upkeep
    from tick_pipeline.resources.table_stats import TableStats
    from tick_pipeline.storage import LoadDataMode, StorageMode


@dataclass(frozen=True)
class NotMeasured:
    """A figure that nothing has measured yet, why, and the command that would, where there is one."""

    why: str
    command: str | None = None


@dataclass(frozen=True)
class TableParity:
    """How many rows (of raw: hours) of a table differ between the modes in the window."""

    table: str
    differing: int


@dataclass(frozen=True)
class Reading:
    """What one standard query reads, and how long it takes.

    Attributes:
        files: data files that the plan leaves.
        planned_bytes: their size.
        read_bytes: what the engine says of the run: their size, or on Athena what it scanned of them; None
            where it was not run.
        hours: partitions that the plan leaves.
        runs: wall seconds of each run; empty where the plan was too large to be run for a report.
    """

    files: int
    planned_bytes: int
    read_bytes: int | None
    hours: int
    runs: tuple[float, ...]

    @property
    def seconds(self) -> float | None:
        """Median of the runs; None where it was not run."""
        return median(self.runs) if self.runs else None


@dataclass(frozen=True)
class QueryFigures:
    """One standard query over one storage mode.

    Attributes:
        name: of the query.
        question: what it answers, for people.
        mode: whose tables.
        one_hour: with a filter on the time.
        whole: without one.
    """

    name: str
    question: str
    mode: StorageMode
    one_hour: Reading
    whole: Reading


@dataclass(frozen=True)
class ReadModeFigures:
    """A way of reading raw: the newest run of the job that read so, for each mode that it wrote.

    Attributes:
        read_mode: parquet, spark or iceberg.
        runs: the newest of each written mode; empty where there is none.
        missing: set where there is none.
    """

    read_mode: LoadDataMode
    runs: tuple[CandleRun, ...]
    missing: NotMeasured | None


@dataclass(frozen=True)
class Baseline:
    """The same ticks as the JSON records that were sent.

    Attributes:
        ticks: how many of the hour were taken.
        sampled: the hour has more.
        json_bytes: their records, a line each.
        gzip_bytes: the same by gzip, level 6.
        zstd_bytes: the same by zstd, level 3.
        query: name of the standard query that was run over them.
        engine: what ran it, as `Comparison.engine`.
        runs: its wall seconds over the plain lines.
    """

    ticks: int
    sampled: bool
    json_bytes: int
    gzip_bytes: int
    zstd_bytes: int
    query: str
    engine: str
    runs: tuple[float, ...]

    @property
    def bytes_per_tick(self) -> float:
        """Of a plain record with its newline."""
        return self.json_bytes / self.ticks

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return median(self.runs)


@dataclass(frozen=True)
class Freshness:
    """How near to now a mode is.

    Attributes:
        mode: which.
        newest_tick_us: event time; None without ticks in the window, as with the others.
        newest_candle_us: start of the newest one-minute candle.
        last_landing_us: when raw was last told to have grown.
        caught_up: the delivery has passed what the stream holds.
        delivery: how far it is, in words.
    """

    mode: StorageMode
    newest_tick_us: int | None
    newest_candle_us: int | None
    last_landing_us: int | None
    caught_up: bool
    delivery: str


@dataclass(frozen=True)
class HourLateness:
    """How late the ticks of an hour were put into the stream; seconds."""

    hour_us: int
    ticks: int
    late_ticks: int
    mean_seconds: float
    max_seconds: float


@dataclass(frozen=True)
class LateCost:
    """What late data took in one mode.

    Attributes:
        mode: which.
        late_ticks: of the window, by their lateness.
        landed_late: records that landed after their hour had closed, as the ledger of late data has them;
            None where it has no entry, as are the next two.
        repaired: those that a later run of the hour has read.
        waiting: those that no run has read yet.
        reruns: runs of the candle job over an hour that had candles before.
        seconds: their wall seconds, summed.
    """

    mode: StorageMode
    late_ticks: int
    landed_late: int | None
    repaired: int | None
    waiting: int | None
    reruns: int
    seconds: float


@dataclass(frozen=True)
class MonthlyCost:
    """What one mode would cost on AWS in a month: US dollars in all, and by service."""

    mode: StorageMode
    usd: float
    by_service: dict[str, float]


@dataclass(frozen=True)
class AwsCost:
    """An estimate for both modes under one load.

    Attributes:
        load: what was assumed, in words.
        modes: one for each.
        prices: of which region and date.
        not_included: what is billed beside it.
    """

    load: str
    modes: tuple[MonthlyCost, ...]
    prices: str
    not_included: tuple[str, ...]


@dataclass(frozen=True)
class Minute:
    """What raw received of a minute of event time: rows, late ones, and the largest lateness in seconds."""

    minute_us: int
    rows: int
    late_rows: int
    max_lateness_seconds: float


@dataclass(frozen=True)
class Comparison:
    """Both storage modes, side by side, on one deployment's data.

    Attributes:
        deployment: which.
        engine: what ran the queries, for people.
        generated_us: when, microseconds.
        seconds: how long measuring took.
        start_us: first hour looked at.
        end_us: end of the last, exclusive.
        hour_us: the hour that a filter on the time asks for; None where the window holds no ticks.
        symbol: the symbol that a filter on the symbol asks for.
        lateness_seconds: later than this is late.
        settled: the hours are closed, and both deliveries had passed the stream's end before anything was
            compared, so that no difference is one that is still landing.
        parity: each table.
        tables: each mode's, as stored now; every hour.
        opening: each mode's seconds of a query that reads no file.
        queries: the standard ones; empty without ticks.
        read_modes: each way of reading raw.
        landings: each mode's deliveries, or why there are none.
        baseline: the same ticks as raw JSON.
        freshness: each mode's.
        minutes: of the window, as the first mode has them.
        lateness: of each hour of the window.
        late_cost: each mode's.
        upkeep: what maintenance did.
        cost: on AWS.
        checks: evaluations, newest first.
    """

    deployment: str
    engine: str
    generated_us: int
    seconds: float
    start_us: int
    end_us: int
    hour_us: int | None
    symbol: str | None
    lateness_seconds: int
    settled: bool
    parity: tuple[TableParity, ...]
    tables: tuple[TableStats, ...]
    opening: tuple[tuple[StorageMode, float], ...]
    queries: tuple[QueryFigures, ...]
    read_modes: tuple[ReadModeFigures, ...]
    landings: tuple[Landing, ...] | NotMeasured
    baseline: Baseline | NotMeasured
    freshness: tuple[Freshness, ...]
    minutes: tuple[Minute, ...]
    lateness: tuple[HourLateness, ...]
    late_cost: tuple[LateCost, ...]
    upkeep: tuple[Upkeep, ...] | NotMeasured
    cost: AwsCost | NotMeasured
    checks: tuple[CheckRun, ...]

    @property
    def ticks(self) -> int:
        """Of the window."""
        return sum(hour.ticks for hour in self.lateness)
