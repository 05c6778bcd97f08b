"""One flush's records: taken from the shards in turn, converted and sorted once for every mode."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tick_pipeline.errors import LandingError
from tick_pipeline.landing.checkpoint import Range
from tick_pipeline.landing.error_records import ErrorRecord
from tick_pipeline.landing.raw_files import sort_rows, split_by_hour
from tick_pipeline.stream.port import AfterSequence, Earliest, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tick_pipeline.landing.checkpoint import Plan
    from tick_pipeline.landing.convert import Converter

_EVERYTHING = 2**62  # more records than a shard can hold
_STEP_ROWS = 50_000  # taken from a shard before its bytes are counted
# Arrow's byte strings have 32-bit offsets; half of that leaves room for the last segment taken.
_MOST_BYTES = 2**30


class ConsumedStream(Stream, Protocol):
    """A stream that knows how far its consumers have come, as the local one does."""

    def register(self, consumer: str) -> None:
        """Make the stream keep what this consumer has not read."""
        ...

    def unregister(self, consumer: str) -> None:
        """Forget how far a consumer has come."""
        ...

    def commit(self, consumer: str, positions: Mapping[str, str]) -> None:
        """Note how far a consumer has come."""
        ...


@dataclass(frozen=True)
class Batch:
    """One flush's records, converted.

    Attributes:
        ranges: shard -> which of its records these are.
        records: how many.
        hours: (start of the UTC hour in microseconds, its rows), ascending; event_ts is an integer.
        errors: the records that no table can hold.
        malformed: reason -> how many of them.
        invalid: broken rule -> rows that break it first.
    """

    ranges: dict[str, Range]
    records: int
    hours: list[tuple[int, pa.Table]]
    errors: list[ErrorRecord]
    malformed: dict[str, int]
    invalid: dict[str, int]

    @property
    def landed(self) -> int:
        """Rows of all hours."""
        return sum(rows.num_rows for _, rows in self.hours)


class Cursors:
    """The place up to which each shard was taken, and what was read beyond it.

    Args:
        stream: from which.
        positions: shard -> last sequence number that is done; an absent shard begins at its oldest.
        ends: shard -> last sequence number to take; None follows the stream, whatever comes.
    """

    def __init__(
        self, stream: Stream, positions: Mapping[str, str], ends: Mapping[str, str] | None
    ) -> None:
        names = ends if ends is not None else [shard.shard_id for shard in stream.shards()]
        self._cursors = [
            _Cursor(stream, name, positions.get(name), None if ends is None else ends[name])
            for name in sorted(names)
        ]

    def take(self, buffer: Buffer) -> bool:
        """Fill the buffer, every shard giving its share; False when nothing was there to take.

        In turn, not one shard after the other: so a flush spans few event hours.
        """
        share = min(_STEP_ROWS, math.ceil(buffer.free_records / max(1, len(self._cursors))))
        found = False
        for cursor in self._cursors:
            if buffer.full:
                break
            rows = cursor.take(min(share, buffer.free_records))
            if rows is not None:
                buffer.add(cursor.shard_id, rows)
                found = True
        return found


class _Cursor:
    def __init__(self, stream: Stream, shard_id: str, after: str | None, end: str | None) -> None:
        self.shard_id = shard_id
        self._stream = stream
        self._after = after
        self._end = end
        self._tables: Iterator[pa.Table] = iter(())
        self._rest: pa.Table | None = None

    def take(self, most: int) -> pa.Table | None:
        """The next records, `most` at most; None at the end, as of the last look."""
        rest = self._rest if self._rest is not None else self._next()
        if rest is None:
            return None
        taken = rest.slice(0, most)
        self._rest = rest.slice(most) if most < rest.num_rows else None
        self._after = taken.column("sequenceNumber")[-1].as_py()
        return taken

    def _next(self) -> pa.Table | None:
        table = next(self._tables, None)
        if table is None and (self._end is None or self._after != self._end):
            self._tables = iter(
                self._stream.read(
                    self.shard_id,
                    _position(self._after),
                    max_records=_EVERYTHING,
                    end=self._end,
                )
            )
            table = next(self._tables, None)
        return table if table is not None and table.num_rows else None


class Buffer:
    """Records waiting for a flush.

    Args:
        positions: shard -> last sequence number before the buffer.
        most_records: how many make it full.
        most_bytes: how many bytes of data make it full.
    """

    def __init__(self, positions: Mapping[str, str], most_records: int, most_bytes: float) -> None:
        self._positions = positions
        self._most_records = most_records
        self._most_bytes = min(most_bytes, _MOST_BYTES)
        self._bytes = 0
        self._tables: list[pa.Table] = []
        self._ranges: dict[str, Range] = {}
        self.records = 0

    @property
    def full(self) -> bool:
        """It must be flushed before more is added."""
        return self.free_records <= 0 or self._bytes >= self._most_bytes

    @property
    def free_records(self) -> int:
        """Records that fit by number."""
        return self._most_records - self.records

    def add(self, shard_id: str, rows: pa.Table) -> None:
        """Add records that follow those of the shard that are in it."""
        before = self._ranges.get(shard_id)
        after = before.after if before else self._positions.get(shard_id)
        self._ranges[shard_id] = Range(after, rows.column("sequenceNumber")[-1].as_py())
        self._tables.append(rows.select(_COLUMNS))
        self._bytes += rows.column("data").nbytes
        self.records += rows.num_rows

    def convert(self, converter: Converter, order: str) -> Batch:
        """Everything in it, as one batch."""
        return _convert(pa.concat_tables(self._tables), self._ranges, converter, order)


def read_plan(stream: Stream, plan: Plan, converter: Converter, order: str) -> Batch:
    """The records of a planned flush, read again after a crash.

    Raises:
        LandingError: the stream does not hold the same records any more.
    """
    tables = [
        table.select(_COLUMNS)
        for shard_id, item in sorted(plan.ranges.items())
        for table in stream.read(
            shard_id, _position(item.after), max_records=_EVERYTHING, end=item.last
        )
    ]
    found = sum(table.num_rows for table in tables)
    if found != plan.records:
        raise LandingError(
            f"flush {plan.flush} was planned with {plan.records} records and the stream now holds "
            f"{found} of them; the stream under HOME was changed: restore it, or begin anew with "
            "`tick-pipeline reset`"
        )
    return _convert(pa.concat_tables(tables), plan.ranges, converter, order)


_COLUMNS = ["shardId", "sequenceNumber", "approximateArrivalTimestamp", "data"]


def _convert(raw: pa.Table, ranges: dict[str, Range], converter: Converter, order: str) -> Batch:
    converted = converter.convert(_one_array(raw.column("data")))
    malformed: dict[str, int] = {}
    for item in converted.malformed:
        malformed[item.reason] = malformed.get(item.reason, 0) + 1
    kept = raw.take(pa.array([item.index for item in converted.malformed], pa.int64()))
    errors = [
        _error_record(record, item.reason, item.message)
        for record, item in zip(_records(kept), converted.malformed, strict=True)
    ]
    rows = converted.rows
    return Batch(
        ranges=dict(ranges),
        records=raw.num_rows,
        hours=split_by_hour(sort_rows(rows, order)) if rows.num_rows else [],
        errors=errors,
        malformed=malformed,
        invalid=converted.invalid,
    )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.cast(pa.binary()).chunks)


def _records(table: pa.Table) -> list[dict[str, Any]]:
    arrival = table.schema.get_field_index("approximateArrivalTimestamp")
    arrived_us = table.column(arrival).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return table.set_column(arrival, "arrival_us", arrived_us).to_pylist()


def _error_record(record: dict[str, Any], reason: str, message: str) -> ErrorRecord:
    return ErrorRecord(
        error_type="",
        path="",
        code=reason,
        message=message,
        arrival_us=record["arrival_us"],
        data=record["data"],
        shard_id=record["shardId"],
        sequence_number=record["sequenceNumber"],
    )


def _position(after: str | None) -> AfterSequence | Earliest:
    return Earliest() if after is None else AfterSequence(after)
