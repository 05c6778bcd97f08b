"""The stream on a local disk: Parquet segments in one folder per shard, for many processes at once.

    stream.json                 the number of shards, fixed when the stream is created
    shard-NNNN/*.parquet        what is streamed (see layout)
    merged/shard-NNNN/*.parquet old segments made into few; every consumer has read them
    rejected/*.parquet          records that were refused, with the reason
    consumers/*.json            how far each consumer has read

A put that returned outlasts kill -9 and, since segment and folder are synced, a loss of power.
"""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tick_pipeline.errors import BusyError, StreamError
from tick_pipeline.event_time import US_PER_HOUR, hour_floor, now_us
from tick_pipeline.home import exclusive
from tick_pipeline.stream.consumers import Consumers, parse_sequence
from tick_pipeline.stream.intake import (
    count_refused,
    data_bytes,
    keep_refused,
    plain_arrays,
    refusal_reasons,
)
from tick_pipeline.stream.layout import (
    folder_lock,
    list_segments,
    list_with_bytes,
    read_tail,
    segment_name,
    shard_folders,
    sync_folder,
)
from tick_pipeline.stream.maintenance import (
    MergeReport,
    ShardExpiry,
    expire_shard,
    merge_shard,
    remove_leftovers,
)
from tick_pipeline.stream.manifest import open_manifest
from tick_pipeline.stream.port import PutResult
from tick_pipeline.stream.reading import check_not_beyond, read_records, resolve_position
from tick_pipeline.stream.segment_files import place_table, segment_table
from tick_pipeline.stream.sharding import hash_ranges, shard_indices
from tick_pipeline.stream.status import StreamStatus, consumer_status, describe_shard

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from tick_pipeline.stream.layout import Listing, ShardFolders
    from tick_pipeline.stream.port import Position, Shard

_MAINTENANCE_WAIT_SECONDS = 10.0
_RECORDS_PER_PUT = 100_000


