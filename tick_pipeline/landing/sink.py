"""One mode's raw table as a delivery sees it: where it stands, and a flush that happens once."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.event_time import now_us
from tick_pipeline.landing.checkpoint import Checkpoint, CheckpointFile, Plan
from tick_pipeline.landing.error_records import write_errors
from tick_pipeline.landing.raw_files import write_raw_file

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.landing.batch import Batch
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import ErrorType, StorageMode


@dataclass(frozen=True)
class Written:
    """What a flush wrote: objects of the table and of the error prefix, and their bytes together."""

    files: int
    error_objects: int
    bytes: int


class RawSink(ABC):
    """One mode's raw table; one process at a time holds it (the delivery's lease).

    A flush is: plan kept, files written under names that the plan gives, commit, checkpoint kept.
    Killed in between, `pending` is the plan, and flushing it again writes the same objects.
    """

    mode: ClassVar[StorageMode]
    error_type: ClassVar[ErrorType]

    def __init__(self, home: Home, settings: Settings) -> None:
        self._settings = settings
        self._warehouse = str(home.warehouse)
        self._file = CheckpointFile(home.landing / f"{self.mode}.json")
        self._schema = arrow_schema(load_contract("tick"), self.mode)
        kept, planned = self._file.read()
        self.checkpoint: Checkpoint = self._committed(kept)
        #: The flush that may be half done; None when the last one ended well.
        self.pending: Plan | None = (
            planned if planned and planned.flush > self.checkpoint.flush else None
        )

    def flush(self, batch: Batch) -> Written:
        """Bring a batch into the table and the error prefix, once, and move the checkpoint past it.

        Raises:
            LandingError: the table could not take it.
            OSError: a file could not be written.
        """
        plan = self.pending or Plan(self.checkpoint.flush + 1, batch.ranges, batch.records)
        if self.pending is None:
            self._file.write(self.checkpoint, plan)
            self.pending = plan
        metadata = {"tick-pipeline.flush": plan.name, "tick-pipeline.ranges": _ranges_text(plan)}
        folder = self._folder()
        paths: list[Path] = []
        size_bytes = 0
        for hour_us, rows in batch.hours:
            path = Path(folder, self._partition(hour_us), f"{plan.name}.parquet")
            typed = rows.cast(self._schema)
            size_bytes += write_raw_file(typed, path, self._settings, metadata=metadata)
            paths.append(path)
        error_objects, error_bytes = write_errors(
            self._warehouse, self.mode, self.error_type, plan.name, batch.errors, ended_us=now_us()
        )
        done = self.checkpoint.after(plan)
        self._commit(paths, done)
        self._file.write(done)
        self.checkpoint, self.pending = done, None
        return Written(len(paths), error_objects, size_bytes + error_bytes)

    def rewind(self) -> None:
        """Begin again at the stream's oldest record; flushes go on counting, so new objects have new names.

        Raises:
            LandingError: the table could not take it.
        """
        begun = Checkpoint(self.checkpoint.flush)
        self._commit([], begun)
        self._file.write(begun)
        self.checkpoint = begun

    @abstractmethod
    def close(self) -> None:
        """Let go of what the sink holds open."""

    @abstractmethod
    def _committed(self, kept: Checkpoint) -> Checkpoint:
        """What the table itself says is done, given what the checkpoint's file says."""

    @abstractmethod
    def _folder(self) -> str:
        """The folder that holds the partitions' folders."""

    @abstractmethod
    def _partition(self, hour_us: int) -> str:
        """An event hour's folder below it."""

    @abstractmethod
    def _commit(self, paths: list[Path], done: Checkpoint) -> None:
        """Make the files part of the table, and the checkpoint with them."""


def _ranges_text(plan: Plan) -> str:
    return json.dumps({shard: [r.after, r.last] for shard, r in sorted(plan.ranges.items())})
