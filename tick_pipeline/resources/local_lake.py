"""The lake of a HOME for upkeep: its tables, and the locks of those who write and read them."""

# pyarrow has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tick_pipeline.errors import WorkError
from tick_pipeline.home import exclusive
from tick_pipeline.landing.checkpoint import CheckpointFile
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.resources.iceberg import load_table
from tick_pipeline.resources.object_store import LocalStore
from tick_pipeline.storage import (
    ANOMALIES,
    CANDLE_TABLES,
    StorageMode,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.resources.object_store import StoredFile

_FLUSH = re.compile(r"(\d{10})-[0-9a-f]{16}\.parquet")
#: What holds a lock while it reads raw or writes a table: see resources/spark_jobs.py and spark/locks.py.
_USERS = (*CANDLE_TABLES, f"{ANOMALIES}-batch", ANOMALIES)
#: A run of candles over a day takes about a minute.
_WAIT_SECONDS = 120.0
_ALONE_SECONDS = 10.0


class LocalLake:
    """The tables of a HOME; see resources/lake.py."""

    left_to = None

    def __init__(self, home: Home) -> None:
        self._home = home

    def iceberg(self, table: str) -> Table:
        """See Lake."""
        return load_table(self._home.path, table)

    def store(self, mode: StorageMode, table: str) -> LocalStore:
        """See Lake."""
        return LocalStore(Path(table_location(str(self._home.warehouse), mode, table)))

    def alone(self) -> AbstractContextManager[object]:
        """See Lake."""
        lock = self._home.locks / "maintenance.lock"
        return exclusive(lock, what="the upkeep of the tables", wait_seconds=_ALONE_SECONDS)

    @contextmanager
    def telling(self, what: str) -> Generator[None]:
        """See Lake."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            said = " ".join(str(error).split())
            raise WorkError(f"{what}: a file was not to be read or written ({said})") from error

    @contextmanager
    def unread(self, mode: StorageMode) -> Generator[None]:
        """See Lake; DuckDB's queries are not waited for, they plan again."""
        with ExitStack() as locks:
            for name in _USERS:
                lock = self._home.locks / f"{mode}-{name}.lock"
                what = f"the writing of {mode}.{name}"
                locks.enter_context(exclusive(lock, what=what, wait_seconds=_WAIT_SECONDS))
            yield

    def settled(self, mode: StorageMode, files: Sequence[StoredFile]) -> list[StoredFile]:
        """See Lake. A flush that the checkpoint does not count yet is written again after a kill."""
        done, _ = CheckpointFile(self._home.landing / f"{mode}.json").read()
        return [
            file
            for file in files
            if (flush := _FLUSH.fullmatch(file.name)) is None or int(flush[1]) <= done.flush
        ]

    def read_mark(self) -> int | None:
        """See Lake."""
        return ReadMarks(self._home).smallest(StorageMode.ICEBERG)
