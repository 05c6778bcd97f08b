"""The files of one shard: their names, what a listing of them says, its tail and its lock.

`shard-NNNN/<first sequence>-<count>-<arrival us>.parquet` is streamed by everyone;
`merged/shard-NNNN/<first sequence>-<count>-<oldest us>-<newest us>.parquet` holds old ones made into
few, outside the streamed glob. Sequence numbers begin with 1 and are dense.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tick_pipeline.errors import BusyError, StreamError
from tick_pipeline.home import write_atomically
from tick_pipeline.stream.sharding import shard_name

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SUFFIX = ".parquet"
_TAIL = "_tail.json"
_LOCK = "_lock"
_LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.002


@dataclass(frozen=True, order=True, slots=True)
class Segment:
    """One file of a shard: `count` records from sequence number `first` on; arrivals never fall."""

    first: int
    count: int
    oldest_us: int
    newest_us: int
    path: str

    @property
    def last(self) -> int:
        """Its last sequence number."""
        return self.first + self.count - 1


class Tail(NamedTuple):
    """What the next put of a shard continues: zeros for a shard that never took a record."""

    sequence: int
    arrival_us: int
    mtime_ms: int


@dataclass(frozen=True)
class Listing:
    """The segments of a shard at one moment.

    Attributes:
        segments: what a reader sees, by sequence, none inside another.
        hidden: originals whose merged segment is already there (a merge was cut off).
        streamed: the newest segment in the streamed folder; None when there is none.
        latest: the newest sequence number ever put; 0 when nothing was.
    """

    segments: list[Segment]
    hidden: list[Segment]
    streamed: Segment | None
    latest: int

    @property
    def earliest(self) -> int:
        """The oldest sequence number that can be read; `latest` + 1 when nothing can."""
        return self.segments[0].first if self.segments else self.latest + 1

    def holding(self, sequence: int) -> Segment | None:
        """The segment with that record."""
        position = bisect_right(self.segments, sequence, key=lambda segment: segment.first) - 1
        if position < 0 or self.segments[position].last < sequence:
            return None
        return self.segments[position]


@dataclass(frozen=True)
class ShardFolders:
    """Where a shard's files lie."""

    shard_id: str
    streamed: Path
    merged: Path


def shard_folders(root: Path, index: int) -> ShardFolders:
    """Folders of a shard, by its index."""
    name = shard_name(index)
    return ShardFolders(name, root / name, root / "merged" / name)


def segment_name(first: int, count: int, arrival_us: int) -> str:
    """File name of a streamed segment."""
    return f"{first:020d}-{count}-{arrival_us}{SUFFIX}"


def merged_name(first: int, count: int, oldest_us: int, newest_us: int) -> str:
    """File name of a merged segment."""
    return f"{first:020d}-{count}-{oldest_us}-{newest_us}{SUFFIX}"


def parse_segment(folder: Path, name: str) -> Segment:
    """What a segment's name says.

    Raises:
        StreamError: the name is no segment's.
    """
    try:
        numbers = [int(part) for part in name.removesuffix(SUFFIX).split("-")]
        first, count, oldest_us, *newest = numbers
        (newest_us,) = newest or (oldest_us,)
    except ValueError as error:
        raise StreamError(
            f"{folder / name} is no segment of a stream; move it out of there"
        ) from error
    return Segment(first, count, oldest_us, newest_us, f"{folder}{os.sep}{name}")


def list_segments(folders: ShardFolders) -> Listing:
    """List a shard without its lock.

    Merging links the new segment before it removes the old ones, so the streamed folder is listed
    first: no record is missed. A put beside the listing may leave a hole near its end, though.
    """
    streamed = [parse_segment(folders.streamed, name) for name in _names(folders.streamed)]
    merged = [parse_segment(folders.merged, name) for name in _names(folders.merged)]
    latest = max(
        (segment.last for segment in (*streamed, *merged)),
        default=_kept_tail(folders.streamed).sequence,
    )
    segments: list[Segment] = []
    hidden: list[Segment] = []
    for segment in sorted((*streamed, *merged), key=lambda item: (item.first, -item.count)):
        inside = segments and segment.last <= segments[-1].last
        (hidden if inside else segments).append(segment)
    return Listing(segments, hidden, max(streamed, default=None), latest)


def list_with_bytes(folders: ShardFolders) -> tuple[Listing, int]:
    """List a shard, and the size on disk of what a reader sees."""
    while True:
        listing = list_segments(folders)
        try:
            return listing, sum(_stat(segment).st_size for segment in listing.segments)
        except FileNotFoundError:
            continue  # merged or dropped between the two looks


def read_tail(streamed: Path) -> Tail:
    """The shard's tail; the caller holds the shard's lock."""
    newest = max(_names(streamed), default=None)  # zero-padded, so the greatest name is the newest
    if newest is None:
        return _kept_tail(streamed)
    segment = parse_segment(streamed, newest)
    mtime_ns = _stat(segment).st_mtime_ns
    return Tail(segment.last, segment.newest_us, mtime_ns // 1_000_000)


def keep_tail(streamed: Path) -> None:
    """Keep the tail before the newest segment goes, or sequence numbers would begin again."""
    write_atomically(streamed / _TAIL, json.dumps(read_tail(streamed)._asdict()))


@contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Hold the folder's OS lock: one writer at a time; kill -9 frees it.

    Raises:
        BusyError: another process held it for a minute (a suspended one, most likely).
    """
    deadline = time.monotonic() + _LOCK_WAIT_SECONDS
    with (folder / _LOCK).open("ab") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(
                        f"another process holds {folder} for {_LOCK_WAIT_SECONDS:g} s; "
                        "let it go on (`fg`, if it is suspended) or end it"
                    ) from None
                time.sleep(_LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            # Closing is not enough where a fork made meanwhile shares the handle.
            fcntl.flock(handle, fcntl.LOCK_UN)


def sync_folder(folder: Path) -> None:
    """Make links and removals in the folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stat(segment: Segment) -> os.stat_result:
    return os.stat(segment.path)  # noqa: PTH116  (a Path for each of many is slow)


def _names(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(SUFFIX)]  # noqa: PTH208  (as Path, 5x slower)


def _kept_tail(streamed: Path) -> Tail:
    try:
        return Tail(**json.loads((streamed / _TAIL).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Tail(0, 0, 0)
    except (ValueError, TypeError) as error:
        raise StreamError(
            f"{streamed / _TAIL} cannot be read ({error}); `tick-pipeline reset` begins anew"
        ) from error
