"""The stream as every part sees it; local segments implement it, and Kinesis."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

#: The Kinesis service's limit of one record, data and partition key together.
#: Source: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
MAX_RECORD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Shard:
    """One shard: a half-open range of the 128-bit hashes of partition keys, and what it holds.

    Kinesis does not tell what a shard holds without reading it: all of that is None there.

    Attributes:
        shard_id: as `shard-0000`, of Kinesis `shardId-000000000000`.
        first_hash: start of its MD5 range.
        end_hash: end of its MD5 range, exclusive.
        earliest: the oldest sequence number that can still be read; None when it holds nothing.
        latest: the newest sequence number; None when nothing was ever put.
        records: records that can be read.
        bytes: their size on disk.
        oldest_arrival_us: arrival of the oldest record; None when it holds nothing.
        newest_arrival_us: arrival of the newest record; None when it holds nothing.
        is_open: it takes records; Kinesis closes one that it splits or merges.
        parents: the shards that it was split or merged from, which may be gone.
    """

    shard_id: str
    first_hash: int
    end_hash: int
    earliest: str | None
    latest: str | None
    records: int | None
    bytes: int | None
    oldest_arrival_us: int | None
    newest_arrival_us: int | None
    is_open: bool = True
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class AfterSequence:
    """Read what follows this sequence number of the shard."""

    sequence_number: str


@dataclass(frozen=True)
class AtTimestamp:
    """Read what arrived at or after this instant, microseconds since the epoch."""

    arrival_us: int


@dataclass(frozen=True)
class Earliest:
    """Read from the oldest record that the shard still holds (Kinesis: TRIM_HORIZON)."""


Position = AfterSequence | AtTimestamp | Earliest


@dataclass(frozen=True)
class PutResult:
    """What a put did: records and bytes (of data) accepted, and records refused and kept aside."""

    accepted: int
    accepted_bytes: int
    rejected: int


class Stream(Protocol):
    """Records by partition key, in shards, each with a sequence of its own.

    A batch that is read has the columns of the Kinesis source plus the shard:

    ============================ ========================== =====================================
    shardId                      string
    sequenceNumber               string                     decimal; compare as integers
    partitionKey                 string
    approximateArrivalTimestamp  timestamp[us, UTC]         when the stream took it
    data                         binary                     the record's bytes, as they were put
    ============================ ========================== =====================================
    """

    @property
    def records_per_put(self) -> int:
        """Records of one put: as many as go fast, few enough that whoever waits is told how far it is."""
        ...

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        """Append records, in order per shard as far as the stream can.

        The local stream takes all of a shard's or none; Kinesis may take some, and a record that it throttled
        comes later. Records over MAX_RECORD_BYTES are refused, kept aside and counted.

        Raises:
            StreamError: it took none, or not all; the message tells which.
        """
        ...

    def shards(self) -> list[Shard]:
        """Every shard, by id."""
        ...

    def read(
        self, shard_id: str, position: Position, *, max_records: int, end: str | None = None
    ) -> Iterator[pa.Table]:
        """Records from a position on, in sequence order, in tables; ends at the shard's end.

        Args:
            shard_id: which shard.
            position: where to begin.
            max_records: stop after that many.
            end: last sequence number to read, inclusive; None reads to the end as of the call.
        """
        ...
