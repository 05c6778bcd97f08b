"""Raw of the mode iceberg: files added in one commit that carries the checkpoint.

The checkpoint is a property of the snapshot, where each flush can be looked up, and of the table,
where no expiration of snapshots drops it and a flush of nothing but malformed records can write it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlparse

from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from sqlalchemy.exc import SQLAlchemyError

from tick_pipeline.errors import LandingError
from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.landing.checkpoint import Checkpoint, parse_checkpoint
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.landing.sink import RawSink
from tick_pipeline.landing.snapshots import expire_snapshots, oldest_unread_us
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.iceberg_rewrite import retried
from tick_pipeline.storage import (
    RAW,
    ErrorType,
    StorageMode,
    iceberg_hour_partition,
    iceberg_identifier,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

#: Property of raw's snapshots and of the table.
CHECKPOINT_PROPERTY = "tick-pipeline.landing.checkpoint"
#: History that landing keeps, so that what was appended can be asked for by snapshot.
KEEP_SNAPSHOTS_HOURS = 2
#: For a reader of what landed that has not looked; each snapshot costs a commit a millisecond, so not for ever.
KEEP_UNREAD_HOURS = 24
# The catalog's file and the metadata's folder; a lost race was retried by PyIceberg before.
_COMMIT_ERRORS = (CommitFailedException, NoSuchTableError, SQLAlchemyError, OSError)


class IcebergSink(RawSink):
    """The table in the catalog of HOME; what its last commit says is done, is done."""

    mode = StorageMode.ICEBERG
    error_type = ErrorType.ICEBERG_FAILED

    def __init__(self, home: Home, settings: Settings) -> None:
        catalog = open_catalog(home.path)
        try:
            self._table = catalog.load_table(iceberg_identifier(RAW))
        except NoSuchTableError as error:
            raise LandingError(
                f"{home.catalog} has no table {iceberg_identifier(RAW)}; restore the file, or begin "
                "anew with `tick-pipeline reset`"
            ) from error
        self._read_marks = ReadMarks(home)
        super().__init__(home, settings)

    def close(self) -> None:
        """Close the catalog's file."""
        self._table.catalog.close()

    def _committed(self, kept: Checkpoint) -> Checkpoint:
        text = self._table.properties.get(CHECKPOINT_PROPERTY)
        return parse_checkpoint(text, where=iceberg_identifier(RAW)) if text else Checkpoint()

    def _folder(self) -> str:
        # The path as PyIceberg reads it from the location, which it does not unquote.
        return f"{urlparse(self._table.location()).path}/data"

    def _partition(self, hour_us: int) -> str:
        return iceberg_hour_partition(hour_us)

    def _commit(self, paths: list[Path], done: Checkpoint) -> None:
        checkpoint = {CHECKPOINT_PROPERTY: done.to_json()}
        try:
            if not paths:
                # PyIceberg tries commits of snapshots again, others not.
                retried(
                    self._table,
                    lambda: (
                        self._table.transaction().set_properties(checkpoint).commit_transaction()
                    ),
                )
                return
            self._table.refresh()
            with self._table.transaction() as transaction:
                transaction.set_properties(checkpoint)
                transaction.add_files(
                    [f"file://{path}" for path in paths],
                    snapshot_properties=checkpoint,
                    # The names are of this flush alone; looking them up would read every manifest.
                    check_duplicate_files=False,
                )
        except _COMMIT_ERRORS as error:
            raise LandingError(
                f"{iceberg_identifier(RAW)} did not take flush {done.flush}: {error}; deliver again"
            ) from error
        try:
            self._expire()
        except _COMMIT_ERRORS as error:
            raise LandingError(
                f"{iceberg_identifier(RAW)} took flush {done.flush}, but its old snapshots cannot be "
                f"expired: {error}; deliver again"
            ) from error

    def _expire(self) -> None:
        """Once an hour has passed beyond what is kept, drop that hour's snapshots and their lists."""
        now = now_us()
        before_us = now - KEEP_SNAPSHOTS_HOURS * US_PER_HOUR
        unread_us = oldest_unread_us(self._table, self._read_marks.smallest(self.mode))
        if unread_us is not None:
            before_us = min(before_us, max(unread_us, now - KEEP_UNREAD_HOURS * US_PER_HOUR))
        oldest_ms = min((s.timestamp_ms for s in self._table.metadata.snapshots), default=None)
        if oldest_ms is not None and oldest_ms * 1000 < before_us - US_PER_HOUR:
            expire_snapshots(self._table, before_us)
