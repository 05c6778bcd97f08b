"""What the streaming job tells of itself while it runs, in a file that whoever watches it reads.

In another file it is asked to stop. Both lie in one folder: of this machine, or in S3.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tick_pipeline.spark.folders import Folder

PROGRESS_FILE = "progress.json"
STOP_FILE = "stop.json"
#: A PUT and a GET each: asked five times a second, as a disk is, S3 would cost dollars a month.
_REMOTE_SECONDS = 5.0


class Phase(str, Enum):
    """Where a run of the job stands."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"

    def __str__(self) -> str:
        return self.value


class EndReason(str, Enum):
    """Why a run ended, in good order."""

    DRAINED = "drained"
    STOPPED = "stopped"
    IDLE = "idle"
    TIME_UP = "time up"

    def __str__(self) -> str:
        return self.value


@dataclass
class StreamProgress:
    """A run of the streaming job so far.

    Attributes:
        pid: its process.
        started_us: when it began, microseconds since the epoch.
        heartbeat_us: when it last told.
        phase: where it stands.
        end_reason: why it ended; None until then.
        batch: the last micro-batch that was scored and written; -1 before the first.
        batch_at_us: when that was done; None before the first.
        batch_seconds: how long it took.
        records: records of the stream that this run took.
        written: storage mode -> rows that this run added.
        late: ticks since the checkpoint began that came too late, left to the batch job.
        duplicates: ticks since the checkpoint began that were copies.
        scored: ticks since the checkpoint began that were scored.
        lost: records since the checkpoint began that the stream dropped before they were read.
        pending: ticks that wait for the watermark.
        held: records that wait for an older one.
        lag_seconds: age of the oldest record of the last micro-batch when its rows were written.
        watermarks_us: shard -> event time up to which everything is scored.
        positions: shard -> last position that was scored.
        committed: shard -> last position that no restart will ask the stream for again.
    """

    pid: int = 0
    started_us: int = 0
    heartbeat_us: int = 0
    phase: Phase = Phase.STARTING
    end_reason: EndReason | None = None
    batch: int = -1
    batch_at_us: int | None = None
    batch_seconds: float = 0.0
    records: int = 0
    written: dict[str, int] = field(default_factory=dict[str, int])
    late: int = 0
    duplicates: int = 0
    scored: int = 0
    lost: int = 0
    pending: int = 0
    held: int = 0
    lag_seconds: float = 0.0
    watermarks_us: dict[str, int] = field(default_factory=dict[str, int])
    positions: dict[str, str] = field(default_factory=dict[str, str])
    committed: dict[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> str:
        """As it lies in the file."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> StreamProgress:
        """As `to_json` wrote it, perhaps that of another version: what is not known there is left out."""
        known = {item.name for item in fields(StreamProgress)}
        document: dict[str, Any] = {
            name: value for name, value in json.loads(text).items() if name in known
        }
        reason = document["end_reason"]
        document["phase"] = Phase(document["phase"])
        document["end_reason"] = EndReason(reason) if reason else None
        return StreamProgress(**document)


def stop_wish(*, flush: bool) -> str:
    """What asks a run to stop: the text of its file."""
    return json.dumps({"flush": flush})


class Control(Protocol):
    """The job's side of the folder."""

    def tell(self, progress: StreamProgress) -> None:
        """Replace the progress, whole or not at all."""
        ...

    def stop_asked(self) -> bool | None:
        """Whether to flush, where the run was asked to stop; None where it was not."""
        ...


@dataclass(frozen=True)
class ControlFolder:
    """A folder of this machine: where a run tells its progress, and is told to stop.

    Attributes:
        path: the folder.
    """

    path: Path

    def tell(self, progress: StreamProgress) -> None:
        """Replace the progress, whole or not at all."""
        _replace(self.path / PROGRESS_FILE, progress.to_json())

    def progress(self) -> StreamProgress | None:
        """What the last run told; None before any."""
        try:
            text = (self.path / PROGRESS_FILE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return StreamProgress.from_json(text)

    def ask_to_stop(self, *, flush: bool) -> None:
        """Have the run end after its micro-batch; with `flush`, score the open seconds before."""
        _replace(self.path / STOP_FILE, stop_wish(flush=flush))

    def stop_asked(self) -> bool | None:
        """Whether to flush, where the run was asked to stop; None where it was not."""
        try:
            return _is_flush((self.path / STOP_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Make the folder ready for another run."""
        for name in (PROGRESS_FILE, STOP_FILE):
            (self.path / name).unlink(missing_ok=True)


class RemoteControl:
    """The same anywhere that Spark has a file system: what did not change is told and asked rarely.

    Args:
        folder: where.
        every_seconds: how often to tell of a phase that goes on, and to look for the wish to stop.
    """

    def __init__(self, folder: Folder, every_seconds: float = _REMOTE_SECONDS) -> None:
        self._folder = folder
        self._every_seconds = every_seconds
        self._told: Phase | None = None
        self._next_told = self._next_asked = 0.0

    def tell(self, progress: StreamProgress) -> None:
        """See Control; a new phase is told at once."""
        now = time.monotonic()
        if progress.phase is self._told and now < self._next_told:
            return
        self._told, self._next_told = progress.phase, now + self._every_seconds
        self._folder.write(PROGRESS_FILE, progress.to_json().encode())

    def stop_asked(self) -> bool | None:
        """See Control."""
        now = time.monotonic()
        if now < self._next_asked:
            return None
        self._next_asked = now + self._every_seconds
        wish = self._folder.read(STOP_FILE)
        return None if wish is None else _is_flush(wish)


def open_control(place: str, spark: SparkSession) -> Control:
    """The job's side of a folder, by its path or URI."""
    if "://" not in place:
        return ControlFolder(Path(place))
    # Only the job comes here: whoever watches it starts without what this needs.
    from tick_pipeline.spark.folders import open_folder  # noqa: PLC0415

    return RemoteControl(open_folder(place, spark))


def _is_flush(wish: str | bytes) -> bool:
    return bool(json.loads(wish)["flush"])


def _replace(path: Path, text: str) -> None:
    # The thread that watches and the one that takes a micro-batch tell at the same time.
    temporary = path.with_name(f"_{path.name}.{os.getpid()}-{threading.get_ident()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
