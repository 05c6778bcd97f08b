"""What a put takes: arrays of any kind that fits; and what it refuses, as Kinesis would, and keeps aside."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute

from tick_pipeline.errors import StreamError
from tick_pipeline.event_time import now_us
from tick_pipeline.stream.layout import SUFFIX, folder_lock, sync_folder
from tick_pipeline.stream.port import MAX_RECORD_BYTES
from tick_pipeline.stream.segment_files import place_table

if TYPE_CHECKING:
    from pathlib import Path

#: Its functions are made at run time, so no type checker knows them.
pc: Any = pyarrow.compute
#: Characters of a partition key.
#: Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
MAX_KEY_CHARACTERS = 256


def plain_arrays(
    partition_keys: pa.StringArray, data: pa.BinaryArray
) -> tuple[pa.StringArray, pa.BinaryArray]:
    """The arrays of a put, each in one piece; any kind of string or binary will do.

    Raises:
        StreamError: they differ in length, or are of other kinds or too large.
    """
    if len(partition_keys) != len(data):
        raise StreamError(
            f"a put of {len(data)} records came with {len(partition_keys)} partition keys; "
            "each record needs one"
        )
    try:
        return _in_one_piece(partition_keys, pa.string()), _in_one_piece(data, pa.binary())
    except pa.ArrowException as error:
        raise StreamError(
            f"a put of {partition_keys.type} keys and {data.type} data failed: {error}; "
            "give strings and binary, at most 2 GiB of either"
        ) from error


def refusal_reasons(keys: pa.StringArray, data: pa.BinaryArray) -> pa.StringArray | None:
    """Why each record is refused, null where it is not; None when every record can be taken."""
    characters = pc.utf8_length(keys)
    # Each fits, their sum might not: 32 bits would wrap.
    size = pc.add(pc.binary_length(data).cast(pa.int64()), pc.binary_length(keys).cast(pa.int64()))
    bad_key = pc.or_(pc.equal(characters, 0), pc.greater(characters, MAX_KEY_CHARACTERS))
    too_large = pc.greater(size, MAX_RECORD_BYTES)
    # A null compares to null, and `any` leaves nulls out.
    if not (
        keys.null_count or data.null_count or pc.any(bad_key).as_py() or pc.any(too_large).as_py()
    ):
        return None
    return pc.case_when(
        pc.make_struct(
            pc.is_null(keys),
            pc.is_null(data),
            pc.fill_null(bad_key, False),
            pc.fill_null(too_large, False),
        ),
        "the partition key is null",
        "the data is null",
        f"the partition key has not 1 to {MAX_KEY_CHARACTERS} characters",
        f"data and partition key have more than {MAX_RECORD_BYTES} bytes",
        pa.scalar(None, pa.string()),
    )


def keep_refused(
    folder: Path, keys: pa.StringArray, data: pa.BinaryArray, reasons: pa.StringArray
) -> None:
    """Keep refused records in `<arrival us>-<count>-<random>.parquet`, with their reasons.

    Raises:
        BusyError: another process holds the folder for too long.
        OSError: as the disk raises it.
    """
    arrival_us = now_us()
    table = pa.table(
        {
            "reason": reasons,
            "partitionKey": keys,
            "approximateArrivalTimestamp": pa.array(
                [arrival_us] * len(data), pa.timestamp("us", tz="UTC")
            ),
            "data": data,
        }
    )
    with folder_lock(folder):
        place_table(folder, f"{arrival_us}-{len(data)}-{uuid4().hex[:8]}{SUFFIX}", table)
    sync_folder(folder)


def data_bytes(data: pa.BinaryArray) -> int:
    """Size of all values together, in bytes."""
    return int(pc.sum(pc.binary_length(data)).as_py() or 0)


def count_refused(folder: Path) -> int:
    """How many refused records are kept, by the files' names."""
    names = os.listdir(folder)  # noqa: PTH208  (as everywhere here: names only)
    return sum(int(name.split("-")[1]) for name in names if name.endswith(SUFFIX))


def _in_one_piece(values: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.cast(kind)
