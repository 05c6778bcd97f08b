"""What the streaming job tells of itself while it runs, in a file that whoever watches it reads."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROGRESS = "progress.json"
_STOP = "stop.json"


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


@dataclass(frozen=True)
class ControlFolder:
    """Where a run tells its progress, and is told to stop.

    Attributes:
        path: the folder.
    """

    path: Path

    def tell(self, progress: StreamProgress) -> None:
        """Replace the progress, whole or not at all."""
        _replace(self.path / _PROGRESS, json.dumps(asdict(progress)))

    def progress(self) -> StreamProgress | None:
        """What the last run told; None before any."""
        try:
            document = json.loads((self.path / _PROGRESS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        reason = document["end_reason"]
        return StreamProgress(
            **document
            | {
                "phase": Phase(document["phase"]),
                "end_reason": EndReason(reason) if reason else None,
            }
        )

    def ask_to_stop(self, *, flush: bool) -> None:
        """Have the run end after its micro-batch; with `flush`, score the open seconds before."""
        _replace(self.path / _STOP, json.dumps({"flush": flush}))

    def stop_asked(self) -> bool | None:
        """Whether to flush, where the run was asked to stop; None where it was not."""
        try:
            return bool(json.loads((self.path / _STOP).read_text(encoding="utf-8"))["flush"])
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Make the folder ready for another run."""
        for name in (_PROGRESS, _STOP):
            (self.path / name).unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    # The thread that watches and the one that takes a micro-batch tell at the same time.
    temporary = path.with_name(f"_{path.name}.{os.getpid()}-{threading.get_ident()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
