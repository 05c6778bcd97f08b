"""Partition keys go to shards by MD5 ranges, as in Kinesis."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

from hashlib import md5
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.stream.sharding import HASH_SPACE, hash_key, hash_ranges, shard_indices


@given(st.integers(1, 300))
def test_ranges_cover_every_hash_once(shards: int) -> None:
    ranges = hash_ranges(shards)
    assert len(ranges) == shards
    assert ranges[0][0] == 0
    assert ranges[-1][1] == HASH_SPACE
    assert all(left[1] == right[0] for left, right in pairwise(ranges))


@given(st.lists(st.text(), max_size=50), st.integers(1, 40))
def test_a_key_goes_to_the_shard_whose_range_holds_its_hash(keys: list[str], shards: int) -> None:
    indices = shard_indices(pa.array(keys, pa.string()), shards)
    ranges = hash_ranges(shards)
    for key, index in zip(keys, indices.tolist(), strict=True):
        start, end = ranges[index]
        assert start <= hash_key(key) < end


def test_the_hash_is_the_md5_of_the_key() -> None:
    """The first of the test suite in RFC 1321, and one that is not ASCII."""
    assert hash_key("a") == 0x0CC175B9C0F1B6A831C399E269772661
    assert hash_key("é") == int.from_bytes(md5("é".encode(), usedforsecurity=False).digest(), "big")
