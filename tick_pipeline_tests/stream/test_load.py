"""What the stream took of late: by shard, with its hottest symbol, here and on Kinesis."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.event_time import now_us
from tick_pipeline.stream.kinesis_load import loads_by_symbol
from tick_pipeline.stream.load import LocalStreamMeter
from tick_pipeline.stream.port import Shard
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline.stream.sharding import hash_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHARDS = [
    Shard(f"shardId-{number}", first, end, None, None, None, None, None, None)
    for number, (first, end) in enumerate(hash_ranges(4))
]
CLOSED = Shard("shardId-9", 0, 1 << 128, None, None, None, None, None, None, is_open=False)


def unasked(*_: int) -> Mapping[str, int] | None:
    raise AssertionError


def test_an_empty_stream_has_no_newest_record(tmp_path: Path) -> None:
    found = LocalStreamMeter(LocalStream(tmp_path)).measure(now_us(), unasked)
    assert (found.newest_arrival_us, found.known_since_us, found.records) == (None, 0, 0)
    assert [shard.hottest for shard in found.shards or ()] == [""] * 4


def test_the_segments_tell_each_shards_records_and_its_hottest_key(tmp_path: Path) -> None:
    stream = LocalStream(tmp_path)
    keys = ["AAPL"] * 30 + ["MSFT"] * 12 + ["NVDA"]
    stream.put(pa.array(keys), pa.array([b"four"] * len(keys), pa.binary()))
    before_us = now_us()
    found = LocalStreamMeter(stream).measure(before_us + 86_400_000_000, unasked)
    assert (found.records, found.bytes, found.throttled) == (43, 4 * 43, 0)
    assert found.newest_arrival_us is not None
    assert found.end_us == found.newest_arrival_us + 1
    hottest = max(found.shards or (), key=lambda shard: shard.records)
    assert (hottest.hottest, hottest.hottest_records) == ("AAPL", 30)


@given(st.dictionaries(st.text("ABC.-", min_size=1, max_size=5), st.integers(1, 99)))
def test_every_symbols_records_are_in_one_open_shard(counts: dict[str, int]) -> None:
    pinned = list(counts)[:1]
    loads = loads_by_symbol(counts, [*SHARDS, CLOSED], pinned)
    assert {load.shard_id for load in loads} == {shard.shard_id for shard in SHARDS}
    assert sum(load.records for load in loads) == sum(counts.values())
    if pinned:
        # The first pinned symbol has the shard with the highest hashes.
        (top,) = (load for load in loads if load.shard_id == "shardId-3")
        assert top.records >= counts[pinned[0]]
