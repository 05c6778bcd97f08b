"""Puts ticks, candles and anomalies into both storage modes without landing or Spark; candles by pandas."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow and pandas have no types)
from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import load_contract, table_contract
from tick_pipeline.contracts.rules import broken_rule
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import (
    EPOCH,
    as_datetime,
    format_instant,
    hour_floor,
    parse_instant,
)
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.storage import (
    ANOMALIES,
    StorageMode,
    candle_table,
    hour_partition,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.home import Home

START_US = parse_instant("2026-03-01T09:00:00Z")
WINDOW = {"start": "2026-03-01T09:00:00Z", "end": "2026-03-01T12:00:00Z"}
ORDER = list(load_contract("tick").order)


def tick(symbol: str, seconds: float, sequence: int, **changes: Any) -> dict[str, Any]:
    """A valid tick `seconds` after 09:00 UTC of 1 March 2026."""
    us = START_US + round(seconds * 1_000_000)
    record = {
        "event_id": f"sim-1:{symbol}:{sequence}",
        "source": "sim-1",
        "sequence": sequence,
        "symbol": symbol,
        "price": 100.0 + sequence / 8,
        "volume": 1.0,
        "event_ts": us,
        "event_time": format_instant(us),
        "sent_ts": us,
    }
    return record | changes


def land(home: Home, records: Sequence[dict[str, Any]], modes: Sequence[StorageMode]) -> None:
    """Append ticks to raw, one file for each hour."""
    by_hour: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        by_hour.setdefault(hour_floor(record["event_ts"]), []).append(record)
    for mode in modes:
        for hour_us, rows in by_hour.items():
            values = rows
            if mode is StorageMode.ICEBERG:
                values = [row | {"event_ts": as_datetime(row["event_ts"])} for row in rows]
            append(home, mode, "raw", hour_us, values)


def store_candles(home: Home, timeframe: str, candles: Any, modes: Sequence[StorageMode]) -> None:
    """Append candles to aggregated_<timeframe>, one file for each hour."""
    for hour_us, rows in candles.groupby(candles["first_us"].map(hour_floor)):
        values = [
            {name: None if pd.isna(value) else value for name, value in row.items()}
            for row in rows.to_dict("records")
        ]
        for mode in modes:
            append(home, mode, candle_table(timeframe), hour_us, values)


def anomaly(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a tick's volume would be as an anomaly that meets every rule, then changed."""
    row = {
        "event_id": record["event_id"],
        "symbol": record["symbol"],
        "event_us": record["event_ts"],
        "event_at": as_datetime(record["event_ts"]),
        "metric": "volume",
        "value": record["volume"] + 26.0,
        "mean": record["volume"],
        "stddev": 4.0,
        "zscore": 6.5,
        "sample_count": 100,
        "window_minutes": 10,
        "threshold": 5.0,
    }
    return row | changes


def store_anomalies(
    home: Home, rows: Sequence[dict[str, Any]], modes: Sequence[StorageMode]
) -> None:
    """Append anomalies as they are, one file for each hour of their event_at."""
    by_hour: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        us = (row["event_at"] - EPOCH) // timedelta(microseconds=1)
        by_hour.setdefault(hour_floor(us), []).append(row)
    for mode in modes:
        for hour_us, of_hour in by_hour.items():
            append(home, mode, ANOMALIES, hour_us, of_hour)


def candles_of(records: Sequence[dict[str, Any]], minutes: int = 1) -> Any:
    """The candles of valid, de-duplicated ticks: the plain pandas recompute."""
    kept = distinct_ticks(records)
    bucket = kept["event_ts"] // (minutes * 60_000_000) * (minutes * 60_000_000)
    kept = kept.assign(
        bucket_start=bucket.map(as_datetime), notional=kept["price"] * kept["volume"]
    )
    found = (
        kept.groupby(["symbol", "bucket_start"])
        .agg(
            open=("price", "first"),
            high=("price", "max"),
            low=("price", "min"),
            close=("price", "last"),
            volume=("volume", "sum"),
            notional=("notional", "sum"),
            trade_count=("price", "size"),
            first_us=("event_ts", "min"),
            last_us=("event_ts", "max"),
        )
        .reset_index()
    )
    found["vwap"] = found["notional"] / found["volume"].where(found["volume"] > 0)
    return found[list(load_contract("candle").field_names)]


def distinct_ticks(records: Sequence[dict[str, Any]]) -> Any:
    """Valid ticks in the total order, each once."""
    contract = load_contract("tick")
    valid = [record for record in records if broken_rule(contract, record) is None]
    frame: Any = pd.DataFrame.from_records(valid, columns=[*contract.field_names])
    return frame.sort_values(ORDER).drop_duplicates(list(contract.key), keep="first")


def parquet_file(home: Home, table: str, hour_us: int, name: str) -> Path:
    """Path of a file in an hour of a Parquet table."""
    root = table_location(str(home.warehouse), StorageMode.PARQUET_PROJECTION, table)
    return Path(root) / hour_partition(hour_us) / name


def append(
    home: Home, mode: StorageMode, table: str, hour_us: int, rows: list[dict[str, Any]]
) -> None:
    """Append rows as they are; in Parquet, into that hour's folder."""
    data = pa.Table.from_pylist(rows, schema=arrow_schema(table_contract(table), mode))
    if mode is StorageMode.ICEBERG:
        target = open_catalog(home.path).load_table(iceberg_identifier(table))
        target.append(data.cast(target.schema().as_arrow()))
        return
    folder = parquet_file(home, table, hour_us, "part").parent
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(data, folder / f"part-{len(list(folder.iterdir()))}.parquet")
