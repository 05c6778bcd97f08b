"""The port of upkeep: what is asked, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_short

if TYPE_CHECKING:
    from tick_pipeline.storage import StorageMode


@dataclass(frozen=True)
class UpkeepRequest:
    """What to look after.

    Attributes:
        storage_modes: which.
        tables: which of each mode.
        start_us: files of hours from here on are merged, microseconds; None: from the first. Retention, snapshots
            and orphans are the whole table's.
        end_us: ... up to here, exclusive; None: up to the last.
        retain_hours: hours of event time that stay; None keeps all.
        dry_run: only tell what would be done.
        at_us: the moment that retention counts back from, microseconds; None: when the work begins. Whoever makes
            a request for each mode gives both the same, so that they drop the same hours.

    Raises:
        InputError: the hours end before they begin.
    """

    storage_modes: tuple[StorageMode, ...]
    tables: tuple[str, ...]
    start_us: int | None = None
    end_us: int | None = None
    retain_hours: int | None = None
    dry_run: bool = False
    at_us: int | None = None

    def __post_init__(self) -> None:
        """See Raises."""
        start_us, end_us = self.start_us, self.end_us
        if start_us is not None and end_us is not None and start_us >= end_us:
            raise InputError(
                f"the end {format_short(end_us)} is not after the start {format_short(start_us)}"
            )


@dataclass(frozen=True)
class TableFigures:
    """A table at a moment.

    Attributes:
        files: data files that readers see.
        bytes: their size.
        stored_files: all files in its folder, those of earlier snapshots and metadata, too.
        stored_bytes: their size.
        snapshots: that it has; None of a Parquet table, as are its manifests.
        manifests: of the current snapshot.
        query_seconds: of the standard query over the hours that changed, those of a day at most; None where
            none did.
    """

    files: int
    bytes: int
    stored_files: int
    stored_bytes: int
    snapshots: int | None = None
    manifests: int | None = None
    query_seconds: float | None = None


@dataclass(frozen=True)
class TableUpkeep:
    """What was done to a table, or in a dry run what would be.

    Attributes:
        storage_mode: of the table.
        table: its name.
        dry_run: nothing was done.
        before: figures before.
        after: figures after; None of a dry run.
        dropped_hours: hours that retention ended.
        dropped_files: their files.
        merged_hours: hours whose small files were merged.
        merged_files: so many of them.
        merged_into: into so many.
        merged_manifests: manifests that were rewritten.
        expired_snapshots: that were dropped.
        removed_files: of expired snapshots and orphans.
        removed_bytes: their size.
        notes: what was left undone and why, a line each.
        seconds: wall time.
    """

    storage_mode: str
    table: str
    dry_run: bool
    before: TableFigures
    after: TableFigures | None = None
    dropped_hours: int = 0
    dropped_files: int = 0
    merged_hours: int = 0
    merged_files: int = 0
    merged_into: int = 0
    merged_manifests: int = 0
    expired_snapshots: int = 0
    removed_files: int = 0
    removed_bytes: int = 0
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class SnapshotFacts:
    """One snapshot of an Iceberg table.

    Attributes:
        snapshot: its id: too large a number for JSON's readers, so a text.
        made_us: when, microseconds.
        operation: append, overwrite, replace or delete.
        rows_added: with it.
        rows_removed: with it.
        files_added: data files.
        files_removed: data files.
        files: that the table then had.
        rows: that the table then had.
        by: who made it, where that is known.
        is_current: readers see it.
        is_read: what readers see follows from it; False after a rollback to an earlier one.
    """

    snapshot: str
    made_us: int
    operation: str
    rows_added: int
    rows_removed: int
    files_added: int
    files_removed: int
    files: int
    rows: int
    by: str
    is_current: bool
    is_read: bool


@dataclass(frozen=True)
class Rollback:
    """A table that was rolled back.

    Attributes:
        table: its name.
        from_snapshot: that was current.
        to_snapshot: that is now.
        made_us: when that was made, microseconds.
        follows: what follows from it, for people.
    """

    table: str
    from_snapshot: str
    to_snapshot: str
    made_us: int
    follows: str


Tell = Callable[[TableUpkeep], object]


def ignore(done: TableUpkeep) -> None:
    """Nobody is told of it before all is done."""
    del done


class Maintenance(Protocol):
    """Looks after the tables of both storage modes."""

    def run(self, request: UpkeepRequest, tell: Tell = ignore) -> list[TableUpkeep]:
        """Drop what retention ends, merge small files, expire snapshots, remove what nothing needs.

        Safe beside writers, and after a kill: the next run goes on. A table that fails keeps no other from being
        looked after, and why it failed is raised after the last.

        Args:
            request: what to do.
            tell: is told of each table once it is done.

        Raises:
            InputError: retention cannot be the same in both modes here.
            BusyError: another upkeep goes on, or a writer or reader held a table for too long.
            HomeError: the catalog of HOME has no such table, or it cannot be read.
            WorkError: a table is not as its metadata says; nothing of it was removed.
            AwsError: AWS refused a call, or did not answer.
        """
        ...

    def history(self, table: str) -> list[SnapshotFacts]:
        """The snapshots of an Iceberg table, newest first.

        Raises:
            HomeError: the catalog of HOME has no such table, or it cannot be read.
            AwsError: AWS refused a call, or did not answer.
        """
        ...

    def rollback(self, table: str, to: str) -> Rollback:
        """Let readers of an Iceberg table see an earlier snapshot, or a later one again.

        Args:
            table: its name.
            to: id of a snapshot, or an instant, ISO 8601: what readers saw then.

        Raises:
            InputError: there is no such snapshot, or raw would lose records.
            BusyError: other writers were faster, time and again.
            HomeError: the catalog of HOME has no such table, or it cannot be read.
            AwsError: AWS refused a call, or did not answer.
        """
        ...
