"""What a materialization shows: counts first, then a table and a picture where people would rather look."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import logical_type
from tick_pipeline.event_time import US_PER_MINUTE, US_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.landing.summary import DeliverySummary
    from tick_pipeline.orchestration.partitions import Window
    from tick_pipeline.resources.query_engine import QueryResult
    from tick_pipeline.spark.report import AnomalyReport, JobReport, OhlcReport
    from tick_pipeline.storage import StorageMode

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 60
_MOST_RECORDS = 20
#: Of the anomalies' table, what fits beside one another on a page; the tables hold the rest.
_OF_ANOMALY = ("event_at", "symbol", "metric", "zscore", "value", "mean", "stddev", "low", "high")
_DIGITS = 6
#: Rows that a run replaced by others; the check `anomaly_sanity` reads it.
DIFFERING, GONE = "differing", "no anomalies any more"
Metadata = dict[str, Any]


def column_schema(contract: str, mode: StorageMode) -> dg.TableSchema:
    """A contract's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                logical_type(column, mode),
                description=f"{column.description} ({column.unit})"
                if column.unit
                else column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in load_contract(contract).fields
        ]
    )


def raw_metadata(
    window: Window, summary: DeliverySummary, minutes: QueryResult, copies: QueryResult
) -> Metadata:
    """What raw holds of the window, and what was delivered (by this run, which may have touched other hours).

    Args:
        window: the hours of the run.
        summary: of the delivery.
        minutes: the answer of `raw_minutes` over the window.
        copies: the answer of `duplicates` over the window, one row.
    """
    by_minute, (found,) = minutes.records, copies.records
    lateness = [row["max_lateness_seconds"] or 0.0 for row in by_minute]
    return {
        "dagster/row_count": sum(row["raw_rows"] for row in by_minute),
        "window": str(window),
        "rows per minute": dg.MetadataValue.text(sparkline(_rows_of_minutes(window, by_minute))),
        "ticks": int(found["ticks"]),
        "invalid": sum(row["invalid_rows"] for row in by_minute),
        "duplicates": int(found["duplicates"]),
        "conflicting duplicates": int(found["conflicting"]),
        "late": sum(row["late_rows"] for row in by_minute),
        "max lateness (seconds)": float(max(lateness, default=0.0)),
        "files": minutes.files,
        "bytes": minutes.bytes,
        "delivery": summary.delivery,
        "landed": summary.landed,
        "malformed, kept as errors": sum(summary.malformed.values()),
        "hours touched": len(summary.hours),
        "seconds": round(summary.seconds, 3),
    }


def candle_metadata(
    report: OhlcReport, timeframe: str, window: Window, movers: QueryResult
) -> Metadata:
    """What a run of the Spark job made of one timeframe.

    Args:
        report: of the storage mode.
        timeframe: which candles.
        window: the hours of the run.
        movers: the answer of `top_movers` over the window.
    """
    return {
        "dagster/row_count": report.candles[timeframe],
        "window": str(window),
        "prices": record_table(movers.records),
        "ticks read": report.rows,
        "invalid": report.invalid,
        "duplicates": report.duplicates,
        "conflicting duplicates": report.conflicting_duplicates,
        **effort_metadata(report),
    }


def anomaly_metadata(
    report: AnomalyReport, window: Window, stored: QueryResult, picture: Metadata
) -> Metadata:
    """What a run of the Spark job found.

    Args:
        report: of the storage mode.
        window: the hours of the run.
        stored: the answer of `anomalies_with_candle` over the window.
        picture: of the symbol with the most of them, empty where there is none.
    """
    shown = [{name: row[name] for name in _OF_ANOMALY} for row in stored.records]
    by_symbol = [{"symbol": name, "anomalies": number} for name, number in report.by_symbol.items()]
    return {
        "dagster/row_count": report.anomalies,
        "window": str(window),
        **picture,
        "anomalies": record_table(shown),
        "by symbol": record_table(by_symbol),
        **{f"of {metric}": number for metric, number in report.by_metric.items()},
        "worst |zscore|": report.worst_zscore,
        **replacement_metadata(report),
        "ticks read": report.rows,
        "ticks read as context": report.context_rows,
        "ticks scored": report.ticks,
        "invalid": report.invalid,
        "duplicates": report.duplicates,
        **effort_metadata(report),
    }


def replacement_metadata(report: AnomalyReport) -> dict[str, int]:
    """How the rows that a run replaced, perhaps the streaming job's, differed from its own."""
    return {
        "replaced": report.replaced,
        DIFFERING: report.differing,
        GONE: report.gone,
        "added": report.added,
    }


def effort_metadata(report: JobReport) -> Metadata:
    """What a run of a Spark job read, and how long it took."""
    return {
        "read mode": report.load_data_mode,
        "files": report.files,
        "bytes": report.bytes,
        "requests": report.requests,
        "read seconds": report.read_seconds,
        "seconds": report.seconds,
        "Spark tasks": report.tasks,
        "shuffle bytes": report.shuffle_bytes,
        "spill bytes": report.spill_bytes,
        **run_metadata(report.run),
    }


def run_metadata(facts: Mapping[str, str | float]) -> Metadata:
    """What a deployment tells of a run of a Spark job, its addresses as links."""
    return {
        name: dg.MetadataValue.url(fact)
        if isinstance(fact, str) and fact.startswith("https://")
        else fact
        for name, fact in facts.items()
    }


def record_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The first rows as Dagster's table; values that it does not know become text."""
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: _plain(value) for name, value in row.items()})
            for row in rows[:_MOST_RECORDS]
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in (rows[0] if rows else ())]),
    )


def sparkline(values: Sequence[int]) -> str:
    """Counts as bars, the highest as the full one, with the range beside them."""
    if not values:
        return "none"
    top = max(*values, 1)
    bars = "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)
    return f"{bars}  {min(values):,} .. {max(values):,}"


def _rows_of_minutes(window: Window, by_minute: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows of each bar, from the window's first minute on; a bar is a minute, more in long windows."""
    minutes = (window.end_us - window.start_us) // US_PER_MINUTE
    width = -(-minutes // _MOST_BARS)
    rows = [0] * -(-minutes // width)
    for row in by_minute:
        at_us = int(row["minute"].timestamp()) * US_PER_SECOND
        rows[(at_us - window.start_us) // US_PER_MINUTE // width] += row["raw_rows"]
    return rows


def _plain(value: object) -> str | int | float | bool:
    if isinstance(value, float):
        # Digits after the point say nothing of a return of 0.0000001.
        return round(value, _DIGITS) if abs(value) >= 1 else float(f"{value:.{_DIGITS}g}")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value if isinstance(value, str | int | bool) else str(value)
