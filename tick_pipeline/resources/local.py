"""The local deployment's state, opened: an absent or empty HOME becomes one with all tables, empty."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.home import Home, exclusive, finish_home, prepare_home, read_home
from tick_pipeline.storage import TABLES, StorageMode, table_location

if TYPE_CHECKING:
    from tick_pipeline.settings import Settings


def open_home(settings: Settings) -> Home:
    """The HOME that the settings name, initialised if need be.

    Both storage modes' tables are created whatever `storage_modes` says: they cost nothing, and a
    team that turns a mode on later finds it.

    Raises:
        HomeError: the folder holds other things, a HOME of another version, or cannot be created.
    """
    home = read_home(settings.home, partitions_start=settings.partitions_start)
    if home is not None:
        return home
    path = prepare_home(settings.home)
    with exclusive(path / "locks" / "home.lock", what="the initialisation of HOME"):
        home = read_home(path, partitions_start=settings.partitions_start)
        if home is not None:
            return home
        from tick_pipeline.resources.iceberg import create_tables  # noqa: PLC0415

        create_tables(path)
        for table in TABLES:
            folder = table_location(str(path / "warehouse"), StorageMode.PARQUET_PROJECTION, table)
            Path(folder).mkdir(parents=True, exist_ok=True)
        finish_home(path)
    opened = read_home(path, partitions_start=settings.partitions_start)
    assert opened is not None  # noqa: S101  (finish_home wrote it)
    return opened
