"""The port that tells what came into raw since a look before, and its local adapter."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from pyiceberg.io.pyarrow import PyArrowFileIO

from tick_pipeline.event_time import now_us
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import parquet_files
from tick_pipeline.resources.iceberg import load_table
from tick_pipeline.resources.landed import (
    LOCAL_SETTLE_US,
    iceberg_landed,
    iceberg_mark,
    look_back_us,
    parquet_landed,
    parquet_mark,
    read_lateness,
    with_times,
)
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.home import Home
    from tick_pipeline.landing.read_marks import Mark
    from tick_pipeline.resources.landed import Landed, LandedFile, Lateness
    from tick_pipeline.settings import Settings


class LandedFiles(Protocol):
    """What lands in raw, file by file, in the order of its marks; see resources/landed.py."""

    def mark(self, mode: StorageMode) -> Mark:
        """The mark of what can be read of a mode's raw at this moment.

        Raises:
            AwsError: the catalog could not be read, or the bucket did not answer.
        """
        ...

    def since(self, mode: StorageMode, mark: Mark | None, *, reader: str | None = None) -> Landed:
        """The files that came into a mode's raw after a mark.

        Iceberg's are of any hour, Parquet's of the last late_lookback_hours and of all that come.

        Args:
            mode: whose raw.
            mark: of the look before, which the reader has kept; None at the first.
            reader: who asks, if again and again: where landing expires snapshots, it keeps those that a reader has
                not read.

        Raises:
            AwsError: the catalog or the bucket could not be read.
        """
        ...

    def lateness(self, files: Sequence[LandedFile], over_us: int) -> Lateness:
        """How many rows of files were put into the stream later than that after their event, microseconds.

        Raises:
            AwsError: the bucket could not be read.
        """
        ...


class LocalLandedFiles:
    """The port on the catalog and the Parquet files of a HOME.

    Args:
        home: an initialised HOME.
        settings: how far Parquet is looked back.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home = home
        self._hours = settings.late_lookback_hours

    def mark(self, mode: StorageMode) -> Mark:
        """See LandedFiles."""
        if mode is StorageMode.PARQUET_PROJECTION:
            return parquet_mark(now_us())
        table = load_table(self._home.path, RAW)
        with closing(table.catalog):
            return iceberg_mark(table)

    def since(self, mode: StorageMode, mark: Mark | None, *, reader: str | None = None) -> Landed:
        """See LandedFiles."""
        now = now_us()
        from_us = look_back_us(now, self._hours)
        if mode is StorageMode.PARQUET_PROJECTION:
            files = with_times(parquet_files(self._home, RAW, TimeRange(from_us)))
            return parquet_landed(files, mark, settle_us=LOCAL_SETTLE_US, now_us=now)
        if reader is not None and mark is not None:
            ReadMarks(self._home).keep(reader, mode, mark.number)
        table = load_table(self._home.path, RAW)
        with closing(table.catalog):
            return iceberg_landed(table, mark, from_us)

    def lateness(self, files: Sequence[LandedFile], over_us: int) -> Lateness:
        """See LandedFiles."""
        return read_lateness(PyArrowFileIO(), files, over_us)
