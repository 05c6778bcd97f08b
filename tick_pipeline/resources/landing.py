"""The port through which records land in raw, and its local adapter, the delivery loop of a HOME."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.event_time import now_us
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.landing.error_store import LocalErrorStore
from tick_pipeline.landing.error_summary import ErrorSummary, recent_errors
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.landing.summary import DeliverySummary
    from tick_pipeline.settings import Settings
    from tick_pipeline.storage import StorageMode


@dataclass(frozen=True)
class DeliveryPosition:
    """How far a mode's delivery is in the stream.

    Attributes:
        caught_up: it has passed whatever a closed hour may hold; False also where nobody can tell.
        description: how far, in words with figures.
    """

    caught_up: bool
    description: str


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

    def recent_errors(self, mode: StorageMode, since_us: int) -> ErrorSummary:
        """The records under a mode's error prefix that arrived since a moment."""
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

    def land(self, mode: StorageMode, start_us: int, end_us: int) -> DeliverySummary:
        """See Landing. All that is pending is landed, of whatever hour."""
        return deliver(self._home, self._settings, self._stream, modes=[mode])[mode]

    def positions(self) -> dict[StorageMode, DeliveryPosition]:
        """See Landing."""
        status = self._stream.status(now_us())
        end = sum(int(shard.latest or 0) for shard in status.shards)
        taken = {
            consumer.name: sum(int(position) for position in consumer.positions.values())
            for consumer in status.consumers
        }
        return {
            mode: DeliveryPosition(done >= end, f"{done:,} of {end:,} records")
            for mode in self._settings.storage_modes
            for done in [taken.get(mode.value, 0)]
        }

    def recent_errors(self, mode: StorageMode, since_us: int) -> ErrorSummary:
        """See Landing."""
        return recent_errors(LocalErrorStore(self._home.warehouse), mode, since_us)


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
