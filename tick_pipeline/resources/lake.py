"""What upkeep needs of a lake, and what the upkeep of each of its tables begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tick_pipeline.errors import TickPipelineError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.maintenance.plan import (
    ORPHAN_HOURS,
    measured_range,
    retention_start,
    standard_query,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pyiceberg.table import Table

    from tick_pipeline.resources.maintenance_port import UpkeepRequest
    from tick_pipeline.resources.object_store import Store, StoredFile
    from tick_pipeline.resources.query_port import QueryEngine
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode


class Lake(Protocol):
    """Where the tables are, and who else is at them."""

    @property
    def left_to(self) -> str | None:
        """Who looks after the Iceberg tables instead, for people; None where upkeep does."""
        ...

    def iceberg(self, table: str) -> Table:
        """An Iceberg table as it is now.

        Raises:
            HomeError: the catalog of HOME has none of this name, or it cannot be read.
            AwsError: there is none in the Glue Data Catalog, or it was not to be read.
        """
        ...

    def store(self, mode: StorageMode, table: str) -> Store:
        """A table's folder."""
        ...

    def alone(self) -> AbstractContextManager[object]:
        """Nobody else looks after the tables meanwhile.

        Raises:
            BusyError: somebody does.
        """
        ...

    def telling(self, what: str) -> AbstractContextManager[object]:
        """What goes wrong with a table meanwhile is told in one line.

        Args:
            what: is done, as `looking after iceberg.raw`.

        Raises:
            WorkError: its files are not to be read or written.
            AwsError: AWS refused a call, or did not answer.
        """
        ...

    def unread(self, mode: StorageMode) -> AbstractContextManager[object]:
        """No job of a mode reads its Parquet files meanwhile, which it has listed.

        One of the other mode may, by --load-data-mode, as a benchmark does; it fails then, and is run again.

        Raises:
            BusyError: one does, for too long.
        """
        ...

    def settled(self, mode: StorageMode, files: Sequence[StoredFile]) -> list[StoredFile]:
        """Those files of a mode's raw that no retry of landing writes again."""
        ...

    def read_mark(self) -> int | None:
        """How far the last reader of what lands in Iceberg's raw is, see landing/read_marks.py."""
        ...


class TableWork:
    """Upkeep of one table: what both storage modes share.

    Args:
        lake: where it is.
        table: its name.
        settings: what is kept, and how files are written.
        engine: runs the standard query.
        now_us: the clock, one for all tables of a run, so that the modes' retention never differs by an hour.
    """

    mode: StorageMode

    def __init__(
        self, lake: Lake, table: str, settings: Settings, engine: QueryEngine, now_us: int
    ) -> None:
        self.lake = lake
        self.table = table
        self.settings = settings
        self._engine = engine
        self.store = lake.store(self.mode, table)
        self.now_us = now_us
        self.notes: list[str] = []

    def retention_us(self, request: UpkeepRequest) -> int | None:
        """Start of the oldest hour that stays, microseconds; None where all stay."""
        at_us = self.now_us if request.at_us is None else request.at_us
        return retention_start(at_us, request.retain_hours)

    @property
    def closed_before_us(self) -> int:
        """Hours that end by then are closed, microseconds."""
        return self.now_us - self.settings.close_after_seconds * US_PER_SECOND

    @property
    def orphan_before_us(self) -> int:
        """What is older, and needed by nothing, is an orphan, microseconds."""
        return self.now_us - ORPHAN_HOURS * US_PER_HOUR

    def query_seconds(self, hours: Sequence[int]) -> float | None:
        """Of the standard query over the hours, as far as they are of a day; None without any."""
        if not hours:
            return None
        text = standard_query(self.mode, self.table, *measured_range(hours))
        try:
            return round(self._engine.run(text).seconds, 3)
        except TickPipelineError as error:
            # A figure less: the tables are looked after all the same.
            note = f"the standard query was not measured: {error}"
            self.notes += [] if note in self.notes else [note]
            return None
