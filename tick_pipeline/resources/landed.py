"""Which files came into raw since somebody looked, of which hours, from metadata and listings alone.

What landed has a *mark*, a number that grows with what lands: for Iceberg the sequence number of the snapshot
that appended it (https://iceberg.apache.org/spec/#sequence-numbers), for Parquet the moment by which its object
surely was to be seen. Whoever reads raw after a mark was taken reads all that has that mark or a smaller one;
so two marks tell, without comparing clocks, whether a run can have read a file. A table of Iceberg's that was made
anew numbers its snapshots from one again, so a mark also names its table: those of two tables tell nothing.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow has no types, parts of pyiceberg neither)
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import ManifestContent, ManifestEntryStatus
from pyiceberg.table.snapshots import Operation, ancestors_of
from pyiceberg.types import IntegerType

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MS, format_short, hour_floor
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.resources.iceberg_landings import landing_times
from tick_pipeline.storage import StorageMode, landed_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyiceberg.io import FileIO
    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from tick_pipeline.resources.data_files import DataFile

#: A file has its time before it has its name; clocks of file systems tick every few milliseconds.
LOCAL_SETTLE_US = 20_000


@dataclass(frozen=True)
class LandedFile:
    """One data file that came into raw.

    Attributes:
        hour_us: start of its event hour, microseconds.
        mark: number of its mark: a run whose own is not smaller has read it.
        landed_us: when it landed, microseconds; None where its snapshot has expired, or wrote rows anew.
        path: where it is.
    """

    hour_us: int
    mark: int
    landed_us: int | None
    path: str


@dataclass(frozen=True)
class Landed:
    """What landed since a look before.

    Attributes:
        files: each is told once to whoever hands on the mark.
        mark: what the next look begins after.
        warning: why it may not be all, in one line; None where it is.
    """

    files: tuple[LandedFile, ...]
    mark: Mark
    warning: str | None = None


@dataclass(frozen=True)
class Lateness:
    """Rows of some files, copies and invalid ones included, those among them that are late, and files not read."""

    rows: int
    late: int
    unread: int


def iceberg_mark(table: Table) -> Mark:
    """The mark of all that the table holds now; its number is 0 where it is empty."""
    snapshot = table.current_snapshot()
    number = 0 if snapshot is None else int(snapshot.sequence_number or 0)
    return Mark(f"{StorageMode.ICEBERG}/{table.metadata.table_uuid}", number)


def parquet_mark(now_us: int) -> Mark:
    """The mark of all that can be read now: times do not begin again where the table does, so it has one name."""
    return Mark(StorageMode.PARQUET_PROJECTION.value, now_us)


def iceberg_landed(table: Table, since: Mark | None, from_us: int) -> Landed:
    """The files that append snapshots added after a mark; those that replace or overwrite land nothing.

    Where the snapshots since then are not all there any more, and at the first look, it is also the files of the
    hours since `from_us` that the current snapshot holds, as far as they are newer than the mark. Of a table that
    is not that of the mark, it is all that was ever appended.

    Args:
        table: raw, as it is now.
        since: the mark of the look before; None at the first.
        from_us: begin of the look-back, microseconds.
    """
    snapshot, newest = table.current_snapshot(), iceberg_mark(table)
    if since is None:
        held = () if snapshot is None else _held(table, snapshot, from_us)
        return Landed(tuple(held), newest)
    anew = since.table != newest.table
    why = "the table was made anew since the last look" if anew else None
    number = 0 if anew else since.number
    mark = replace(newest, number=max(newest.number, number))
    if snapshot is None:
        return Landed((), mark, why)
    if number > max(int(item.sequence_number or 0) for item in table.metadata.snapshots):
        why = "the table was rolled back since the last look"
        return Landed(tuple(_held(table, snapshot, from_us)), newest, why)
    chain, complete = _since(table, snapshot, number)
    if complete:
        return Landed(tuple(_appended(table, chain)), mark, why)
    why = (
        f"snapshots since the last look have expired, so of what they appended only the hours since "
        f"{format_short(from_us)} were looked at: ticks of older hours may be in no candle yet"
    )
    held = {file.path: file for file in _held(table, snapshot, from_us) if file.mark > number}
    appended = {file.path: file for file in _appended(table, chain)}
    return Landed(tuple((held | appended).values()), mark, why)


def parquet_landed(
    files: Iterable[tuple[DataFile, int]], since: Mark | None, *, settle_us: int, now_us: int
) -> Landed:
    """The files of a listing whose mark lies after another.

    Args:
        files: of the hours that are looked at, each with the moment that it has as its time, microseconds.
        since: the mark of the look before; None at the first.
        settle_us: how much later than that moment a file may be seen first.
        now_us: before the listing began.
    """
    after_us = since.number if since else 0
    found = (
        LandedFile(file.hour_us, at_us + settle_us, at_us, file.path)
        for file, at_us in files
        if after_us < at_us + settle_us <= now_us
    )
    return Landed(tuple(found), parquet_mark(max(now_us, after_us)))


def with_times(files: Iterable[DataFile]) -> Iterator[tuple[DataFile, int]]:
    """Local files with the moment at which each got its name, or its newest rows landed."""
    for file in files:
        try:
            status = Path(file.path).stat()
        except FileNotFoundError:
            # Merged with others meanwhile, whose file is listed next time.
            continue
        named_us = max(status.st_ctime_ns, status.st_mtime_ns) // 1000
        yield file, landed_instant(Path(file.path).name, named_us)


def read_lateness(io: FileIO, files: Sequence[LandedFile], over_us: int) -> Lateness:
    """How late the rows of files were put into the stream: sent_ts - event_ts, two columns of each file.

    Args:
        io: reads where the files are.
        files: of raw.
        over_us: more than that is late, microseconds.
    """
    rows = late = unread = 0
    for file in files:
        try:
            with io.new_input(file.path).open() as stream:
                columns = pq.ParquetFile(stream).read(columns=["event_ts", "sent_ts"])
        except (FileNotFoundError, pa.ArrowInvalid):
            # Merged with others meanwhile, or no Parquet file, which the check schema_drift tells.
            unread += 1
            continue
        event_us = columns["event_ts"].cast(pa.int64()).to_numpy()
        # A row that does not say when it was sent is not late.
        sent_us = columns["sent_ts"].fill_null(0).to_numpy()
        rows += len(columns)
        late += int((sent_us > event_us + over_us).sum())
    return Lateness(rows, late, unread)


def look_back_us(now_us: int, hours: int) -> int:
    """The first hour of a look-back, microseconds."""
    return hour_floor(now_us) - hours * US_PER_HOUR


def _since(table: Table, current: Snapshot, since: int) -> tuple[list[Snapshot], bool]:
    """The table's snapshots after a mark, and whether that is all of them."""
    chain: list[Snapshot] = []
    for snapshot in ancestors_of(current, table.metadata):
        if int(snapshot.sequence_number or 0) <= since:
            return chain, True
        chain.append(snapshot)
    # PyIceberg lets the oldest snapshot that stays forget its parent, so numbers have to tell.
    return chain, chain[-1].sequence_number == since + 1


