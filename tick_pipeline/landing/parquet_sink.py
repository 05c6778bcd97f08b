"""Raw of the mode parquet_projection: a file is part of the table as soon as it has its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.landing.sink import RawSink
from tick_pipeline.storage import RAW, ErrorType, StorageMode, hour_partition, table_location

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.landing.checkpoint import Checkpoint


class ParquetSink(RawSink):
    """Files by event hour; its checkpoint's file is the truth, and names make a retry harmless."""

    mode = StorageMode.PARQUET_PROJECTION
    error_type = ErrorType.FORMAT_CONVERSION_FAILED

    def close(self) -> None:
        """Nothing is held open."""

    def _committed(self, kept: Checkpoint) -> Checkpoint:
        return kept

    def _folder(self) -> str:
        return table_location(self._warehouse, self.mode, RAW)

    def _partition(self, hour_us: int) -> str:
        return hour_partition(hour_us)

    def _commit(self, paths: list[Path], done: Checkpoint) -> None:
        """Nothing: every file already has its name."""
