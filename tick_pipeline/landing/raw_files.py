"""Files of raw: rows sorted once for both modes, cut by event hour, written as settings say."""

# pyarrow and numpy's indexing have no exact types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.event_time import US_PER_HOUR

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.settings import Settings


def sort_rows(rows: pa.Table, order: str) -> pa.Table:
    """Rows by event hour and, within it, as the setting `parquet_sort` says; equal ones stay in order."""
    event_us = _integers(rows, "event_ts")
    hours = event_us // US_PER_HOUR
    if order == "symbol,event_ts":
        keys = (event_us, _symbol_ranks(rows), hours)
    elif order == "event_ts":
        keys = (event_us,)
    else:
        keys = (hours,)
    return rows.take(pa.array(np.lexsort(keys)))


def _symbol_ranks(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each row's symbol as its place among the table's symbols; a null goes first."""
    symbols = rows.column("symbol").combine_chunks().dictionary_encode()
    ranks = np.zeros(len(symbols.dictionary) + 1, dtype=np.int64)
    names = symbols.dictionary.to_numpy(zero_copy_only=False)
    ranks[np.argsort(names)] = np.arange(1, len(ranks))
    return ranks[symbols.indices.fill_null(len(ranks) - 1)]


def split_by_hour(rows: pa.Table) -> list[tuple[int, pa.Table]]:
    """(start of the UTC hour in microseconds, its rows) of rows that `sort_rows` ordered; no copy."""
    hours = _integers(rows, "event_ts") // US_PER_HOUR
    starts = np.flatnonzero(np.diff(hours, prepend=-1))
    ends = np.append(starts[1:], len(hours))
    return [
        (int(hours[start]) * US_PER_HOUR, rows.slice(int(start), int(end - start)))
        for start, end in zip(starts, ends, strict=True)
    ]


def write_raw_file(
    rows: pa.Table, path: Path, settings: Settings, *, metadata: dict[str, str]
) -> int:
    """Write one file of raw, whole or not at all, over one of the same name; its size in bytes.

    Args:
        rows: of one hour, in the table's types.
        path: where; a reader skips the temporary name beside it.
        settings: compression, level and rows of a row group.
        metadata: kept in the file's footer.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"_{path.name}.tmp")
    pq.write_table(
        rows.replace_schema_metadata(metadata),
        temporary,
        row_group_size=settings.parquet_row_group_rows,
        **parquet_layout(rows.schema, settings),
    )
    return publish(temporary, path)


def parquet_layout(schema: pa.Schema, settings: Settings) -> dict[str, Any]:
    """How a table's columns are encoded and compressed, as options of pyarrow's writer.

    Texts that tell an event or its time from every other have no dictionary. DELTA on texts would cost
    Iceberg's readers their vectorised path.
    """
    integers = [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)
    ]
    repeating = [
        field.name
        for field in schema
        if pa.types.is_string(field.type) and not field.name.startswith("event_")
    ]
    return {
        "use_dictionary": repeating,
        "column_encoding": dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
        **_compression(settings),
    }


def publish(temporary: Path, path: Path) -> int:
    """Give a written file its name, once its bytes are on the disk; its size in bytes.

    The checkpoint that counts it is synced: it must not outlive the rows in a loss of power.
    """
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
        size_bytes = os.fstat(handle.fileno()).st_size
    temporary.replace(path)
    return size_bytes


def _compression(settings: Settings) -> dict[str, Any]:
    name = settings.parquet_compression
    if name in ("snappy", "none"):
        return {"compression": name}  # they have no levels
    level = settings.parquet_compression_level
    return {"compression": name, "compression_level": min(level, 9) if name == "gzip" else level}


def _integers(rows: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    return rows.column(column).to_numpy()