def _appended(table: Table, chain: list[Snapshot]) -> Iterator[LandedFile]:
    for snapshot in chain:
        if snapshot.summary is None or snapshot.summary.operation is not Operation.APPEND:
            continue
        for manifest in snapshot.manifests(table.io):
            # A commit may merge manifests: the new one then lists files of earlier snapshots, too.
            if manifest.added_snapshot_id == snapshot.snapshot_id and _is_of_data(manifest):
                for entry in manifest.fetch_manifest_entry(table.io):
                    if (
                        entry.status is ManifestEntryStatus.ADDED
                        and entry.snapshot_id == snapshot.snapshot_id
                    ):
                        yield _landed(entry, snapshot.timestamp_ms * US_PER_MS)


def _held(table: Table, current: Snapshot, from_us: int) -> Iterator[LandedFile]:
    first_hour = from_us // US_PER_HOUR
    at_us = landing_times(table)
    for manifest in current.manifests(table.io):
        if not _is_of_data(manifest) or _ends_before(manifest, first_hour):
            continue
        for entry in manifest.fetch_manifest_entry(table.io):
            if int(entry.data_file.partition[0]) >= first_hour:
                yield _landed(entry, at_us.get(int(entry.snapshot_id or 0)))


def _landed(entry: ManifestEntry, at_us: int | None) -> LandedFile:
    file = entry.data_file
    return LandedFile(
        hour_us=int(file.partition[0]) * US_PER_HOUR,
        mark=int(entry.sequence_number or 0),
        landed_us=at_us,
        path=file.file_path,
    )


def _is_of_data(manifest: ManifestFile) -> bool:
    return manifest.content == ManifestContent.DATA


def _ends_before(manifest: ManifestFile, hour: int) -> bool:
    """Whether a manifest lists files of earlier hours alone."""
    last = manifest.partitions[0].upper_bound if manifest.partitions else None
    return last is not None and int(from_bytes(IntegerType(), last)) < hour
