"""The port that tells how tables are stored and evolves them, and its local adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tick_pipeline.landing.error_store import Arrivals, LocalErrorStore
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import iceberg_files, parquet_files
from tick_pipeline.resources.iceberg import load_table, partition_column
from tick_pipeline.resources.table_schema import schema_drift
from tick_pipeline.resources.table_stats import table_stats
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.resources.schema_evolution import Evolution
    from tick_pipeline.resources.table_stats import TableStats


class Tables(Protocol):
    """The tables of both storage modes, as metadata and files tell them."""

    def schema_drift(self, mode: StorageMode, table: str, start_us: int, end_us: int) -> list[str]:
        """How the stored columns of [start_us, end_us) differ from the contract, a line each.

        Raises:
            AwsError: the catalog or the bucket could not be read.
        """
        ...

    def stats(self, mode: StorageMode, table: str) -> TableStats:
        """What a table holds, without reading its data.

        Raises:
            AwsError: the table is not there, or could not be read.
        """
        ...

    def newest_hour(self, mode: StorageMode, table: str, since_us: int) -> int | None:
        """Start of the newest UTC hour from a moment on that has data files, microseconds; None without any.

        Raises:
            AwsError: the catalog or the bucket could not be read.
        """
        ...

    def error_objects(self, mode: StorageMode) -> int:
        """How many objects lie under a mode's error prefix.

        Raises:
            AwsError: the bucket could not be listed.
        """
        ...

    def evolve(self, *, dry_run: bool) -> Evolution:
        """Bring the stored tables to the contracts: columns are added, none is dropped or retyped.

        Args:
            dry_run: only tell what would be done.

        Raises:
            ContractError: a contract cannot replace what stands; nothing was changed.
            WorkError: a table is not there, or could not be changed; another call goes on from there.
        """
        ...


class LocalTables:
    """The port on the Iceberg catalog and the Parquet files of a HOME."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def schema_drift(self, mode: StorageMode, table: str, start_us: int, end_us: int) -> list[str]:
        """See Tables."""
        return schema_drift(self._home, mode, table, start_us, end_us)

    def stats(self, mode: StorageMode, table: str) -> TableStats:
        """See Tables."""
        return table_stats(self._home, mode, table)

    def newest_hour(self, mode: StorageMode, table: str, since_us: int) -> int | None:
        """See Tables."""
        times = TimeRange(since_us)
        files = (
            iceberg_files(
                load_table(self._home.path, table),
                partition_column(table),
                times,
            )
            if mode is StorageMode.ICEBERG
            else parquet_files(self._home, table, times)
        )
        return max((file.hour_us for file in files), default=None)

    def error_objects(self, mode: StorageMode) -> int:
        """See Tables."""
        return sum(1 for _ in LocalErrorStore(self._home.warehouse).names(mode, Arrivals()))

    def evolve(self, *, dry_run: bool) -> Evolution:
        """See Tables. Parquet has files alone: those of the next hours have the new columns."""
        from tick_pipeline.resources.schema_evolution import evolve_home  # noqa: PLC0415

        return evolve_home(self._home, dry_run=dry_run)
