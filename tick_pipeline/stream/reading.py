"""Reading one shard in sequence order while puts, merging and retention go on."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import StreamError
from tick_pipeline.stream.consumers import parse_sequence
from tick_pipeline.stream.layout import folder_lock, list_segments
from tick_pipeline.stream.port import AfterSequence, AtTimestamp
from tick_pipeline.stream.segment_files import count_arrived_before, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tick_pipeline.stream.layout import Listing, ShardFolders
    from tick_pipeline.stream.port import Position


def resolve_position(folders: ShardFolders, position: Position) -> tuple[int, Listing]:
    """First sequence number that a position asks for, and the listing that says so.

    Raises:
        StreamError: the position is beyond the shard's end, or no sequence number.
    """
    while True:
        listing = list_segments(folders)
        if isinstance(position, AfterSequence):
            after = parse_sequence(position.sequence_number)
            check_not_beyond(folders.shard_id, after, listing)
            return after + 1, listing
        if not isinstance(position, AtTimestamp):
            return listing.earliest, listing
        try:
            return _arrived_at(listing, position.arrival_us), listing
        except FileNotFoundError:
            continue  # merged or dropped between the two looks


def check_not_beyond(shard_id: str, sequence: int, listing: Listing) -> None:
    """Refuse a position that the shard has not reached: it can only stem from another stream.

    Raises:
        StreamError: the position is beyond the shard's end.
    """
    if sequence > listing.latest:
        raise StreamError(
            f"position {sequence} of {shard_id} is beyond its end, {listing.latest}: it belongs to "
            "another stream; `tick-pipeline reset` begins anew"
        )


def read_records(
    folders: ShardFolders, listing: Listing, first: int, last: int
) -> Iterator[pa.Table]:
    """The records `first` to `last`; a segment that vanishes beside it is looked for again.

    Raises:
        StreamError: retention dropped some of them, or a file is damaged.
    """
    while first <= last:
        segment = listing.holding(first)
        if segment is None:
            # A listing made beside a put may miss a segment before one that it has: under the lock
            # it cannot, so a hole that is still there is one.
            with folder_lock(folders.streamed):
                listing = list_segments(folders)
            segment = listing.holding(first)
        if segment is None:
            found = next((item.first for item in listing.segments if item.first > first), last + 1)
            raise StreamError(
                f"records {first} to {found - 1} of {folders.shard_id} were dropped by retention before "
                f"they were read; to go on without them, read from {found}"
            )
        try:
            for table in read_rows(segment, first, last):
                first += table.num_rows
                yield table
        except FileNotFoundError:
            listing = list_segments(folders)


def _arrived_at(listing: Listing, arrival_us: int) -> int:
    for segment in listing.segments:
        if segment.newest_us >= arrival_us:
            return segment.first + count_arrived_before(segment, arrival_us)
    return listing.latest + 1
