"""Which shard takes a record: MD5 ranges of the partition key, as Kinesis splits them."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

HASH_SPACE = 1 << 128


def shard_name(index: int) -> str:
    """Id and folder of a shard: `shard-0000`."""
    return f"shard-{index:04d}"


def hash_ranges(shards: int) -> list[tuple[int, int]]:
    """Half-open ranges of the 128-bit hashes, one per shard, evenly split; the last takes the rest."""
    width = HASH_SPACE // shards
    starts = [index * width for index in range(shards)]
    return list(zip(starts, [*starts[1:], HASH_SPACE], strict=True))


def hash_key(partition_key: str) -> int:
    """MD5 of the key's UTF-8 bytes as an unsigned 128-bit integer.

    Source: https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key
    """
    digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big")


def shard_indices(keys: pa.StringArray, shards: int) -> npt.NDArray[np.int64]:
    """Index of the shard of each record; each distinct key is hashed once. No key may be null."""
    starts = [start for start, _ in hash_ranges(shards)]
    distinct = keys.dictionary_encode()
    of_key = [bisect_right(starts, hash_key(key)) - 1 for key in distinct.dictionary.to_pylist()]
    return np.array(of_key, dtype=np.int64)[distinct.indices.to_numpy()]
