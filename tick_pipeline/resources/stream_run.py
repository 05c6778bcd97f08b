"""A run of the streaming job of anomalies, wherever it is: the port, how it is to go, how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tick_pipeline.spark.streaming.progress import StreamProgress


@dataclass(frozen=True)
class StreamOptions:
    """How a run of the streaming job goes.

    Attributes:
        drain: take what is there, then end; else go on.
        flush: score the open seconds at the end of a drain.
        new_checkpoint: score what the stream holds anew; rows that are there do not double.
        trigger_seconds: how often to look for records.
        idle_minutes: end after so long without a record; 0 for never.
        max_hours: end after so long in any case; 0 for never.
        files_per_batch: segments of the stream in a micro-batch, at most.
    """

    drain: bool = False
    flush: bool = False
    new_checkpoint: bool = False
    trigger_seconds: float = 2.0
    idle_minutes: float = 30.0
    max_hours: float = 12.0
    files_per_batch: int = 40


@dataclass(frozen=True)
class StreamRunStatus:
    """The streaming job at one moment.

    Attributes:
        state: `stopped`, `starting`, `running`, `stopping`, or `failed` where it ended of itself.
        wanted: whether it should be running.
        runner: id of what runs it, the supervisor's process or a run of Glue; None where nothing does.
        progress: what its last run told; None before any.
        heartbeat_seconds: age of that.
        behind: records of the stream that it has not scored; None where the stream does not number them.
        ended_us: when the last run ended, microseconds; None while one runs, or before any.
        reason: why it ended, or what went wrong.
    """

    state: str
    wanted: bool
    runner: str | None
    progress: StreamProgress | None
    heartbeat_seconds: float | None
    behind: int | None
    ended_us: int | None
    reason: str | None


class AnomalyStream(Protocol):
    """The streaming job, wherever it runs."""

    def start(self, options: StreamOptions) -> StreamRunStatus:
        """Want it to run, and start it where it does not.

        Raises:
            BusyError: another one starts it.
            SparkJobError: it did not come up.
        """
        ...

    def stop(self, *, flush: bool = False) -> StreamRunStatus:
        """Want it no more, and end it after its micro-batch.

        Raises:
            SparkJobError: it did not end in time.
        """
        ...

    def status(self) -> StreamRunStatus:
        """How it stands."""
        ...

    def wanted_options(self) -> StreamOptions | None:
        """The options under which it should be running; None where it should not."""
        ...
