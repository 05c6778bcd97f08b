"""The streams that the job reads: shards by partition key, and what the local stream still holds."""

# pyspark's and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.spark.streaming.source import KinesisSource, SegmentSource, shard_of_key
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline.stream.sharding import hash_ranges, shard_indices, shard_name
from tick_pipeline_tests.spark.streaming.drawing import drawn

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.lake import Lake

SHARD = shard_name(0)
ONE_SEGMENT = 10


@pytest.mark.spark
def test_a_keys_shard_is_the_streams(lake: Lake) -> None:
    """For any key and number of shards, in whatever order and case the shards are told."""
    keys = ["", "AAPL", "Börse", "😀", *drawn(st.text(max_size=12), 300)]
    frame = lake.spark.createDataFrame([(key,) for key in keys], "partitionKey string").coalesce(1)
    counts = (1, 3, 4, 16)
    columns = [f"{shard_of_key(shards_of(count))} as of_{count}" for count in counts]
    rows = frame.selectExpr("partitionKey", *columns).collect()
    assert [row.partitionKey for row in rows] == keys
    for count in counts:
        expected = shard_indices(pa.array(keys), count).tolist()
        assert [row[f"of_{count}"] for row in rows] == [shard_name(index) for index in expected]


@pytest.mark.spark
def test_a_pinned_keys_shard_is_where_the_producer_puts_it(lake: Lake) -> None:
    """Whatever its hash, and whatever stands in its name; other keys stay where their hash is."""
    keys = ["AAPL", "AAPL ", "it's", "back\\slash", "MSFT", "'; --"]
    pinned = {"AAPL": "pinned-1", "it's": "pinned-2", "back\\slash": "pinned-1", "'; --": "p'3"}
    frame = lake.spark.createDataFrame([(key,) for key in keys], "partitionKey string").coalesce(1)
    shards = shards_of(4)
    rows = frame.selectExpr(
        f"{shard_of_key(shards, pinned)} as pinned", f"{shard_of_key(shards)} as hashed"
    ).collect()
    assert [row.pinned for row in rows] == [
        pinned.get(key, row.hashed) for key, row in zip(keys, rows, strict=True)
    ]


def shards_of(count: int) -> list[tuple[str, str]]:
    """Ids and first hash keys, in some order."""
    shards = [
        (shard_name(index), f"{start:032x}".upper() if index % 2 else f"{start:032x}")
        for index, (start, _) in enumerate(hash_ranges(count))
    ]
    random.Random(count).shuffle(shards)
    return shards


def test_kinesis_numbers_have_holes_that_nothing_waits_for() -> None:
    source = KinesisSource("ticks", "https://kinesis.example", (("shard-0", "0" * 32),))
    assert not source.dense
    assert source.first("shard-0") == -1
    assert not source.is_gone("shard-0", 5)


class Reader:
    """Notes what a stream is read with and what is added: the source itself is Glue's."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.columns: list[str] = []

    def format(self, name: str) -> Reader:
        """The source's name."""
        self.options["format"] = name
        return self

    def option(self, name: str, value: str) -> Reader:
        """One option."""
        self.options[name] = value
        return self

    def load(self) -> Reader:
        """The records."""
        return self

    def withColumn(self, name: str, _value: Any) -> Reader:  # noqa: N802  (Spark's name)
        """One column more."""
        self.columns.append(name)
        return self


@pytest.mark.spark
@pytest.mark.parametrize("consumer", ["", "arn:aws:kinesis:us-east-1:1:stream/ticks/consumer/c:1"])
def test_kinesis_is_read_as_a_consumer_only_where_one_is_registered(
    lake: Lake, consumer: str
) -> None:
    reader = Reader()
    session: Any = SimpleNamespace(readStream=reader)
    KinesisSource("ticks", "https://kinesis.example", (("s", "0" * 32),), consumer).read(session)
    assert reader.options == {
        "format": "kinesis",
        "streamName": "ticks",
        "endpointUrl": "https://kinesis.example",
        "startingposition": "TRIM_HORIZON",
    } | ({"fanoutConsumerARN": consumer} if consumer else {})
    assert reader.columns == ["shardId"]


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStream:
    """Five segments of ten records each, in one shard and of one hour."""
    clock_us = now_us()
    monkeypatch.setattr("tick_pipeline.stream.segments.now_us", lambda: clock_us)
    stream = LocalStream(tmp_path / "stream", shards=1, retention_hours=1)
    for _ in range(5):
        stream.put(pa.array(["k"] * ONE_SEGMENT), pa.array([b"{}"] * ONE_SEGMENT))
    return stream


def held(stream: LocalStream) -> tuple[int, list[int]]:
    """The position before the first record, and the segments (numbered from 0) that are gone."""
    source = SegmentSource(stream.root, files_per_batch=5)
    gone = [
        segment
        for segment in range(5)
        if {
            source.is_gone(SHARD, position)
            for position in range(segment * ONE_SEGMENT + 1, (segment + 1) * ONE_SEGMENT + 1)
        }
        == {True}
    ]
    return source.first(SHARD), gone


def test_a_whole_stream_begins_with_its_first_record(stream: LocalStream) -> None:
    assert held(stream) == (0, [])
    source = SegmentSource(stream.root, files_per_batch=5)
    assert not source.is_gone(SHARD, 50)


def test_a_shard_without_records_begins_before_its_first(tmp_path: Path) -> None:
    LocalStream(tmp_path / "stream", shards=2)
    assert SegmentSource(tmp_path / "stream", files_per_batch=5).first(SHARD) == 0


def test_a_segment_out_of_sight_is_gone(stream: LocalStream) -> None:
    path = sorted((stream.root / SHARD).glob("*.parquet"))[2]
    path.rename(path.with_name(f"_{path.name}"))
    assert held(stream) == (0, [2])


def test_what_was_merged_is_streamed_no_more(stream: LocalStream) -> None:
    """Merged are only records that every consumer has read, this job too."""
    stream.register("anomaly-stream")
    stream.commit("anomaly-stream", {SHARD: "30"})
    stream.merge_segments(now_us() + US_PER_HOUR)
    assert held(stream) == (30, [0, 1, 2])


def test_what_retention_dropped_is_gone(stream: LocalStream) -> None:
    stream.register("anomaly-stream")
    stream.commit("anomaly-stream", {SHARD: "20"})
    later_us = now_us() + 2 * US_PER_HOUR
    stream.expire(later_us)
    assert held(stream) == (20, [0, 1])
    stream.expire(later_us, drop_unread=True)
    assert held(stream)[1] == [0, 1, 2, 3, 4]
    stream.put(pa.array(["k"] * ONE_SEGMENT), pa.array([b"{}"] * ONE_SEGMENT))
    assert SegmentSource(stream.root, files_per_batch=5).first(SHARD) == 50
