"""What no snapshot of an Iceberg table needs any more: its files are told from those that one does."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update import AssertRefSnapshotId
from pyiceberg.table.update.snapshot import ExpireSnapshots
from pyiceberg.utils.concurrent import ExecutorFactory

from tick_pipeline.errors import WorkError
from tick_pipeline.event_time import US_PER_MS
from tick_pipeline.resources.iceberg_rewrite import retried

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot
    from pyiceberg.table.update import UpdatesAndRequirements

    from tick_pipeline.resources.object_store import Store, StoredFile

_TRIES = 3
Read = TypeVar("Read")


@dataclass(frozen=True)
class Garbage:
    """Files that may go.

    Attributes:
        snapshots: how many are expired.
        files: that were needed by those alone, or by nothing since long ago.
    """

    snapshots: int
    files: list[StoredFile]

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(file.bytes for file in self.files)


def find_garbage(
    table: Table, store: Store, *, expire_before_us: int, orphan_before_us: int
) -> Garbage:
    """What an expiry of snapshots would take away, orphans included.

    Args:
        table: it is refreshed.
        store: its folder.
        expire_before_us: as in `expire`.
        orphan_before_us: files that nothing refers to and that are older go, microseconds.

    Raises:
        WorkError: the folder does not hold what the table refers to, so nothing in it can be told apart.
    """
    kept, of_expired, going = _read_needs(table, expire_before_us)
    found = {f"{_place(store.uri)}/{file.path}": file for file in store.files()}
    missing = _current_data(table) - found.keys()
    if missing:
        raise WorkError(
            f"{'.'.join(table.name())} refers to {len(missing)} data files that do not lie below {store.uri}, as "
            f"{min(missing)}; nothing was removed: look at the table's location first"
        )
    files = [
        file
        for path, file in found.items()
        if path not in kept and (path in of_expired or file.modified_us < orphan_before_us)
    ]
    return Garbage(going, files)


def remove_garbage(table: Table, store: Store, garbage: Garbage, *, expire_before_us: int) -> None:
    """Expire the snapshots, then remove the files that are still needed by nothing.

    Args:
        table: it is refreshed.
        store: its folder.
        garbage: of `find_garbage`.
        expire_before_us: as given there.

    Raises:
        BusyError: other writers were faster, time and again.
        AwsError: a file could not be removed; the next call finds it again.
    """
    if garbage.snapshots:
        expire(table, expire_before_us)
    if not garbage.files:
        return
    kept, *_ = _read_needs(table, 0)
    root = _place(store.uri)
    store.delete(file.path for file in garbage.files if f"{root}/{file.path}" not in kept)


def expire(table: Table, before_us: int) -> None:
    """Drop snapshots; their files stay for `find_garbage`.

    Args:
        table: of the catalog; it is refreshed.
        before_us: older ones go, unless readers saw them at that moment or since, or they are heads of branches
            or tagged. Microseconds.

    Raises:
        BusyError: other writers were faster, time and again.
    """

    def commit() -> None:
        if going := _expired(table, before_us):
            try:
                with table.transaction() as transaction:
                    _Expiry(transaction).by_ids(sorted(going)).commit()
            except ValueError as error:
                # One that somebody else has dropped meanwhile.
                raise CommitFailedException(str(error)) from error

    retried(table, commit)


def read_settled(table: Table, read: Callable[[], Read]) -> Read:
    """What is read of a table's metadata as it is now, read again where another expiry was faster.

    Raises:
        WorkError: a file of the metadata is not there.
    """
    for attempt in range(_TRIES):
        table.refresh()
        try:
            return read()
        except FileNotFoundError as error:
            if attempt == _TRIES - 1:
                raise WorkError(
                    f"{'.'.join(table.name())} refers to a file that is not there ({error}); nothing was removed: "
                    "restore it, or remove the snapshots that need it"
                ) from error
    raise AssertionError


class _Expiry(ExpireSnapshots):
    """An expiry that is refused where a branch or a tag has moved since it was planned.

    PyIceberg asks for nothing of the kind: of a table that is rolled back meanwhile it would drop the snapshot
    that is current by then, and with it the branch `main`, which leaves the table empty.
    """

    def _commit(self) -> UpdatesAndRequirements:
        updates, _ = super()._commit()
        references = self._transaction.table_metadata.refs
        return updates, tuple(
            AssertRefSnapshotId.model_validate({"ref": name, "snapshot-id": reference.snapshot_id})
            for name, reference in references.items()
        )


def _expired(table: Table, before_us: int) -> set[int]:
    metadata = table.metadata
    stay = {reference.snapshot_id for reference in metadata.refs.values()}
    # The log's entries that are of that moment or later, and the one that was in force at it: after a
    # rollback an old snapshot is what readers saw, and without it a newer one would be taken for that.
    log = sorted(metadata.snapshot_log, key=lambda entry: entry.timestamp_ms)
    earlier = [entry for entry in log if entry.timestamp_ms * US_PER_MS <= before_us]
    stay.update(entry.snapshot_id for entry in [*earlier[-1:], *log[len(earlier) :]])
    return {
        snapshot.snapshot_id
        for snapshot in metadata.snapshots
        if snapshot.timestamp_ms * US_PER_MS < before_us and snapshot.snapshot_id not in stay
    }


def _read_needs(table: Table, expire_before_us: int) -> tuple[set[str], set[str], int]:
    """What stays needed, what expired snapshots alone need, and how many those are."""

    def read() -> tuple[set[str], set[str], int]:
        going = _expired(table, expire_before_us)
        snapshots = table.metadata.snapshots
        kept = _metadata_files(table) | _needed(
            table, [item for item in snapshots if item.snapshot_id not in going]
        )
        alone = _needed(table, [item for item in snapshots if item.snapshot_id in going], kept)
        return kept, alone - kept, len(going)

    return read_settled(table, read)


def _current_data(table: Table) -> set[str]:
    return {_place(task.file.file_path) for task in table.scan().plan_files()}


def _metadata_files(table: Table) -> set[str]:
    """The files of the table's metadata that belong to no snapshot."""
    metadata = table.metadata
    paths = {
        table.metadata_location,
        *(entry.metadata_file for entry in metadata.metadata_log),
        *(item.statistics_path for item in metadata.statistics),
        *(item.statistics_path for item in metadata.partition_statistics),
    }
    return {_place(path) for path in paths}


def _needed(
    table: Table, snapshots: Sequence[Snapshot], known: AbstractSet[str] = frozenset()
) -> set[str]:
    """Every file that snapshots refer to, data and metadata, but for what manifests list that are known."""

    def manifests_of(snapshot: Snapshot) -> list[ManifestFile]:
        return snapshot.manifests(table.io)

    # A request for each, on S3 thousands.
    listed = ExecutorFactory.get_or_create().map(manifests_of, snapshots)
    manifests = {
        manifest.manifest_path: manifest
        for of_snapshot in listed
        for manifest in of_snapshot
        if _place(manifest.manifest_path) not in known
    }
    paths = {*manifests, *(snapshot.manifest_list for snapshot in snapshots)}
    for manifest in manifests.values():
        entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
        paths.update(entry.data_file.file_path for entry in entries)
    return {_place(path) for path in paths}


def _place(uri: str) -> str:
    """A URI without its scheme: a file's is written with one slash and with three, S3's as s3 and as s3a."""
    parts = urlsplit(uri)
    return f"{parts.netloc}{parts.path}".rstrip("/") if parts.scheme else uri.rstrip("/")
