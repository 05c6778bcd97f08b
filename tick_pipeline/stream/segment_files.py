"""Writing and reading the Parquet file of a segment."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tick_pipeline.stream.layout import Segment

SCHEMA = pa.schema(
    [
        pa.field("shardId", pa.string()),
        pa.field("sequenceNumber", pa.string()),
        pa.field("partitionKey", pa.string()),
        pa.field("approximateArrivalTimestamp", pa.timestamp("us", tz="UTC")),
        pa.field("data", pa.binary()),
    ]
)
# No `.parquet` at its end: a DuckDB glob would read it half written.
_TEMPORARY = "_segment.tmp"
# Bounds what a reader holds at once: 30 MB of JSON ticks.
_ROW_GROUP_ROWS = 131_072
# zstd-1 over prefix-compressed values: 29 bytes a tick (as NDJSON 228) for 0.5 CPU-s a million.
_WRITE_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["shardId", "partitionKey", "approximateArrivalTimestamp", "reason"],
    "column_encoding": {"sequenceNumber": "DELTA_BYTE_ARRAY", "data": "DELTA_BYTE_ARRAY"},
    "write_statistics": ["approximateArrivalTimestamp"],
    "store_schema": False,
    "row_group_size": _ROW_GROUP_ROWS,
}


def segment_table(
    shard_id: str, first: int, arrival_us: int, keys: pa.StringArray, data: pa.BinaryArray
) -> pa.Table:
    """The rows of a new segment, numbered from `first`."""
    count = len(data)
    constant = pa.array(np.zeros(count, dtype=np.int8))
    return pa.table(
        {
            "shardId": pa.DictionaryArray.from_arrays(constant, [shard_id]),
            "sequenceNumber": pa.array(np.arange(first, first + count)).cast(pa.string()),
            "partitionKey": keys,
            "approximateArrivalTimestamp": pa.array(np.full(count, arrival_us)).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "data": data,
        }
    )


def place_table(folder: Path, name: str, table: pa.Table, *, mtime_ms: int | None = None) -> None:
    """Write a table as `folder/name`, whole or not at all; the caller holds the folder's lock.

    The file's bytes are synced before it gets its name: after a loss of power there is no named
    file that is torn. The caller syncs the folder.

    Args:
        folder: where.
        name: the file's name; an existing file is never overwritten.
        table: its rows.
        mtime_ms: its modification time, milliseconds since the epoch; None leaves the clock's.

    Raises:
        OSError: as the disk raises it.
    """
    temporary = folder / _TEMPORARY
    # A killed writer's leftover may be a second link of a segment: remove it, never write into it.
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as handle:
            pq.write_table(table, handle, **_options(table))
            handle.flush()
            if mtime_ms is not None:
                os.utime(handle.fileno(), ns=(mtime_ms * 1_000_000, mtime_ms * 1_000_000))
            os.fsync(handle.fileno())
        os.link(temporary, folder / name)
    finally:
        temporary.unlink(missing_ok=True)


def read_rows(segment: Segment, first: int, last: int) -> Iterator[pa.Table]:
    """The segment's rows numbered `first` to `last`, in tables of at most one row group.

    Raises:
        FileNotFoundError: the segment was merged or dropped meanwhile.
        StreamError: the file is damaged.
    """
    # Read through a file of Python's, a process that ends soon afterwards may abort
    # (https://github.com/apache/arrow/issues/34314).
    with pa.OSFile(str(segment.path)) as handle:
        try:
            file = pq.ParquetFile(handle)
            if file.metadata.num_rows != segment.count:
                raise StreamError(
                    f"{segment.path} holds {file.metadata.num_rows} records, its name says {segment.count}; "
                    "restore the file or `tick-pipeline reset`"
                )
            group_first = segment.first
            for group in range(file.num_row_groups):
                count: int = file.metadata.row_group(group).num_rows
                start, stop = max(first - group_first, 0), min(last + 1 - group_first, count)
                if start < stop:
                    yield file.read_row_group(group).slice(start, stop - start)
                group_first += count
        except (pa.ArrowInvalid, OSError) as error:
            raise StreamError(
                f"{segment.path} is damaged ({error}); restore the file or `tick-pipeline reset`"
            ) from error


def count_arrived_before(segment: Segment, arrival_us: int) -> int:
    """How many of the segment's records arrived before the instant (microseconds)."""
    if segment.newest_us < arrival_us:
        return segment.count
    if segment.oldest_us >= arrival_us:
        return 0
    column = pq.read_table(segment.path, columns=["approximateArrivalTimestamp"])[0]
    return int(np.searchsorted(column.cast(pa.int64()).to_numpy(), arrival_us, side="left"))


def _options(table: pa.Table) -> dict[str, Any]:
    options = dict(_WRITE_OPTIONS)
    for name in ("use_dictionary", "write_statistics"):
        options[name] = [column for column in options[name] if column in table.column_names]
    options["column_encoding"] = {
        column: encoding
        for column, encoding in options["column_encoding"].items()
        if column in table.column_names
    }
    return options