class LocalStream:
    """The stream's local adapter; any number of processes may open the same folder.

    Args:
        root: the stream's folder, created where it is absent.
        shards: how many shards a new stream gets; an existing one keeps its number.
        retention_hours: how long `expire` keeps a record at least.

    Raises:
        StreamError: the folder holds a stream of another version, or cannot be created.
    """

    def __init__(self, root: Path, *, shards: int = 4, retention_hours: int = 24) -> None:
        self.root = root.absolute()
        self.retention_us = retention_hours * US_PER_HOUR
        try:
            count = open_manifest(self.root, shards)
            self._folders = [shard_folders(self.root, index) for index in range(count)]
            for folder in (
                *(path for item in self._folders for path in (item.streamed, item.merged)),
                self._rejected,
                self.root / "consumers",
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StreamError(
                f"{self.root} cannot hold the stream: {error.strerror or error}"
            ) from error
        self._consumers = Consumers(self.root / "consumers")

    # --- records ---------------------------------------------------------------------------------

    @property
    def records_per_put(self) -> int:
        """What encodes and stores fastest."""
        return _RECORDS_PER_PUT

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        """Append records, in order per shard; whole per shard or not at all.

        Shards are written one after the other, so an error, as a kill, may leave the first ones
        with their records: the message says which.

        Args:
            partition_keys: one string per record.
            data: one byte string per record.

        Raises:
            StreamError: the arrays do not fit, or a shard could not take its records.
        """
        keys, values = plain_arrays(partition_keys, data)
        reasons = refusal_reasons(keys, values)
        taken: list[str] = []
        try:
            if reasons is not None:
                bad = reasons.is_valid()
                keep_refused(
                    self._rejected, keys.filter(bad), values.filter(bad), reasons.filter(bad)
                )
                good = reasons.is_null()
                keys, values = keys.filter(good), values.filter(good)
            of_record = shard_indices(keys, len(self._folders))
            for index in np.unique(of_record).tolist():
                rows = pa.array(np.flatnonzero(of_record == index))
                self._append(self._folders[index], keys.take(rows), values.take(rows))
                taken.append(self._folders[index].shard_id)
        except (OSError, BusyError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise StreamError(
                f"a put of {len(partition_keys)} records into {self.root} failed: {reason}; "
                f"taken were those of {', '.join(taken) or 'no shard'}"
            ) from error
        return PutResult(
            accepted=len(values),
            accepted_bytes=data_bytes(values),
            rejected=len(partition_keys) - len(values),
        )

    def read(
        self, shard_id: str, position: Position, *, max_records: int, end: str | None = None
    ) -> Iterator[pa.Table]:
        """Records from a position on, in sequence order, in tables of at most one row group.

        The end is the shard's as of the call. Merging and retention may run beside it.

        Args:
            shard_id: which shard.
            position: where to begin.
            max_records: stop after that many.
            end: last sequence number to read, inclusive; None reads to the end as of the call.

        Raises:
            StreamError: the shard is unknown, retention dropped records that the position has still
                before it, the position is beyond the shard's end, or a file is damaged. (Also while
                iterating.)
        """
        folders = self._shard(shard_id)
        first, listing = resolve_position(folders, position)
        last = listing.latest if end is None else min(listing.latest, parse_sequence(end))
        return read_records(folders, listing, first, min(last, first + max_records - 1))

    def shards(self) -> list[Shard]:
        """Every shard, by id, from file names and sizes."""
        return [shard for shard, _ in self._listed()]

    # --- consumers -------------------------------------------------------------------------------

    def register(self, consumer: str) -> None:
        """Make the stream keep what this consumer has not read; again is no change."""
        self._consumers.register(consumer)

    def unregister(self, consumer: str) -> None:
        """Forget a consumer, so that it holds nothing back any more."""
        self._consumers.unregister(consumer)

    def consumers(self) -> list[str]:
        """Every registered consumer, by name."""
        return self._consumers.names()

    def positions(self, consumer: str) -> dict[str, str]:
        """Last sequence number that the consumer has read, per shard that it has read at all."""
        return self._consumers.positions(consumer)

    def commit(self, consumer: str, positions: Mapping[str, str]) -> None:
        """Note how far a consumer has come, whole or not at all; a position never goes back.

        An unknown consumer is registered by it.

        Raises:
            StreamError: a shard is unknown, or a position is beyond the shard's end.
        """
        for shard_id, text in positions.items():
            check_not_beyond(shard_id, parse_sequence(text), list_segments(self._shard(shard_id)))
        self._consumers.commit(consumer, positions)

    # --- maintenance -----------------------------------------------------------------------------

    def merge_segments(self, before_us: int | None = None) -> MergeReport:
        """Make old small segments that every consumer has read into few, outside the streamed glob.

        Without a registered consumer nothing is merged: nobody knows then what was read.

        Args:
            before_us: only what arrived before; None: before the current hour, so that each hour is
                written anew once.

        Raises:
            BusyError: another process does maintenance.
        """
        limit_us = hour_floor(now_us()) if before_us is None else before_us
        with self._maintenance():
            reports = [
                merge_shard(
                    folders,
                    read_by_all=self._consumers.slowest(folders.shard_id) or 0,
                    before_us=limit_us,
                )
                for folders in self._folders
            ]
        return MergeReport(
            merged_from=sum(report.merged_from for report in reports),
            merged_into=sum(report.merged_into for report in reports),
            records=sum(report.records for report in reports),
        )

    def expire(self, now_us: int, *, drop_unread: bool = False) -> list[ShardExpiry]:
        """Drop segments older than the retention, but nothing that a consumer has not read.

        Args:
            now_us: the current instant, microseconds.
            drop_unread: drop that, too; its consumer then gets an error that names the lost range.

        Raises:
            BusyError: another process does maintenance.
        """
        with self._maintenance():
            positions = {name: self.positions(name) for name in self.consumers()}
            return [
                expire_shard(
                    folders,
                    before_us=now_us - self.retention_us,
                    read={
                        name: int(of.get(folders.shard_id, "0")) for name, of in positions.items()
                    },
                    drop_unread=drop_unread,
                )
                for folders in self._folders
            ]

    def status(self, now_us: int) -> StreamStatus:
        """What the stream holds and how its consumers lag, from file names and sizes."""
        listed = self._listed()
        shards = tuple(shard for shard, _ in listed)
        listings = {shard.shard_id: listing for shard, listing in listed}
        return StreamStatus(
            shards=shards,
            consumers=tuple(
                consumer_status(
                    name,
                    self.positions(name),
                    listings,
                    now_us=now_us,
                    retention_us=self.retention_us,
                )
                for name in self.consumers()
            ),
            records=sum(shard.records or 0 for shard in shards),
            bytes=sum(shard.bytes or 0 for shard in shards),
            segments=sum(len(listing.segments) for listing in listings.values()),
            rejected=count_refused(self._rejected),
            newest_arrival_us=max(
                (shard.newest_arrival_us for shard in shards if shard.newest_arrival_us),
                default=None,
            ),
            retention_us=self.retention_us,
        )

    @property
    def _rejected(self) -> Path:
        return self.root / "rejected"

    @contextmanager
    def _maintenance(self) -> Generator[None]:
        with exclusive(
            self.root / "_maintenance.lock",
            what="the stream's maintenance",
            wait_seconds=_MAINTENANCE_WAIT_SECONDS,
        ):
            remove_leftovers(self.root)
            yield

    def _listed(self) -> list[tuple[Shard, Listing]]:
        ranges = hash_ranges(len(self._folders))
        return [
            (describe_shard(folders.shard_id, hashes, listing, size_bytes), listing)
            for folders, hashes in zip(self._folders, ranges, strict=True)
            for listing, size_bytes in [list_with_bytes(folders)]
        ]

    def _shard(self, shard_id: str) -> ShardFolders:
        for folders in self._folders:
            if folders.shard_id == shard_id:
                return folders
        raise StreamError(
            f"{self.root} has no shard {shard_id!r}; it has {self._folders[0].shard_id} to "
            f"{self._folders[-1].shard_id}"
        )

    def _append(self, folders: ShardFolders, keys: pa.StringArray, data: pa.BinaryArray) -> None:
        with folder_lock(folders.streamed):
            tail = read_tail(folders.streamed)
            clock_us = now_us()
            first, arrival_us = tail.sequence + 1, max(clock_us, tail.arrival_us)
            place_table(
                folders.streamed,
                segment_name(first, len(data), arrival_us),
                segment_table(folders.shard_id, first, arrival_us, keys, data),
                # Spark's file source orders files by their modification time in milliseconds.
                mtime_ms=max(clock_us // 1000, tail.mtime_ms + 1),
            )
        sync_folder(folders.streamed)
