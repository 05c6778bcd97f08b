"""The port through which records land in raw, and its local adapter, the delivery loop of a HOME."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.landing.delivery import deliver, delivery_lock
from tick_pipeline.landing.error_store import Arrivals, LocalErrorStore
from tick_pipeline.landing.error_summary import ErrorSummary, arrived_errors, recent_errors
from tick_pipeline.landing.redrive_memory import LocalMemoryFolder, recall
from tick_pipeline.resources.followed_landing import await_follower, landed_summary
from tick_pipeline.spark.locks import is_held
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.home import Home
    from tick_pipeline.landing.error_records import ErrorRecord
    from tick_pipeline.landing.summary import DeliverySummary
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode


@dataclass(frozen=True)
class DeliveryPosition:
    """How far a mode's delivery is in the stream.

    Attributes:
        caught_up: it has passed whatever a closed hour may hold; False also where nobody can tell.
        description: how far, in words with figures.
        delivered_until_us: what came to the stream before has been delivered, microseconds, as far as is known.
    """

    caught_up: bool
    description: str
    delivered_until_us: int = field(compare=False)


@dataclass(frozen=True)
class Backlog:
    """What a mode's delivery has still to do, and who does it.

    Attributes:
        position: how far it is.
        running: whether somebody delivers at this moment.
        runner: who, or why nobody.
        always_runs: it should, also while nothing waits.
        waiting_records: that have not landed; None where nobody can tell.
        lost_records: that the stream dropped before they landed; None where nobody can tell.
        oldest_us: arrival of the oldest that waits, microseconds; None without any, or where nobody tells.
        expires_us: when the stream may drop that one.
        due_seconds: by then a record has landed, as this delivery gathers them.
    """

    position: DeliveryPosition
    running: bool
    runner: str
    always_runs: bool
    waiting_records: int | None
    lost_records: int | None
    oldest_us: int | None
    expires_us: int | None
    due_seconds: float


class Landing(Protocol):
    """What moves records from the stream into the raw tables."""

    def land(self, mode: StorageMode, start_us: int, end_us: int) -> DeliverySummary:
        """Land what is pending for a mode; where another process lands, tell what of some hours it has.

        Args:
            mode: which mode.
            start_us: first of the hours that are told of where another process lands, microseconds.
            end_us: their end, exclusive.

        Raises:
            BusyError: another delivery of the mode is going on.
            LandingError: it failed, or does not run; a later call goes on from where it stood.
            AwsError: it could not be seen how it stands.
        """
        ...

    def positions(self) -> dict[StorageMode, DeliveryPosition]:
        """How far each mode is, at this moment."""
        ...

    def backlog(self) -> dict[StorageMode, Backlog]:
        """What waits to land in each mode, and whether anybody delivers it.

        Raises:
            StreamError: the stream cannot be read.
            AwsError: it could not be seen how it stands.
        """
        ...

    def recent_errors(self, mode: StorageMode, since_us: int) -> ErrorSummary:
        """The records under a mode's error prefix that arrived since a moment, those apart that were redriven."""
        ...

    def error_records(
        self, mode: StorageMode, since_us: int, until_us: int | None = None
    ) -> Iterator[ErrorRecord]:
        """Each of a mode's error records that arrived since a moment, and before another, redriven or not.

        Raises:
            OSError: a folder cannot be listed.
            AwsError: the bucket cannot be listed, or does not answer.
        """
        ...


class LocalLanding:
    """The port on a HOME.

    Args:
        home: an initialised HOME.
        settings: buffers and Parquet's options.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home = home
        self._settings = settings
        self._stream = open_stream(home, settings)
        self._errors = LocalErrorStore(home.warehouse)

    def land(self, mode: StorageMode, start_us: int, end_us: int) -> DeliverySummary:
        """See Landing. All that is pending is landed, of whatever hour; who follows the stream is waited for."""
        position = await_follower(
            self._home, self._settings, mode, end_us, lambda: self.positions()[mode]
        )
        if position is not None:
            return landed_summary(self._home, mode, start_us, end_us, position)
        return deliver(self._home, self._settings, self._stream, modes=[mode])[mode]

    def positions(self) -> dict[StorageMode, DeliveryPosition]:
        """See Landing."""
        now = now_us()
        status = self._stream.status(now)
        end = sum(int(shard.latest or 0) for shard in status.shards)
        consumers = {consumer.name: consumer for consumer in status.consumers}
        found: dict[StorageMode, DeliveryPosition] = {}
        for mode in self._settings.storage_modes:
            consumer = consumers[mode.value]
            done = sum(int(position) for position in consumer.positions.values())
            until_us = now - round(consumer.lag_seconds * US_PER_SECOND)
            found[mode] = DeliveryPosition(done >= end, f"{done:,} of {end:,} records", until_us)
        return found

    def backlog(self) -> dict[StorageMode, Backlog]:
        """See Landing."""
        positions, now = self.positions(), now_us()
        consumers = {item.name: item for item in self._stream.status(now).consumers}
        found: dict[StorageMode, Backlog] = {}
        for mode, position in positions.items():
            consumer = consumers[mode.value]
            running = is_held(delivery_lock(self._home, mode))
            waits = consumer.expires_us is not None
            found[mode] = Backlog(
                position=position,
                running=running,
                runner="a process delivers" if running else "no process delivers",
                always_runs=False,
                waiting_records=consumer.lag_records,
                lost_records=consumer.lost_records,
                oldest_us=now - round(consumer.lag_seconds * US_PER_SECOND) if waits else None,
                expires_us=consumer.expires_us,
                due_seconds=2 * self._settings.buffer_seconds,
            )
        return found

    def recent_errors(self, mode: StorageMode, since_us: int) -> ErrorSummary:
        """See Landing."""
        redriven = recall(LocalMemoryFolder(self._home), since_us).redriven
        return recent_errors(self._errors, mode, since_us, redriven=redriven)

    def error_records(
        self, mode: StorageMode, since_us: int, until_us: int | None = None
    ) -> Iterator[ErrorRecord]:
        """See Landing."""
        return arrived_errors(self._errors, mode, Arrivals(since_us, until_us))


def open_stream(home: Home, settings: Settings) -> LocalStream:
    """The stream of a HOME, with every enabled mode's delivery registered as its consumer.

    Registered before anything is put, no retention can drop what a delivery has not read.
    """
    stream = LocalStream(
        home.stream, shards=settings.stream_shards, retention_hours=settings.stream_retention_hours
    )
    for mode in settings.storage_modes:
        stream.register(mode.value)
    return stream
