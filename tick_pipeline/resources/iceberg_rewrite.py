"""Rewriting an Iceberg table's files beside those who write it: what they did meanwhile is never undone.

A commit names the data files that it takes away. It is refused where one of them is gone by then, as after
an overwrite of its hour, or has got deletes; files that were added meanwhile stay beside what it adds.
"""

# parts of pyiceberg have no types, pyarrow has none
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import (
    ArrowScan,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import (
    _MergeAppendFiles,  # pyright: ignore[reportPrivateUsage]
    _OverwriteFiles,  # pyright: ignore[reportPrivateUsage]
)

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.landing.raw_files import parquet_layout
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import time_filter
from tick_pipeline.resources.iceberg import partition_column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyiceberg.table import FileScanTask, Table

    from tick_pipeline.settings import Settings

#: Property of the snapshots that upkeep makes: what was done.
MAINTENANCE_PROPERTY = "tick-pipeline.maintenance"
_TRIES = 20
_WAIT_SECONDS = 0.1
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class TableFile:
    """A data file of the current snapshot; `maintenance.plan` chooses among them."""

    task: FileScanTask

    @property
    def path(self) -> str:
        """Its URI."""
        return self.task.file.file_path

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.task.file.file_size_in_bytes

    @property
    def hour_us(self) -> int:
        """Start of its hour, microseconds."""
        return int(self.task.file.partition[0]) * US_PER_HOUR


def current_files(table: Table, times: TimeRange) -> list[TableFile]:
    """The data files that hold some hours, of the table as it was loaded, or refreshed."""
    within = time_filter(partition_column(table.name()[-1]), times)
    return [TableFile(task) for task in table.scan(row_filter=within).plan_files()]


def merge_files(
    table: Table, files: Sequence[TableFile], sort_by: Sequence[str], settings: Settings
) -> bool:
    """Put one sorted file in the place of some files of an hour; False where they changed meanwhile.

    Args:
        table: of the catalog.
        files: of one hour.
        sort_by: columns.
        settings: of Parquet files.

    Raises:
        BusyError: other writers were faster, time and again.
    """
    merged = _write_merged(table, [file.task for file in files], sort_by, settings)
    done = replace_files(table, files, [merged], what="compaction")
    if not done:
        table.io.delete(merged.file_path)
    return done


def replace_files(
    table: Table, old: Sequence[TableFile], new: Sequence[DataFile], *, what: str
) -> bool:
    """Take data files away and add others, in one commit; False where the old ones changed meanwhile.

    Args:
        table: of the catalog; it is refreshed.
        old: as they were read.
        new: written, with all rows of the old ones, or none.
        what: kept in the snapshot's properties.

    Raises:
        BusyError: other writers were faster, time and again.
    """

    def commit() -> bool:
        if not _unchanged(table, old):
            return False
        with table.transaction() as transaction:
            update = _RewriteFiles(
                operation=Operation.OVERWRITE,
                transaction=transaction,
                io=table.io,
                snapshot_properties={MAINTENANCE_PROPERTY: what},
            )
            for file in old:
                update.delete_data_file(file.task.file)
            for file in new:
                update.append_data_file(file)
            update.commit()
        return True

    return retried(table, commit)


def merge_manifests(table: Table) -> None:
    """Write the current snapshot's manifests anew, as few as their sizes allow.

    Raises:
        BusyError: other writers were faster, time and again.
    """

    def commit() -> None:
        with table.transaction() as transaction:
            _MergeManifests(
                operation=Operation.OVERWRITE,
                transaction=transaction,
                io=table.io,
                snapshot_properties={MAINTENANCE_PROPERTY: "manifests"},
            ).commit()

    retried(table, commit)


def data_manifests(table: Table) -> int:
    """How many manifests of data files the current snapshot has."""
    snapshot = table.current_snapshot()
    found = [] if snapshot is None else snapshot.manifests(table.io)
    return sum(manifest.content is ManifestContent.DATA for manifest in found)


class _RewriteFiles(_OverwriteFiles):
    """Replaces files by others with the same rows, or removes them; the snapshot says so.

    PyIceberg validates such a commit as an overwrite, and would call it one. Readers of the history take
    an overwrite's files for rows that came with it, a replacement's for those that were there.
    """

    def _summary(self, snapshot_properties: dict[str, str] | None = None) -> Summary:
        made = super()._summary(snapshot_properties or {})
        return _renamed(made, Operation.REPLACE if self._added_data_files else Operation.DELETE)


class _MergeManifests(_MergeAppendFiles):
    """A snapshot of the same files in fewer manifests."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._min_count_to_merge = 2
        self._merge_enabled = True

    def _summary(self, snapshot_properties: dict[str, str] | None = None) -> Summary:
        return _renamed(super()._summary(snapshot_properties or {}), Operation.REPLACE)


def _renamed(made: Summary, operation: Operation) -> Summary:
    return Summary(operation, **made.additional_properties)


def retried(table: Table, commit: Callable[[], Any]) -> Any:
    """What a commit gives, tried again on the table as it then is where somebody else's came first.

    Raises:
        BusyError: other writers were faster, time and again.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    for attempt in range(_TRIES):
        try:
            table.refresh()
            return commit()
        except (CommitFailedException, ValidationException) as error:  # noqa: PERF203
            # PyIceberg has tried most commits again by itself, ever more slowly.
            if attempt == _TRIES - 1 or time.monotonic() > deadline:
                raise BusyError(
                    f"{'.'.join(table.name())} changed time and again while a commit was made ({error}); "
                    "try again when less is written"
                ) from error
            time.sleep(random.uniform(0, _WAIT_SECONDS))  # noqa: S311
    raise AssertionError


def _unchanged(table: Table, files: Sequence[TableFile]) -> bool:
    """Whether the files are still there, with the deletes that they were read with."""
    hours = [file.hour_us for file in files]
    times = TimeRange(min(hours), max(hours) + US_PER_HOUR)
    now = {file.path: file.task.delete_files for file in current_files(table, times)}
    return all(now.get(file.path) == file.task.delete_files for file in files)


def _write_merged(
    table: Table, tasks: Sequence[FileScanTask], sort_by: Sequence[str], settings: Settings
) -> DataFile:
    schema = schema_to_pyarrow(table.schema())
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    rows = scan.to_table(tasks).cast(schema)
    rows = rows.sort_by([(column, "ascending") for column in sort_by])
    first = tasks[0].file
    path = f"{first.file_path.rpartition('/')[0]}/merged-{uuid.uuid4().hex}.parquet"
    output = table.io.new_output(path)
    with (
        output.create() as stream,
        pq.ParquetWriter(stream, schema, **parquet_layout(schema, settings)) as writer,
    ):
        writer.write_table(rows, settings.parquet_row_group_rows)
    return _data_file(table, path, first, writer.writer.metadata, len(output))


def _data_file(table: Table, path: str, like: DataFile, footer: Any, size_bytes: int) -> DataFile:
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(table.schema(), table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(table.schema()),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=like.partition,
        file_size_in_bytes=size_bytes,
        sort_order_id=None,
        spec_id=like.spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
