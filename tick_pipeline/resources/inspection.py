"""The port that tells what lies in the tables' folders and metadata, and its local adapter: nothing is changed."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import SQLAlchemyError

from tick_pipeline.errors import HomeError
from tick_pipeline.resources.data_files import parquet_files
from tick_pipeline.resources.footers import local_footers
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.iceberg_landings import dated_files
from tick_pipeline.resources.landed import with_times
from tick_pipeline.resources.null_columns import NullColumn, null_columns
from tick_pipeline.resources.snapshot_history import snapshot_facts
from tick_pipeline.resources.stray_objects import Level, find_strays
from tick_pipeline.storage import StorageMode, iceberg_identifier, table_location

if TYPE_CHECKING:
    from collections.abc import Generator

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.queries.pruning import TimeRange
    from tick_pipeline.resources.maintenance_port import SnapshotFacts


@dataclass(frozen=True)
class TableFile:
    """One data file that a reader of the table reads.

    Attributes:
        path: where.
        bytes: its size.
        hour_us: start of its hour of event time, microseconds.
        landed_us: when its newest rows came into the table, microseconds; None where that is not known
            any more.
    """

    path: str
    bytes: int
    hour_us: int
    landed_us: int | None


class Inspection(Protocol):
    """What is stored, for whoever looks for what went wrong.

    Each raises AwsError where AWS refused or did not answer, HomeError where HOME's catalog cannot be read.
    """

    def data_files(self, mode: StorageMode, table: str, times: TimeRange) -> list[TableFile]:
        """The data files of the hours that a range touches, as an engine would read them."""
        ...

    def null_columns(self, mode: StorageMode, table: str, times: TimeRange) -> list[NullColumn]:
        """Columns that must have a value and have none in all rows of an hour, from the files' footers."""
        ...

    def strays(self, mode: StorageMode, times: TimeRange) -> list[str]:
        """What lies below a mode's prefix and belongs to no table there, a line each.

        Of Parquet's hours those that the range touches are looked into.
        """
        ...

    def snapshots(self, table: str) -> list[SnapshotFacts]:
        """The snapshots of an Iceberg table, newest first."""
        ...


class LocalInspection:
    """The port on the Iceberg catalog and the warehouse of a HOME."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def data_files(self, mode: StorageMode, table: str, times: TimeRange) -> list[TableFile]:
        """See Inspection."""
        if mode is StorageMode.ICEBERG:
            with self._iceberg(table) as stored:
                return [
                    TableFile(path.removeprefix("file://"), size, hour_us, landed_us)
                    for path, size, hour_us, landed_us in dated_files(stored, times)
                ]
        return [
            TableFile(file.path, file.bytes, file.hour_us, landed_us)
            for file, landed_us in with_times(parquet_files(self._home, table, times))
        ]

    def null_columns(self, mode: StorageMode, table: str, times: TimeRange) -> list[NullColumn]:
        """See Inspection."""
        files = self.data_files(mode, table, times)
        footers = local_footers([file.path for file in files])
        return null_columns(table, [(file.hour_us, footers[file.path]) for file in files])

    def strays(self, mode: StorageMode, times: TimeRange) -> list[str]:
        """See Inspection."""
        return find_strays(mode, times, self._level, table_location(self._warehouse, mode, ""))

    def snapshots(self, table: str) -> list[SnapshotFacts]:
        """See Inspection."""
        with self._iceberg(table) as stored:
            return snapshot_facts(stored)

    @property
    def _warehouse(self) -> str:
        return str(self._home.warehouse)

    @contextmanager
    def _iceberg(self, table: str) -> Generator[Table]:
        """A table, and what PyIceberg says of it in one line.

        Raises:
            HomeError: the catalog has no such table, or cannot be read.
        """
        name = iceberg_identifier(table)
        try:
            with closing(open_catalog(self._home.path)) as catalog:
                yield catalog.load_table(name)
        except (NoSuchTableError, SQLAlchemyError, OSError) as error:
            raise HomeError(
                f"{name} cannot be read from {self._home.catalog} ({' '.join(str(error).split())}); restore "
                "the file, or begin anew with `tick-pipeline reset`"
            ) from error

    @staticmethod
    def _level(folder: str) -> Level:
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return Level([], [])
        return Level(
            sorted(entry.name for entry in entries if entry.is_dir()),
            sorted(entry.name for entry in entries if not entry.is_dir()),
        )
