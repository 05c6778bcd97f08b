"""Records of the stream to ticks: what is canonical by Spark, everything else by the strict decoder."""

# pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

from tick_pipeline.contracts.canonical import REPLACEMENT, canonical_pattern
from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import MalformedError, decode
from tick_pipeline.contracts.rules import Dialect, broken_rule, valid_sql
from tick_pipeline.contracts.types import spark_schema
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What the kernel needs of a tick, besides its time.
_MEASURED = ("symbol", "sequence", "price", "volume", "event_id")
#: Columns of the parsed records.
RECORDS = pa.schema(
    [
        ("shard", pa.string()),
        ("position", pa.string()),
        ("arrival_us", pa.int64()),
        ("event_us", pa.int64()),
        ("symbol", pa.string()),
        ("sequence", pa.int64()),
        ("price", pa.float64()),
        ("volume", pa.float64()),
        ("event_id", pa.string()),
    ]
)
#: The same as Spark reads them, with the bytes of what it leaves to the strict decoder.
READ = RECORDS.append(pa.field("data", pa.binary()))


def parsed(stream: DataFrame) -> DataFrame:
    """The columns of READ: `data` where Spark cannot prove what the record says.

    Spark's own JSON reader is lenient; a record in canonical form leaves it nothing to be lenient
    about. `event_us` is null where the record is no valid tick.

    Args:
        stream: the columns of the Kinesis source and shardId.
    """
    contract = load_contract("tick")
    schema = spark_schema(contract, StorageMode.PARQUET_PROJECTION)
    low, high = contract.field("event_ts").convertible or (0, 0)
    in_range = f"tick.event_ts >= {low} and tick.event_ts < {high}"
    names = {name: f"tick.{name}" for name in contract.field_names}
    valid = f"{in_range} and {valid_sql(contract, Dialect.SPARK, expressions=names)}"
    texts = [column.name for column in contract.fields if column.type == "string"]
    torn = " or ".join(f"contains(tick.{name}, '{REPLACEMENT}')" for name in texts)
    return (
        stream.withColumn("text", F.col("data").cast("string"))
        .withColumn("canonical", F.col("text").rlike(canonical_pattern(contract)))
        .withColumn("tick", F.expr("case when canonical then text end"))
        .withColumn("tick", F.from_json("tick", schema))
        .selectExpr(
            "shardId as shard",
            "sequenceNumber as position",
            "unix_micros(approximateArrivalTimestamp) as arrival_us",
            f"case when {valid} then tick.event_ts end as event_us",
            *(f"tick.{name}" for name in _MEASURED),
            f"case when tick.event_ts is null or {torn} then data end as data",
        )
    )


def collect(frame: DataFrame, schema: pa.Schema) -> pa.Table:
    """A small frame's rows, as Arrow carries them from Spark to Python."""
    source: Any = frame
    batches = source._collect_as_arrow()  # noqa: SLF001  (toPandas makes an object of each text)
    return pa.Table.from_batches(batches).cast(schema) if batches else schema.empty_table()


def decoded(records: pa.Table) -> pa.Table:
    """RECORDS, with the strict decoder's answer where there is `data`."""
    unknown = records["data"].is_valid()
    places = np.flatnonzero(unknown.to_numpy())
    rows = records.select(RECORDS.names)
    if not len(places):
        return rows
    read = [_read(data) for data in records["data"].take(pa.array(places)).to_pylist()]
    again = rows.take(pa.array(places))
    for name in ("event_us", *_MEASURED):
        column = pa.array([tick.get(name) for tick in read], RECORDS.field(name).type)
        again = again.set_column(RECORDS.get_field_index(name), name, column)
    together = pa.concat_tables([rows, again])
    order = np.arange(rows.num_rows)
    order[places] = rows.num_rows + np.arange(len(places))
    return together.take(pa.array(order))


def _read(data: bytes) -> dict[str, Any]:
    """A valid tick's values; nothing for any other record: landing keeps and counts those."""
    contract = load_contract("tick")
    try:
        tick = decode(data, contract)
    except MalformedError:
        return {}
    if broken_rule(contract, tick) is not None:
        return {}
    return tick | {"event_us": tick["event_ts"]}
