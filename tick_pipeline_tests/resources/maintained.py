"""A HOME whose hours have many small files, and upkeep of it."""

# pyarrow and pyiceberg have no types, or partial ones.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.landing.delivery import deliver
from tick_pipeline.resources.local_lake import LocalLake
from tick_pipeline.resources.maintenance import LakeMaintenance
from tick_pipeline.resources.maintenance_port import TableUpkeep, UpkeepRequest
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.landing.conftest import Lake, Ticks

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
MODES = tuple(StorageMode)


@dataclass
class SmallFiles:
    """A HOME; each flush of its delivery leaves a file in each of three hours of the past."""

    lake: Lake
    settings: Settings
    ticks: Ticks

    @property
    def home(self) -> Home:
        """Its folder."""
        return self.lake.home

    def land(self, flushes: int, *, records: int = 200, hours: int = 3) -> None:
        """Put records, and deliver them in so many flushes to both modes."""
        self.lake.put(self.ticks(flushes * records, hours=hours))
        settings = self.settings.model_copy(update={"buffer_records": records})
        deliver(self.home, settings, self.lake.stream, modes=MODES)

    def maintenance(self, **changes: Any) -> LakeMaintenance:
        """Upkeep, under settings that are changed."""
        settings = self.settings.model_copy(update=changes)
        engine = LocalQueryEngine(self.home, self.settings)
        return LakeMaintenance(LocalLake(self.home), engine, settings)

    def maintain(self, *tables: str, **changes: Any) -> dict[tuple[str, str], TableUpkeep]:
        """Look after tables of both modes; what was done, by mode and table."""
        fields = set(UpkeepRequest.__dataclass_fields__)
        request = UpkeepRequest(MODES, tables or ("raw",))
        request = replace(request, **{k: v for k, v in changes.items() if k in fields})
        rest = {name: value for name, value in changes.items() if name not in fields}
        done = self.maintenance(**rest).run(request)
        return {(item.storage_mode, item.table): item for item in done}

    def rows(self, sql: str, mode: StorageMode, **more: Any) -> list[dict[str, Any]]:
        """The answer to a query about a mode, `{mode}` in it."""
        engine = LocalQueryEngine(self.home, self.settings)
        return engine.run(sql.format(mode=mode), **more).records

    def ticks_hash(self, mode: StorageMode) -> str:
        """Of every column of every row of ticks, whatever their order."""
        rows = self.rows("select * from {mode}.ticks", mode)
        lines = sorted(repr(sorted(row.items())) for row in rows)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def stored_hash(self) -> str:
        """Of every file's name and bytes in the warehouse, and of the catalog's rows."""
        digest = hashlib.sha256()
        for path in sorted(self.home.warehouse.rglob("*")):
            digest.update(str(path).encode())
            if path.is_file():
                digest.update(path.read_bytes())
        digest.update(self.lake.raw_table().metadata_location.encode())
        return digest.hexdigest()


def small_files(home: Home, settings: Settings) -> SmallFiles:
    """An empty one."""
    return SmallFiles(Lake(home, LocalStream(home.stream)), settings, Ticks(random.Random(7)))
