"""What a redrive works on, in memory: error prefixes, raw's invalid rows, a stream and a memory that may be killed."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from tick_pipeline.event_time import as_datetime, now_us
from tick_pipeline.landing.error_records import ErrorRecord
from tick_pipeline.landing.redrive import Redrive
from tick_pipeline.resources.query_port import QueryResult
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.port import PutResult, Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

SHARD = Shard("shard-0000", 0, 2**128, None, None, None, None, None, None)


class KilledError(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


@dataclass
class World:
    """All of it.

    Attributes:
        errors: of each mode.
        rows: invalid ones in raw of each mode.
        stream: data and arrival of what was put, in order.
        texts: the memory.
        steps_to_live: calls of a put or a write until the process is killed, before or after it; None for ever.
        dies_before: before that call, not after it.
    """

    errors: dict[StorageMode, list[ErrorRecord]] = field(
        default_factory=lambda: {mode: [] for mode in StorageMode}
    )
    rows: dict[StorageMode, list[dict[str, Any]]] = field(
        default_factory=lambda: {mode: [] for mode in StorageMode}
    )
    stream: list[tuple[str, bytes, int]] = field(default_factory=list[tuple[str, bytes, int]])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    steps_to_live: int | None = None
    dies_before: bool = False
    held: bool = False

    @property
    def put(self) -> list[bytes]:
        """What was put, in order."""
        return [data for _, data, _ in self.stream]

    def fail(self, data: bytes, *modes: StorageMode, code: str = "Delivery.Failed") -> None:
        """Let a record lie in modes' error prefixes, since now."""
        for mode in modes:
            self.errors[mode].append(ErrorRecord("x", "x/o", code, "why", now_us() - 1000, data))

    def redrive(self, *, first_event_us: int | None = None) -> Redrive:
        """A process that redrives."""
        parts = (_Landing(self), _Engine(self), _Stream(self), _Folder(self))
        return Redrive(*cast("Any", parts), first_event_us=first_event_us)

    def step(self, work: Callable[[], None]) -> None:
        """Do it, unless the process dies before."""
        if self.steps_to_live is None:
            work()
            return
        self.steps_to_live -= 1
        if self.steps_to_live or not self.dies_before:
            work()
        if not self.steps_to_live:
            raise KilledError


@dataclass
class _Landing:
    world: World

    def error_records(
        self, mode: StorageMode, since_us: int, until_us: int | None = None
    ) -> Iterator[ErrorRecord]:
        for record in list(self.world.errors[mode]):
            at_us = record.arrival_us or since_us
            if since_us <= at_us and (until_us is None or at_us < until_us):
                yield record


@dataclass
class _Engine:
    world: World

    def run(self, sql: str, parameters: dict[str, Any]) -> QueryResult:
        assert parameters["start"] < parameters["end"]
        [mode] = [mode for mode in StorageMode if f"from {mode}.received" in sql]
        return QueryResult(pa.Table.from_pylist(self.world.rows[mode]), 0.0, 0, 0)


@dataclass
class _Stream:
    world: World

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        pairs = zip(partition_keys.to_pylist(), data.to_pylist(), strict=True)
        arrived = [(key, value, now_us()) for key, value in pairs]
        self.world.step(lambda: self.world.stream.extend(arrived))
        return PutResult(len(data), 0, 0)

    def shards(self) -> list[Shard]:
        return [SHARD]

    def read(self, _shard: str, position: Any, **_more: Any) -> Iterator[pa.Table]:
        later = [item for item in self.world.stream if item[2] >= position.arrival_us]
        if later:
            yield pa.table(
                {
                    "data": [data for _, data, _ in later],
                    "approximateArrivalTimestamp": [as_datetime(us) for *_, us in later],
                }
            )


@dataclass
class _Folder:
    world: World

    def texts(self, after: str) -> Iterator[tuple[str, str]]:
        yield from sorted(item for item in self.world.texts.items() if item[0] > after)

    def write(self, name: str, text: str) -> None:
        self.world.step(lambda: self.world.texts.update({name: text}))

    @contextmanager
    def held(self) -> Generator[Callable[[], None]]:
        assert not self.world.held
        self.world.held = True
        try:
            yield lambda: None
        finally:
            self.world.held = False
