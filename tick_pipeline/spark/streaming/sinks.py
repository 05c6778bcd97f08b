"""Where anomalies of the stream go: into both tables, each key once, however often it comes."""

# pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.spark.folders import open_folder
from tick_pipeline.spark.locks import table_lock
from tick_pipeline.spark.zscore import anomaly_schema
from tick_pipeline.storage import (
    ANOMALIES,
    StorageMode,
    hour_partition,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

#: The one object of an hour, the batch job's as well.
HOUR_FILE = "anomalies.parquet"
BATCH_PROPERTY = "snapshot-property.tick_pipeline.stream-batch"
#: The contract's key, and the tick's: a source that gives an id twice must not lose an anomaly.
_KEY = ("event_id", "metric", "symbol", "event_us")
_ORDER = [(name, "ascending") for name in ("symbol", "event_us", "event_id", "metric")]
#: Hours whose keys are remembered: the stream writes its newest ones.
_KNOWN_HOURS = 4
Keys = set[tuple[str, str, str, int]]


class AnomalySink(Protocol):
    """One table of anomalies."""

    def write(self, rows: pa.Table, batch: str) -> int:
        """Add the rows whose key is not there yet; returns how many.

        Args:
            rows: of the contract `anomaly`.
            batch: names the micro-batch.
        """
        ...


class ParquetSink:
    """The projected table: one object per hour, replaced by the union of its rows and the new ones.

    On S3 nobody is locked out between the reading of an hour and its replacement: whoever else writes
    the hour in that moment, as the batch job, loses what it wrote, until the hour is run again.

    Args:
        warehouse: root of both modes' tables, a URI.
        locks: folder of the table locks; None on S3.
        spark: the session; a warehouse on a local disk needs none.
    """

    def __init__(
        self, warehouse: str, locks: Path | None, spark: SparkSession | None = None
    ) -> None:
        root = table_location(warehouse, StorageMode.PARQUET_PROJECTION, ANOMALIES)
        self._folder = open_folder(root, spark)
        self._locks = locks

    def write(self, rows: pa.Table, batch: str) -> int:
        """Add the rows whose key is not there yet; returns how many."""
        written = 0
        with table_lock(self._locks, f"{StorageMode.PARQUET_PROJECTION}-{ANOMALIES}"):
            for hour_us, of_hour in _by_hour(rows):
                written += self._write_hour(f"{hour_partition(hour_us)}/{HOUR_FILE}", of_hour)
        return written

    def _write_hour(self, path: str, rows: pa.Table) -> int:
        there = self._read(path)
        new = _absent(rows, _keys(there))
        if new.num_rows:
            whole = pa.BufferOutputStream()
            in_order = pa.concat_tables([there, new]).sort_by(_ORDER)
            pq.write_table(in_order, whole, compression="zstd")
            self._folder.write(path, whole.getvalue().to_pybytes())
        return new.num_rows

    def _read(self, path: str) -> pa.Table:
        content = self._folder.read(path)
        if content is None:
            return anomaly_schema().empty_table()
        return pq.ParquetFile(pa.BufferReader(content)).read().cast(anomaly_schema())


class IcebergSink:
    """The Iceberg table: one append of the keys that are absent from the hours.

    The keys of an hour are read once and remembered while the table's snapshot is the one that this
    sink left: whoever else commits makes it look again.

    Args:
        spark: the session.
        catalog: Spark's name of the catalog.
        locks: folder of the table locks; None on Glue, where the commit alone decides.
        database: of the Iceberg tables in the catalog.
    """

    def __init__(
        self,
        spark: SparkSession,
        catalog: str,
        locks: Path | None,
        database: str = StorageMode.ICEBERG.value,
    ) -> None:
        self._spark = spark
        self._table = f"{catalog}.{iceberg_identifier(ANOMALIES, database)}"
        self._locks = locks
        self._known: dict[int, Keys] = {}
        self._left_snapshot: int | None = None

    def write(self, rows: pa.Table, batch: str) -> int:
        """Add the rows whose key is not there yet; returns how many."""
        with table_lock(self._locks, f"{StorageMode.ICEBERG}-{ANOMALIES}"):
            snapshot = self._snapshot()
            if snapshot != self._left_snapshot:
                self._known.clear()
            new = [_absent(of_hour, self._keys_of(hour)) for hour, of_hour in _by_hour(rows)]
            added = pa.concat_tables(new)
            if added.num_rows:
                self._append(added, batch)
                for hour_us, of_hour in _by_hour(added):
                    self._known[hour_us] |= _keys(of_hour)
                snapshot = self._snapshot()
            self._known = dict(sorted(self._known.items())[-_KNOWN_HOURS:])
            self._left_snapshot = snapshot
            return added.num_rows

    def _append(self, rows: pa.Table, batch: str) -> None:
        schema = spark_schema(load_contract("anomaly"), StorageMode.ICEBERG)
        # From pandas it goes by Arrow (STREAM_CONF); a list would start Python workers to read it.
        frame = self._spark.createDataFrame(rows.sort_by(_ORDER).to_pandas(), schema).coalesce(1)
        frame.writeTo(self._table).option(BATCH_PROPERTY, batch).option(
            "fanout-enabled", "true"
        ).append()

    def _keys_of(self, hour_us: int) -> Keys:
        if hour_us not in self._known:
            within = (
                f"event_at >= timestamp_micros({hour_us}) "
                f"and event_at < timestamp_micros({hour_us + US_PER_HOUR})"
            )
            found = self._spark.table(self._table).where(within).select(*_KEY).collect()
            self._known[hour_us] = {
                (row.event_id, row.metric, row.symbol, row.event_us) for row in found
            }
        return self._known[hour_us]

    def _snapshot(self) -> int | None:
        session: Any = self._spark
        loaded = session._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(  # noqa: SLF001
            session._jsparkSession,  # noqa: SLF001
            self._table,
        ).currentSnapshot()
        return None if loaded is None else loaded.snapshotId()


def _by_hour(rows: pa.Table) -> list[tuple[int, pa.Table]]:
    hours = pc.multiply(pc.divide(rows["event_us"], US_PER_HOUR), US_PER_HOUR)
    return [(hour, rows.filter(pc.equal(hours, hour))) for hour in pc.unique(hours).to_pylist()]


def _keys(rows: pa.Table) -> Keys:
    return set(zip(*(rows[name].to_pylist() for name in _KEY), strict=True))


def _absent(rows: pa.Table, known: Keys) -> pa.Table:
    """The rows whose key is not known; of rows with one key, as of two shards, the first."""
    seen: Keys = set()
    absent: list[bool] = []
    for key in zip(*(rows[name].to_pylist() for name in _KEY), strict=True):
        absent.append(key not in known and key not in seen)
        seen.add(key)
    return rows.filter(pa.array(absent, pa.bool_()))
