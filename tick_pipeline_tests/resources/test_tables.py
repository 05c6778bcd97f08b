"""The tables of a HOME as a port: what they hold, and what could not be stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.resources.table_stats import TableStats
from tick_pipeline.resources.tables import LocalTables
from tick_pipeline.storage import RAW, TABLES, StorageMode, error_root
from tick_pipeline_tests.queries.warehouse import land, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home


@pytest.mark.parametrize("mode", StorageMode, ids=str)
def test_tables_are_counted_without_their_data(home: Home, mode: StorageMode) -> None:
    tables = LocalTables(home)
    assert [tables.stats(mode, table) for table in TABLES] == [
        TableStats(mode, table, 0, 0, 0, 0) for table in TABLES
    ]
    land(home, [tick("AAA", 1, 1), tick("AAA", 2, 2), tick("AAA", 3601, 3)], [mode])
    found = tables.stats(mode, RAW)
    assert (found.rows, found.files, found.hours) == (3, 2, 2)
    assert found.bytes > 1000


def test_error_objects_are_counted_by_mode(home: Home) -> None:
    for name in ("iceberg-failed/2026/01/02/03/a", "iceberg-failed/2026/01/02/03/_b.tmp", "odd"):
        path = Path(error_root(str(home.warehouse), StorageMode.ICEBERG), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")
    assert [LocalTables(home).error_objects(mode) for mode in StorageMode] == [2, 0]
