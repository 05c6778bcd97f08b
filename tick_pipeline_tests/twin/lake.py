"""The tables on the twin: raw rows in, candles and anomalies out, without Spark."""

# boto3, pyarrow and pyiceberg have no types, or partial ones
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.glue import GlueCatalog

from tick_pipeline.contracts.contract import load_contract, table_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import US_PER_HOUR, format_instant, hours_of
from tick_pipeline.storage import (
    RAW,
    StorageMode,
    glue_database,
    hour_partition,
    iceberg_identifier,
    table_location,
)
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.provision import BUCKET, PROJECT, WAREHOUSE

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.oracle import Tick
    from tick_pipeline_tests.twin.twin import Twin

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
DATABASE = glue_database(PROJECT, ICEBERG)
_TIMES = {"anomalies": "event_at", RAW: "event_ts"}


@dataclass(frozen=True)
class TwinLake:
    """What lies in the provisioned bucket and catalog."""

    twin: Twin

    def land(self, ticks: list[Tick], *modes: StorageMode, name: str = "0.parquet") -> None:
        """Append raw rows; in Parquet one object for each hour."""
        schema = arrow_schema(load_contract("tick"), PARQUET)
        if ICEBERG in modes:
            rows = pa.Table.from_pylist(ticks, schema)
            self.iceberg(RAW).append(rows.cast(arrow_schema(load_contract("tick"), ICEBERG)))
        if PARQUET in modes:
            for hour in sorted({tick["event_ts"] // US_PER_HOUR for tick in ticks}):
                of_hour = [tick for tick in ticks if tick["event_ts"] // US_PER_HOUR == hour]
                self.put(RAW, hour * US_PER_HOUR, name, pa.Table.from_pylist(of_hour, schema))

    def put(self, table: str, hour_us: int, name: str, rows: pa.Table) -> None:
        """Put an object into an hour of a Parquet table."""
        content = io.BytesIO()
        pq.write_table(rows, content)
        self.twin.client("s3").put_object(
            Bucket=BUCKET, Key=f"{self._hour(table, hour_us)}{name}", Body=content.getvalue()
        )

    def objects(self, table: str, hour_us: int | None = None) -> dict[str, bytes]:
        """Name -> content of what lies in an hour of a Parquet table, or below its folder."""
        s3 = self.twin.client("s3")
        prefix = self._table(table) if hour_us is None else self._hour(table, hour_us)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {
            key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in keys
            # What Hadoop puts where a folder would else be gone; readers of tables skip it.
            if not key.endswith("/")
        }

    def rows(self, table: str, mode: StorageMode, start_us: int, hours: int = 1) -> pa.Table:
        """Stored rows of hours, in the contract's types for Parquet."""
        schema = arrow_schema(table_contract(table), PARQUET)
        end_us = start_us + hours * US_PER_HOUR
        if mode is PARQUET:
            found = [
                pq.read_table(io.BytesIO(content))
                for hour_us in hours_of(start_us, end_us)
                for content in self.objects(table, hour_us).values()
            ]
            return pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in found)])
        time = _TIMES.get(table, "bucket_start")
        since, until = (f"'{format_instant(us)[:-1]}+00:00'" for us in (start_us, end_us))
        scan = self.iceberg(table).scan(f"{time} >= {since} and {time} < {until}")
        return scan.to_arrow().cast(schema)

    def candles(
        self, table: str, mode: StorageMode, start_us: int, hours: int = 1
    ) -> dict[tuple[str, int], dict[str, Any]]:
        """Stored candles of hours, by symbol and bucket, in microseconds."""
        rows = self.rows(table, mode, start_us, hours)
        buckets = rows["bucket_start"].cast(pa.int64()).to_pylist()
        found = {
            (row.pop("symbol"), bucket): row
            for row, bucket in zip(
                rows.drop_columns("bucket_start").to_pylist(), buckets, strict=True
            )
        }
        assert len(found) == rows.num_rows, "a key stands twice"
        return found

    def iceberg(self, table: str) -> Any:
        """A table of the Glue Data Catalog, as it is now."""
        url = self.twin.url
        own = {"region": REGION, "access-key-id": ACCESS_KEY, "secret-access-key": SECRET_KEY}
        properties = {
            f"{service}.{name}": value
            for service in ("glue", "s3")
            for name, value in {**own, "endpoint": url}.items()
        }
        return GlueCatalog("glue", **properties).load_table(iceberg_identifier(table, DATABASE))

    def _table(self, table: str) -> str:
        return table_location(WAREHOUSE, PARQUET, table).removeprefix(f"s3://{BUCKET}/") + "/"

    def _hour(self, table: str, hour_us: int) -> str:
        return f"{self._table(table)}{hour_partition(hour_us)}/"
