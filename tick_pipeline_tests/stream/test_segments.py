"""What is put is read back: in order, numbered without holes, from any position."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.errors import StreamError
from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.stream import segment_files, segments
from tick_pipeline.stream.port import (
    MAX_RECORD_BYTES,
    AfterSequence,
    AtTimestamp,
    Earliest,
    PutResult,
)
from tick_pipeline.stream.segment_files import SCHEMA
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Clock, Put, ReadAll


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["sequenceNumber"]) for row in rows]


def test_records_come_back_in_the_order_in_which_they_were_put(
    stream: LocalStream, put: Put, read_all: ReadAll
) -> None:
    """Per shard, with dense sequence numbers from 1, over several puts."""
    keys = [f"K{index % 17}" for index in range(200)]
    for batch in range(3):
        data = [f"{batch}:{index}".encode() for index in range(200)]
        assert put(stream, keys, data).accepted == 200
    seen = 0
    for shard in stream.shards():
        rows = read_all(stream, shard.shard_id)
        seen += len(rows)
        assert numbers(rows) == list(range(1, len(rows) + 1))
        order = [tuple(map(int, row["data"].split(b":"))) for row in rows]
        assert order == sorted(order)
        assert {row["shardId"] for row in rows} == {shard.shard_id}
        assert (shard.records, shard.latest, shard.earliest) == (len(rows), str(len(rows)), "1")
    assert seen == 600


def test_a_table_that_is_read_has_the_columns_of_the_kinesis_source(
    single: LocalStream, put: Put
) -> None:
    put(single, ["A", "B"])
    (table,) = single.read("shard-0000", Earliest(), max_records=10)
    assert table.schema.equals(SCHEMA)


def test_bytes_of_any_kind_come_back_as_they_were(
    single: LocalStream, put: Put, read_all: ReadAll
) -> None:
    data = [b"", b"\x00\xff\xfe", "é".encode(), b"x" * 70_000, b"\n"]
    put(single, ["A"] * 5, data)
    assert [row["data"] for row in read_all(single)] == data


def test_chunked_and_large_arrays_are_taken_too(single: LocalStream, read_all: ReadAll) -> None:
    """As DuckDB and pandas hand them over."""
    keys = pa.chunked_array([["A"], ["B"]], pa.large_string()).dictionary_encode()
    single.put(keys, pa.chunked_array([[b"1"], [b"2"]], pa.large_binary()))
    assert [(row["partitionKey"], row["data"]) for row in read_all(single)] == [
        ("A", b"1"),
        ("B", b"2"),
    ]


def test_an_empty_put_is_no_change(stream: LocalStream, put: Put) -> None:
    assert put(stream, []) == PutResult(accepted=0, accepted_bytes=0, rejected=0)
    assert [shard.latest for shard in stream.shards()] == [None] * 4


def test_arrays_that_do_not_fit_are_refused(stream: LocalStream) -> None:
    with pytest.raises(StreamError, match="a put of 2 records came with 1 partition keys"):
        stream.put(pa.array(["A"]), pa.array([b"1", b"2"]))
    with pytest.raises(StreamError, match="int64 data failed"):
        stream.put(pa.array(["A"]), pa.array([1]))


def test_records_that_kinesis_would_refuse_are_kept_aside_with_the_reason(
    single: LocalStream, read_all: ReadAll
) -> None:
    largest = b"x" * (MAX_RECORD_BYTES - 1)
    keys = ["A", "A", None, "A", "", "k" * 256, "é" * 257, "A"]
    data = [largest, largest + b"x", b"3", None, b"5", b"6", b"7", b"8"]
    result = single.put(pa.array(keys, pa.string()), pa.array(data, pa.binary()))
    assert result == PutResult(accepted=3, accepted_bytes=MAX_RECORD_BYTES - 1 + 1 + 1, rejected=5)
    assert [row["data"] for row in read_all(single)] == [largest, b"6", b"8"]
    (kept,) = (single.root / "rejected").glob("*.parquet")
    assert [(row["reason"], row["data"]) for row in pq.read_table(kept).to_pylist()] == [
        ("data and partition key have more than 1048576 bytes", largest + b"x"),
        ("the partition key is null", b"3"),
        ("the data is null", None),
        ("the partition key has not 1 to 256 characters", b"5"),
        ("the partition key has not 1 to 256 characters", b"7"),
    ]
    assert single.status(0).rejected == 5


def test_the_number_of_shards_is_fixed_when_the_stream_is_created(tmp_path: Path) -> None:
    LocalStream(tmp_path, shards=3)
    assert len(LocalStream(tmp_path, shards=8).shards()) == 3


def test_a_stream_of_another_version_is_one_clear_line(tmp_path: Path) -> None:
    LocalStream(tmp_path)
    (tmp_path / "stream.json").write_text(json.dumps({"version": 9, "shards": 4}))
    with pytest.raises(StreamError, match="version 9, this tick_pipeline needs 1"):
        LocalStream(tmp_path)
    (tmp_path / "stream.json").write_text("{")
    with pytest.raises(StreamError, match=r"stream\.json cannot be read"):
        LocalStream(tmp_path)


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match="cannot hold the stream"):
        LocalStream(tmp_path / "file")
    with pytest.raises(StreamError, match="needs at least 1"):
        LocalStream(tmp_path / "none", shards=0)


def test_names_times_and_modification_times_rise_with_the_sequence(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    """Spark orders files by modification time; a clock that goes back must not disturb that."""
    start_us = clock.us
    for step_us in (0, 0, 500, -10 * US_PER_SECOND, 20 * US_PER_SECOND):
        clock.us += step_us
        put(single, ["A", "B"])
    files = sorted((single.root / "shard-0000").glob("*.parquet"))
    assert files[0].name == f"{1:020d}-2-{start_us}.parquet"
    assert [int(file.name[:20]) for file in files] == [1, 3, 5, 7, 9]
    mtimes_ms = [file.stat().st_mtime_ns // 1_000_000 for file in files]
    assert mtimes_ms == sorted(set(mtimes_ms))
    arrivals = [row["approximateArrivalTimestamp"] for row in read_all(single)]
    assert arrivals == sorted(arrivals)


def test_reading_begins_and_ends_where_it_is_told(
    single: LocalStream, put: Put, read_all: ReadAll
) -> None:
    for _ in range(4):
        put(single, ["A"] * 5)
    assert numbers(read_all(single, position=AfterSequence("0"))) == list(range(1, 21))
    assert numbers(read_all(single, position=AfterSequence("7"))) == list(range(8, 21))
    assert read_all(single, position=AfterSequence("20")) == []

    def some(position: int, max_records: int, end: str | None = None) -> list[int]:
        tables = single.read(
            "shard-0000", AfterSequence(str(position)), max_records=max_records, end=end
        )
        return numbers([row for table in tables for row in table.to_pylist()])

    assert some(3, 4) == [4, 5, 6, 7]
    assert some(3, 100, end="6") == [4, 5, 6]
    assert some(3, 2, end="6") == [4, 5]
    assert some(3, 0) == []
    assert some(6, 10, end="6") == []
    assert some(18, 10, end="99") == [19, 20]


def test_reading_ends_at_the_end_as_of_the_call(single: LocalStream, put: Put) -> None:
    put(single, ["A"] * 3)
    reading = single.read("shard-0000", Earliest(), max_records=100)
    put(single, ["A"] * 3)
    assert sum(table.num_rows for table in reading) == 3


def test_a_timestamp_begins_with_what_arrived_at_or_after_it(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    start_us = clock.us
    for second in range(3):
        clock.us = start_us + second * US_PER_SECOND
        put(single, ["A", "B"])
    for at_us, first in ((0, 1), (start_us, 1), (start_us + 1, 3), (start_us + US_PER_SECOND, 3)):
        assert numbers(read_all(single, position=AtTimestamp(at_us)))[0] == first
    assert read_all(single, position=AtTimestamp(clock.us + 1)) == []
    # The same from a merged segment, which holds all three seconds but the newest.
    single.commit("reader", {"shard-0000": "6"})
    single.merge_segments(before_us=clock.us + 1)
    for at_us, first in ((0, 1), (start_us + 1, 3), (start_us + US_PER_SECOND + 1, 5)):
        assert numbers(read_all(single, position=AtTimestamp(at_us)))[0] == first


def test_a_large_put_is_read_in_tables_of_bounded_size(single: LocalStream) -> None:
    count = 300_000
    single.put(pa.array(["A"] * count), pa.array([b"x"] * count))
    tables = list(single.read("shard-0000", AfterSequence("100000"), max_records=150_000))
    assert max(table.num_rows for table in tables) <= 131_072
    rows = pa.concat_tables(tables)["sequenceNumber"].to_pylist()
    assert rows == [str(number) for number in range(100_001, 250_001)]


@pytest.mark.parametrize("position", ["-1", "x", "", "1.5", "²"])
def test_a_position_that_is_no_number_is_refused(single: LocalStream, position: str) -> None:
    with pytest.raises(StreamError, match="is no sequence number"):
        single.read("shard-0000", AfterSequence(position), max_records=1)


def test_an_unknown_shard_and_a_position_of_another_stream_are_refused(
    single: LocalStream, put: Put
) -> None:
    put(single, ["A"])
    with pytest.raises(StreamError, match="no shard 'shard-0001'; it has shard-0000 to shard-0000"):
        single.read("shard-0001", Earliest(), max_records=1)
    with pytest.raises(StreamError, match="position 2 of shard-0000 is beyond its end, 1"):
        single.read("shard-0000", AfterSequence("2"), max_records=1)


def test_a_damaged_segment_and_a_stranger_are_named(
    single: LocalStream, put: Put, read_all: ReadAll
) -> None:
    put(single, ["A"])
    (segment,) = (single.root / "shard-0000").glob("*.parquet")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-20])
    with pytest.raises(StreamError, match="is damaged"):
        read_all(single)
    segment.write_bytes(whole)
    segment.rename(segment.with_name(segment.name.replace("-1-", "-2-")))
    with pytest.raises(StreamError, match="holds 1 records, its name says 2"):
        read_all(single)
    (single.root / "shard-0000" / "mine.parquet").write_bytes(b"")
    with pytest.raises(StreamError, match=r"mine\.parquet is no segment"):
        single.shards()


def test_the_leftover_of_a_killed_writer_never_harms_a_segment(
    single: LocalStream, put: Put, read_all: ReadAll
) -> None:
    """Killed after the link, its temporary name is a second one of a segment that counts."""
    put(single, ["A"])
    folder = single.root / "shard-0000"
    (segment,) = folder.glob("*.parquet")
    os.link(segment, folder / "_segment.tmp")
    put(single, ["B"])
    assert [row["data"] for row in read_all(single)] == [b"A", b"B"]
    assert not list(folder.glob("_*.tmp"))


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_put_that_fails_leaves_nothing_and_tells_what_was_taken(
    stream: LocalStream,
    put: Put,
    read_all: ReadAll,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """A full disk at the second shard: the first one has its records, the others none."""
    keys = [f"K{index}" for index in range(100)]
    calls: list[int] = []

    def full(*_: object, **__: object) -> None:
        calls.append(1)
        raise OSError(28, "No space left on device")

    module, name = {
        "write": (segment_files.pq, "write_table"),
        "fsync": (segment_files.os, "fsync"),
        "link": (segment_files.os, "link"),
    }[step]
    real_place = segment_files.place_table

    def place(folder: Path, *arguments: Any, **options: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if folder.name == "shard-0001":
                patch.setattr(module, name, full)
            real_place(folder, *arguments, **options)

    monkeypatch.setattr(segments, "place_table", place)
    with pytest.raises(
        StreamError, match="No space left on device; taken were those of shard-0000"
    ):
        put(stream, keys)
    monkeypatch.undo()
    assert calls == [1]
    counts = [shard.records or 0 for shard in stream.shards()]
    assert counts[0] > 0
    assert counts[1:] == [0, 0, 0]
    assert not list(stream.root.rglob("*.tmp"))
    put(stream, keys)
    assert numbers(read_all(stream)) == list(range(1, 2 * counts[0] + 1))


def test_duckdb_queries_the_segments_where_they_lie(stream: LocalStream, put: Put) -> None:
    put(stream, [f"K{index}" for index in range(50)])
    (count,) = duckdb.sql(
        f"select count(distinct (shardId, sequenceNumber)) from '{stream.root}/shard-*/*.parquet'"
    ).fetchall()[0]
    assert count == 50
