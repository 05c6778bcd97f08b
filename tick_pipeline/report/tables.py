"""The page's tables: rows made of the comparison's figures; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.report.comparison import Baseline
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from tick_pipeline.report.comparison import Comparison, HourLateness, QueryFigures
    from tick_pipeline.report.remembered import CheckRun
    from tick_pipeline.resources.table_stats import TableStats

#: Evaluations of a check that its line has room for.
_MOST_SHOWN = 24
#: Hours that anybody reads.
_MOST_HOURS = 48


@dataclass(frozen=True)
class Bar:
    """A figure as a bar: its label, its length as a share of the longest, and the class that colours it."""

    label: str
    kind: str
    value: float
    share: float


@dataclass(frozen=True)
class QueryRow:
    """A standard query over both modes."""

    question: str
    figures: dict[StorageMode, QueryFigures]
    bars: dict[StorageMode, float]


@dataclass(frozen=True)
class CheckRow:
    """A check of a table: its newest evaluations in each mode, oldest first."""

    table: str
    check: str
    runs: dict[StorageMode, tuple[CheckRun, ...]]


def query_rows(comparison: Comparison) -> list[QueryRow]:
    """The standard queries, each with the length of its bars: seconds with a filter on the time."""
    longest = max((query.one_hour.seconds or 0.0 for query in comparison.queries), default=0.0)
    by_name: dict[str, dict[StorageMode, QueryFigures]] = {}
    for query in comparison.queries:
        by_name.setdefault(query.name, {})[query.mode] = query
    return [
        QueryRow(
            next(iter(figures.values())).question,
            figures,
            {
                mode: (found.one_hour.seconds or 0.0) / longest if longest else 0.0
                for mode, found in figures.items()
            },
        )
        for figures in by_name.values()
    ]


def scan_rows(comparison: Comparison) -> list[Bar]:
    """Seconds of the one question that the raw JSON was asked, too, if by the same engine; of a sample, scaled."""
    baseline = comparison.baseline
    if not isinstance(baseline, Baseline) or baseline.engine != comparison.engine:
        return []
    found = {
        query.mode: query.one_hour.seconds
        for query in comparison.queries
        if query.name == baseline.query and query.one_hour.seconds is not None
    }
    if len(found) < len(StorageMode):
        return []
    ticks = sum(of.ticks for of in comparison.lateness if of.hour_us == comparison.hour_us)
    scale = ticks / baseline.ticks if baseline.sampled else 1
    values = [
        ("Raw JSON", "json", baseline.seconds * scale),
        ("Iceberg", StorageMode.ICEBERG.value, found[StorageMode.ICEBERG]),
        ("Parquet", StorageMode.PARQUET_PROJECTION.value, found[StorageMode.PARQUET_PROJECTION]),
    ]
    return _bars([(label, kind, value or 0.0) for label, kind, value in values])


def stored_rows(comparison: Comparison) -> list[Bar]:
    """Bytes of a tick: as JSON, plain and compressed, and as raw of each mode holds it."""
    values: list[tuple[str, str, float]] = []
    baseline = comparison.baseline
    if isinstance(baseline, Baseline):
        for label, size in (
            ("JSON, plain", baseline.json_bytes),
            ("JSON, gzip", baseline.gzip_bytes),
            ("JSON, zstd", baseline.zstd_bytes),
        ):
            values.append((label, "json", size / baseline.ticks))
    for label, mode in (
        ("Iceberg", StorageMode.ICEBERG),
        ("Parquet", StorageMode.PARQUET_PROJECTION),
    ):
        raw = raw_stats(comparison, mode)
        if raw.rows:
            values.append((label, mode.value, raw.bytes / raw.rows))
    return _bars(values)


def raw_stats(comparison: Comparison, mode: StorageMode) -> TableStats:
    """What raw of a mode holds."""
    return next(stats for stats in comparison.tables if stats.mode is mode and stats.table == RAW)


def late_hours(comparison: Comparison) -> list[HourLateness]:
    """The hours of the window; of many, those with the most late ticks."""
    latest = sorted(comparison.lateness, key=lambda of: of.late_ticks, reverse=True)[:_MOST_HOURS]
    return sorted(latest, key=lambda of: of.hour_us)


def check_rows(comparison: Comparison) -> list[CheckRow]:
    """Each check of each table; a comparison of the modes belongs to both, and stands where it is told."""
    found: dict[tuple[str, str], dict[StorageMode, list[CheckRun]]] = {}
    for run in comparison.checks:
        runs = found.setdefault((run.table, run.check), {mode: [] for mode in StorageMode})
        if len(runs[run.mode]) < _MOST_SHOWN:
            runs[run.mode].append(run)
    return [
        CheckRow(table, check, {mode: tuple(reversed(kept)) for mode, kept in runs.items()})
        for (table, check), runs in sorted(found.items())
    ]


def _bars(values: list[tuple[str, str, float]]) -> list[Bar]:
    longest = max((value for _, _, value in values), default=0.0)
    return [
        Bar(label, kind, value, value / longest if longest else 0.0)
        for label, kind, value in values
    ]
