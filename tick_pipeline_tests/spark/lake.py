"""A HOME with Spark on it: raw rows in, candles and anomalies out, each test in hours of its own."""

# pyarrow's and pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR, format_instant, hours_of, parse_instant
from tick_pipeline.resources.iceberg import open_catalog, warehouse_uri
from tick_pipeline.spark.jobs import anomalies, ohlc
from tick_pipeline.storage import (
    ANOMALIES,
    CATALOG,
    RAW,
    TIMEFRAMES,
    LoadDataMode,
    StorageMode,
    candle_table,
    hour_partition,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from tick_pipeline.home import Home
    from tick_pipeline.spark.report import AnomalyReport, OhlcReport
    from tick_pipeline.spark.scoring_rules import ScoringRules
    from tick_pipeline_tests.spark.oracle import Tick

_FIRST_HOUR_US = parse_instant("2026-01-01T00:00:00Z")
_TICK = load_contract("tick")
Candles = dict[tuple[str, int], dict[str, Any]]


@dataclass
class Lake:
    """The tables of both storage modes, and a Spark session on them."""

    spark: SparkSession
    home: Home
    _hours: Iterator[int] = field(default_factory=count)

    def fresh_hours(self, number: int = 1) -> int:
        """Start, in microseconds, of hours that no other test has touched."""
        first, *_ = islice(self._hours, number)
        return _FIRST_HOUR_US + first * US_PER_HOUR

    def land(self, ticks: list[Tick], *modes: StorageMode) -> None:
        """Append raw rows, in the order given, one file for each hour."""
        hours = sorted({tick["event_ts"] // US_PER_HOUR for tick in ticks})
        for hour in hours:
            rows = [tick for tick in ticks if tick["event_ts"] // US_PER_HOUR == hour]
            table = pa.Table.from_pylist(rows, arrow_schema(_TICK, StorageMode.PARQUET_PROJECTION))
            if StorageMode.PARQUET_PROJECTION in modes:
                folder = self.folder(RAW) / hour_partition(hour * US_PER_HOUR)
                folder.mkdir(parents=True, exist_ok=True)
                pq.write_table(table, folder / f"{len(list(folder.iterdir()))}.parquet")
            if StorageMode.ICEBERG in modes:
                open_catalog(self.home.path).load_table(iceberg_identifier(RAW)).append(
                    table.cast(arrow_schema(_TICK, StorageMode.ICEBERG))
                )

    def aggregate(
        self,
        start_us: int,
        mode: StorageMode = StorageMode.PARQUET_PROJECTION,
        *,
        hours: int = 1,
        load: LoadDataMode | None = None,
    ) -> OhlcReport:
        """Run the job for hours of one storage mode."""
        arguments = ohlc.Arguments(
            start_us=start_us,
            end_us=start_us + hours * US_PER_HOUR,
            storage_modes=(mode,),
            load_data_mode=load,
            timeframes=tuple(TIMEFRAMES),
            warehouse=warehouse_uri(self.home.path),
            catalog=CATALOG,
            report=None,
        )
        return ohlc.run(self.spark, arguments)[0]

    def score(
        self,
        start_us: int,
        mode: StorageMode = StorageMode.PARQUET_PROJECTION,
        *,
        rules: ScoringRules,
        hours: int = 1,
        load: LoadDataMode | None = None,
    ) -> AnomalyReport:
        """Run the anomaly job for hours of one storage mode."""
        arguments = anomalies.Arguments(
            start_us=start_us,
            end_us=start_us + hours * US_PER_HOUR,
            storage_modes=(mode,),
            load_data_mode=load,
            rules=rules,
            warehouse=warehouse_uri(self.home.path),
            catalog=CATALOG,
            report=None,
            locks=self.home.locks,
        )
        return anomalies.run(self.spark, arguments)[0]

    def candles(
        self,
        start_us: int,
        mode: StorageMode = StorageMode.PARQUET_PROJECTION,
        *,
        timeframe: str = "1m",
        hours: int = 1,
    ) -> Candles:
        """Stored candles of hours, read without Spark."""
        tables = self._stored(candle_table(timeframe), "bucket_start", start_us, mode, hours)
        found: Candles = {}
        for table in tables:
            table = table.set_column(  # noqa: PLW2901
                table.column_names.index("bucket_start"),
                "bucket_start",
                table["bucket_start"].cast(pa.int64()),
            )
            for row in table.to_pylist():
                key = (row.pop("symbol"), row.pop("bucket_start"))
                assert key not in found, f"{key} stands twice"
                found[key] = row
        return found

    def anomalies(
        self,
        start_us: int,
        mode: StorageMode = StorageMode.PARQUET_PROJECTION,
        *,
        hours: int = 1,
    ) -> pa.Table:
        """Stored anomalies of hours, read without Spark, by (symbol, event_id, metric)."""
        schema = arrow_schema(load_contract("anomaly"), StorageMode.PARQUET_PROJECTION)
        tables = self._stored(ANOMALIES, "event_at", start_us, mode, hours)
        rows = pa.concat_tables([schema.empty_table(), *(table.cast(schema) for table in tables)])
        return rows.sort_by(
            [("symbol", "ascending"), ("event_id", "ascending"), ("metric", "ascending")]
        )

    def _stored(
        self, table: str, time: str, start_us: int, mode: StorageMode, hours: int
    ) -> list[pa.Table]:
        end_us = start_us + hours * US_PER_HOUR
        if mode is StorageMode.ICEBERG:
            where = (
                f"{time} >= '{format_instant(start_us)[:-1]}+00:00' "
                f"and {time} < '{format_instant(end_us)[:-1]}+00:00'"
            )
            stored = open_catalog(self.home.path).load_table(iceberg_identifier(table))
            return [stored.scan(where).to_arrow()]
        return [
            pq.ParquetFile(path).read()
            for hour_us in hours_of(start_us, end_us)
            for path in sorted((self.folder(table) / hour_partition(hour_us)).glob("*"))
        ]

    def folder(self, table: str) -> Path:
        """Root of a table with projected partitions."""
        return Path(table_location(str(self.home.warehouse), StorageMode.PARQUET_PROJECTION, table))


def tick(event_us: int, number: int = 1, **changes: Any) -> Tick:
    """A valid tick; `changes` replace its fields."""
    return {
        "event_id": f"t:{number}",
        "source": "test",
        "sequence": number,
        "symbol": "AAA",
        "price": 100.0 + number,
        "volume": 10.0,
        "event_ts": event_us,
        "event_time": format_instant(event_us),
        "sent_ts": event_us,
        **changes,
    }
