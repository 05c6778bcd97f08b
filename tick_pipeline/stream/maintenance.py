"""Housekeeping of the local stream: merging old small segments, and dropping what is too old."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tick_pipeline.event_time import hour_floor
from tick_pipeline.stream.layout import (
    folder_lock,
    keep_tail,
    list_segments,
    merged_name,
    sync_folder,
)
from tick_pipeline.stream.segment_files import place_table, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tick_pipeline.stream.layout import Segment, ShardFolders

#: A merged segment takes no more; half of either is "small". 250,000 ticks are 7 MB.
MERGED_RECORDS = 250_000
MERGED_BYTES = 16 * 1024 * 1024
_LEFTOVER_SECONDS = 3600


@dataclass(frozen=True)
class MergeReport:
    """What merging did: segments before and after, records in them."""

    merged_from: int
    merged_into: int
    records: int


@dataclass(frozen=True)
class ShardExpiry:
    """What retention did to one shard.

    Attributes:
        shard_id: which shard.
        dropped_segments: files removed.
        dropped_records: records in them.
        dropped_bytes: their size on disk.
        dropped_unread: of the records, those that a registered consumer had not read.
        kept_back: records that are too old and stay, because a consumer has not read them.
        kept_back_for: the consumers that have not read them, or had not when they were dropped.
    """

    shard_id: str
    dropped_segments: int
    dropped_records: int
    dropped_bytes: int
    dropped_unread: int
    kept_back: int
    kept_back_for: tuple[str, ...]


def merge_shard(folders: ShardFolders, *, read_by_all: int, before_us: int) -> MergeReport:
    """Make runs of small segments into few; the caller holds the maintenance lock.

    The new segment is linked before the old ones go: a reader prefers it, and a crash between the
    two leaves hidden originals that the next call removes.

    Args:
        folders: the shard.
        read_by_all: the sequence number that every consumer has passed; nothing above is touched.
        before_us: only records that arrived before this instant (microseconds).
    """
    listing = list_segments(folders)
    _remove(folders, [segment for segment in listing.hidden if segment.last <= read_by_all])
    old = [
        segment
        for segment in listing.segments
        # The newest streamed segment carries the tail.
        if segment.last <= read_by_all
        and segment.newest_us < before_us
        and segment != listing.streamed
    ]
    runs = [run for run in _runs(old) if len(run) > 1]
    for run in runs:
        _merge(folders, run)
    records = sum(segment.count for run in runs for segment in run)
    return MergeReport(sum(map(len, runs)), len(runs), records)


def expire_shard(
    folders: ShardFolders, *, before_us: int, read: dict[str, int], drop_unread: bool
) -> ShardExpiry:
    """Drop whole segments, oldest first, whose records all arrived before an instant.

    The caller holds the maintenance lock.

    Args:
        folders: the shard.
        before_us: the instant, microseconds.
        read: consumer -> last sequence number that it has read.
        drop_unread: drop also what a consumer has not read.
    """
    listing = list_segments(folders)
    slowest = min(read.values(), default=listing.latest)
    old = [segment for segment in listing.segments if segment.newest_us < before_us]
    dropped = [segment for segment in old if drop_unread or segment.last <= slowest]
    kept = old[len(dropped) :]
    end = dropped[-1].last if dropped else 0
    dropped_bytes = sum(Path(segment.path).stat().st_size for segment in dropped)
    _remove(folders, [*dropped, *(segment for segment in listing.hidden if segment.last <= end)])
    unread = [segment for segment in (*dropped, *kept) if segment.last > slowest]
    return ShardExpiry(
        shard_id=folders.shard_id,
        dropped_segments=len(dropped),
        dropped_records=sum(segment.count for segment in dropped),
        dropped_bytes=dropped_bytes,
        dropped_unread=sum(_unread(segment, slowest) for segment in dropped),
        kept_back=sum(_unread(segment, slowest) for segment in kept),
        kept_back_for=tuple(
            name for name, last in sorted(read.items()) if any(last < item.last for item in unread)
        ),
    )


def remove_leftovers(root: Path) -> None:
    """Remove the temporary files of killed writers: those that nobody has touched for an hour."""
    for path in root.rglob("_*.tmp"):
        # Its writer may live, and remove it beside this.
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()


def _unread(segment: Segment, position: int) -> int:
    return min(segment.count, max(0, segment.last - position))


def _remove(folders: ShardFolders, segments: Iterable[Segment]) -> None:
    """Remove segments, oldest first, so that what is left after a crash has no hole."""
    gone = sorted(segments, key=lambda segment: (segment.first, segment.count))
    if not gone:
        return
    with folder_lock(folders.streamed):
        newest = list_segments(folders).streamed
        if newest in gone:
            keep_tail(folders.streamed)
        for segment in gone:
            Path(segment.path).unlink(missing_ok=True)
    sync_folder(folders.streamed)
    sync_folder(folders.merged)


def _merge(folders: ShardFolders, run: list[Segment]) -> None:
    table = pa.concat_tables(
        [rows for segment in run for rows in read_rows(segment, segment.first, segment.last)]
    )
    name = merged_name(run[0].first, table.num_rows, run[0].oldest_us, run[-1].newest_us)
    place_table(folders.merged, name, table)
    sync_folder(folders.merged)
    _remove(folders, run)


def _runs(segments: list[Segment]) -> Iterator[list[Segment]]:
    """Neighbours that fit into one merged segment: small, of one arrival hour, without a hole."""
    run: list[Segment] = []
    size_bytes = 0
    for segment in segments:
        segment_bytes = Path(segment.path).stat().st_size
        fits = (
            run
            and segment.first == run[-1].last + 1
            and hour_floor(segment.newest_us) == hour_floor(run[0].oldest_us)
            and segment.last - run[0].first < MERGED_RECORDS
            and size_bytes + segment_bytes <= MERGED_BYTES
        )
        if not fits:
            yield run
            run, size_bytes = [], 0
        # A segment that is large already stays as it is, and ends the run.
        if segment.count <= MERGED_RECORDS // 2 and segment_bytes <= MERGED_BYTES // 2:
            run.append(segment)
            size_bytes += segment_bytes
    yield run
