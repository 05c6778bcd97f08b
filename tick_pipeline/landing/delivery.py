"""The local delivery loop: the stream into every mode's raw table, each record once.

Each mode is a consumer of its own, as two Firehoses would be. Where their positions agree, a record
is read, converted and sorted once for both; a mode that lags (it was off, failed, or was killed
between the two commits) catches up alone first. While one flush is written, one thread per mode, the
next is read and converted.
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from tick_pipeline.errors import LandingError
from tick_pipeline.home import exclusive
from tick_pipeline.landing.batch import Buffer, Cursors, read_plan
from tick_pipeline.landing.convert import Converter
from tick_pipeline.landing.iceberg_sink import IcebergSink
from tick_pipeline.landing.parquet_sink import ParquetSink
from tick_pipeline.landing.summary import DeliverySummary, Progress
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from tick_pipeline.home import Home
    from tick_pipeline.landing.batch import Batch, ConsumedStream
    from tick_pipeline.landing.sink import RawSink
    from tick_pipeline.settings import Settings

LEASE_WAIT_SECONDS = 10.0
_BYTES_PER_MIB = 1 << 20
#: Longest pause of a follower between two looks at the stream.
_POLL_SECONDS = 0.5

_SINKS: dict[StorageMode, type[RawSink]] = {
    StorageMode.ICEBERG: IcebergSink,
    StorageMode.PARQUET_PROJECTION: ParquetSink,
}


def deliver(
    home: Home,
    settings: Settings,
    stream: ConsumedStream,
    *,
    modes: Sequence[StorageMode],
    follow: bool = False,
    again: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Event | None = None,
) -> dict[StorageMode, DeliverySummary]:
    """Deliver what the stream holds into the raw tables of the modes.

    Args:
        home: an initialised HOME.
        settings: buffer limits and Parquet's options.
        stream: from which.
        modes: which raw tables.
        follow: go on with what arrives until `stop` is set; else end with what is there at the call.
        again: begin at the stream's oldest record, whatever has landed: rows that are still there come
            twice in raw, and once in `ticks`.
        on_progress: called after each flush.
        stop: ends the delivery after the flush under way; what is buffered is flushed first.

    Returns:
        What was done, per mode.

    Raises:
        BusyError: another delivery holds one of the modes for more than ten seconds.
        LandingError: a mode failed; the others did all their work before. A later call goes on from
            where the mode stood.
        StreamError: the stream cannot be read, or lost records before they were delivered.
    """
    started = time.monotonic()
    with ExitStack() as leases:
        for mode in modes:
            waited = time.monotonic() - started
            leases.enter_context(
                exclusive(
                    delivery_lock(home, mode),
                    what=f"the delivery of {mode}",
                    wait_seconds=max(0.0, LEASE_WAIT_SECONDS - waited),
                )
            )
        with _Delivery(
            home, settings, stream, modes=modes, on_progress=on_progress, stop=stop or Event()
        ) as delivery:
            delivery.recover()
            if again:
                delivery.rewind()
            ends = None if follow else _ends(stream)
            delivery.catch_up()
            delivery.drain(ends)
        return delivery.finish(time.monotonic() - started)


def delivery_lock(home: Home, mode: StorageMode) -> Path:
    """The lease: whoever delivers to the mode holds the lock of this file."""
    return home.locks / f"deliver-{mode}.lock"


class _Delivery:
    """One call's sinks, those still at work, and what was done."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        stream: ConsumedStream,
        *,
        modes: Sequence[StorageMode],
        on_progress: Callable[[Progress], None] | None,
        stop: Event,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._on_progress = on_progress
        self._stop = stop
        self._converter = Converter()
        self._summaries = {mode: DeliverySummary() for mode in modes}
        self._failures: dict[StorageMode, Exception] = {}
        self._writing: dict[StorageMode, Future[None]] = {}
        self._in_writing = 0
        self._records = 0
        self._sinks: dict[StorageMode, RawSink] = {}
        for mode in modes:
            stream.register(mode.value)
            self._guard(mode, lambda mode=mode: self._open(mode, home))

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(len(self._summaries), thread_name_prefix="landing")
        return self

    def __exit__(self, *_: object) -> None:
        self._wait()
        self._threads.shutdown()
        self._converter.close()
        for sink in self._sinks.values():
            sink.close()

    def recover(self) -> None:
        """Do again what an earlier delivery had planned when it was killed."""
        for mode, sink in list(self._sinks.items()):
            self._guard(mode, lambda mode=mode, sink=sink: self._recover(mode, sink))

    def rewind(self) -> None:
        """Let each mode begin anew; meanwhile the stream keeps what it holds."""
        for mode, sink in list(self._sinks.items()):
            self._stream.unregister(mode.value)
            self._stream.register(mode.value)
            self._guard(mode, sink.rewind)

    def catch_up(self) -> None:
        """Bring each mode to where the foremost is, so that from there on one reading serves all."""
        target = _foremost(sink.checkpoint.positions for sink in self._sinks.values())
        for mode, sink in list(self._sinks.items()):
            if sink.checkpoint.positions != target:
                # What this mode cannot read any more, the others may have long delivered.
                self._guard(mode, lambda mode=mode: self._deliver([mode], target))

    def drain(self, ends: Mapping[str, str] | None) -> None:
        """Deliver to all modes up to the ends; None: until stopped."""
        if self._sinks:
            self._deliver(list(self._sinks), ends)

    def finish(self, seconds: float) -> dict[StorageMode, DeliverySummary]:
        """The summaries, or what failed."""
        if self._failures:
            done = [mode.value for mode in self._summaries if mode not in self._failures]
            reasons = "; ".join(f"{mode}: {error}" for mode, error in self._failures.items())
            raise LandingError(
                f"the delivery failed in {reasons}"
                + (f" (done: {', '.join(done)})" if done else "")
            ) from next(iter(self._failures.values()))
        for mode, summary in self._summaries.items():
            summary.seconds = seconds
            summary.positions = dict(self._sinks[mode].checkpoint.positions)
        return self._summaries

    def _open(self, mode: StorageMode, home: Home) -> None:
        self._sinks[mode] = _SINKS[mode](home, self._settings)

    def _recover(self, mode: StorageMode, sink: RawSink) -> None:
        if sink.pending is not None:
            order = self._settings.parquet_sort
            batch = read_plan(self._stream, sink.pending, self._converter, order)
            self._flush(mode, batch)
            self._summaries[mode].repeated += 1
        self._stream.commit(mode.value, sink.checkpoint.positions)

    def _deliver(self, modes: list[StorageMode], ends: Mapping[str, str] | None) -> None:
        positions = dict(self._sinks[modes[0]].checkpoint.positions)
        cursors = Cursors(self._stream, positions, ends)
        while not self._over(follow=ends is None):
            buffer = Buffer(
                positions, self._settings.buffer_records, self._settings.buffer_mib * _BYTES_PER_MIB
            )
            self._fill(buffer, cursors, follow=ends is None)
            if buffer.records == 0:
                break
            batch = buffer.convert(self._converter, self._settings.parquet_sort)
            positions |= {shard: item.last for shard, item in batch.ranges.items()}
            self._wait()
            modes = [mode for mode in modes if mode not in self._failures]
            if not modes:
                return
            self._submit(modes, batch)
        self._wait()

    def _fill(self, buffer: Buffer, cursors: Cursors, *, follow: bool) -> None:
        """Until the buffer is full, its first record waited long enough, or there is no more."""
        first_at: float | None = None
        wait_seconds = self._settings.buffer_seconds
        while not buffer.full and not self._over(follow=follow):
            if cursors.take(buffer):
                first_at = first_at or time.monotonic()
                if not follow:
                    continue
            elif not follow:
                return
            else:
                self._settle()
                self._stop.wait(min(_POLL_SECONDS, wait_seconds / 4))
            if not self._sinks:
                return
            if first_at is not None and time.monotonic() - first_at >= wait_seconds:
                return

    def _over(self, *, follow: bool) -> bool:
        """Asked to stop; or a mode failed, which a follower that went on would hide for days."""
        return self._stop.is_set() or (follow and bool(self._failures))

    def _submit(self, modes: list[StorageMode], batch: Batch) -> None:
        self._in_writing = batch.records
        self._writing = {mode: self._threads.submit(self._flush, mode, batch) for mode in modes}

    def _settle(self) -> None:
        """Count the flush under way if it is done, and see what failed, without waiting for it."""
        if all(future.done() for future in self._writing.values()):
            self._wait()

    def _wait(self) -> None:
        """Until the flush under way is done in every mode; a mode that failed gets no more."""
        if not self._writing:
            return
        for mode, future in self._writing.items():
            self._guard(mode, future.result)
        self._writing = {}
        self._records += self._in_writing
        if self._on_progress:
            self._on_progress(Progress(self._records, self._records + self._pending()))

    def _pending(self) -> int:
        """Records that are there and not delivered by the mode that is last."""
        pending = 0
        for shard in self._stream.shards():
            done = [sink.checkpoint.positions.get(shard.shard_id) for sink in self._sinks.values()]
            if shard.latest is not None and done:
                first = int(shard.earliest or shard.latest)
                pending += int(shard.latest) - min(int(item or first - 1) for item in done)
        return pending

    def _flush(self, mode: StorageMode, batch: Batch) -> None:
        sink = self._sinks[mode]
        written = sink.flush(batch)
        self._summaries[mode].add(batch, written)
        self._stream.commit(mode.value, sink.checkpoint.positions)

    def _guard(self, mode: StorageMode, work: Callable[[], None]) -> None:
        """Do a mode's work; whatever goes wrong ends this mode alone and is raised at the end."""
        try:
            work()
        except Exception as error:  # noqa: BLE001
            self._failures[mode] = error
            self._sinks.pop(mode, None)


def _ends(stream: ConsumedStream) -> dict[str, str]:
    return {shard.shard_id: shard.latest for shard in stream.shards() if shard.latest is not None}


def _foremost(positions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    target: dict[str, str] = {}
    for item in positions:
        for shard, last in item.items():
            if shard not in target or int(last) > int(target[shard]):
                target[shard] = last
    return target
