"""The port that tells how tables are stored, and its local adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tick_pipeline.resources.table_schema import schema_drift

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.storage import StorageMode


class Tables(Protocol):
    """The tables of both storage modes, as metadata and files tell them."""

    def schema_drift(self, mode: StorageMode, table: str, start_us: int, end_us: int) -> list[str]:
        """How the stored columns of [start_us, end_us) differ from the contract, a line each."""
        ...


class LocalTables:
    """The port on the Iceberg catalog and the Parquet files of a HOME."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def schema_drift(self, mode: StorageMode, table: str, start_us: int, end_us: int) -> list[str]:
        """See Tables."""
        return schema_drift(self._home, mode, table, start_us, end_us)
