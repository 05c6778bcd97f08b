"""Scoring in Spark's tasks gives the driver's rows."""

# pandas', pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.spark.streaming.by_shard import into, scored_by_shard
from tick_pipeline.spark.streaming.records import parsed
from tick_pipeline.spark.streaming.sinks import ParquetSink
from tick_pipeline.spark.streaming.source import SegmentSource
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.spark.streaming.shards import RULES, US, out_of_order, walk
from tick_pipeline_tests.spark.streaming.streams import DRAIN, Streamed

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark

START_US = 1_767_000_000 * US
SYMBOLS = ("AA", "AB", "BA", "CA")


@pytest.fixture
def streamed(stream_lake: Lake, tmp_path: Path) -> Streamed:
    """An empty stream."""
    return Streamed(stream_lake, tmp_path / "driver")


def drain_by_shard(streamed: Streamed, folder: Path) -> Streamed:
    """Take what is there, two segments a micro-batch, into a table of its own."""
    source = SegmentSource(streamed.stream.root, files_per_batch=2)
    sinks = {StorageMode.PARQUET_PROJECTION: ParquetSink(f"file://{folder}/warehouse", None)}
    query = (
        scored_by_shard(parsed(source.read(streamed.lake.spark)), RULES, source)
        .writeStream.foreachBatch(into(sinks))
        .outputMode("append")
        .option("checkpointLocation", f"file://{folder}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    return Streamed(streamed.lake, folder)


def test_scoring_by_shard_equals_scoring_on_the_driver(streamed: Streamed, tmp_path: Path) -> None:
    """Over several micro-batches and a restart, among records that only the strict decoder reads."""
    rng = random.Random(15)
    ticks = out_of_order(walk(START_US, 15, SYMBOLS), rng, within_seconds=9)
    # More digits than a double holds: as doubles all would be alike, and the ids would order ties.
    ticks["event_id"] = [
        f"{symbol}:{10**6 - sequence}"
        for symbol, sequence in zip(ticks["symbol"], ticks["sequence"], strict=True)
    ]
    ticks["sequence"] += 2**59
    streamed.put(ticks.iloc[:140], segments=2, bad=rng)
    drain_by_shard(streamed, tmp_path / "tasks")
    streamed.put(ticks.iloc[140:], segments=1, bad=rng)
    by_shard = drain_by_shard(streamed, tmp_path / "tasks").rows()
    assert streamed.drain(DRAIN, files=1).progress.pending > 0
    assert (tmp_path / "tasks" / "checkpoint" / "commits" / "2").exists()
    assert by_shard.num_rows > 30
    assert by_shard.equals(streamed.rows())
