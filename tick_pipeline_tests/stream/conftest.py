"""A stream of its own for each test, and short ways to fill it and to read all of it."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pytest

from tick_pipeline.event_time import parse_instant
from tick_pipeline.stream import segments
from tick_pipeline.stream.port import Earliest
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.stream.port import Position, PutResult


EARLIEST = Earliest()


class Put(Protocol):
    """Put records; without data, each record's data is its key."""

    def __call__(
        self, stream: LocalStream, keys: list[str], data: list[bytes] | None = None
    ) -> PutResult:
        """The stream's answer."""
        ...


class ReadAll(Protocol):
    """Every record of a shard from a position on."""

    def __call__(
        self, stream: LocalStream, shard: str = "shard-0000", position: Position = ...
    ) -> list[dict[str, Any]]:
        """Its rows."""
        ...


class Clock:
    """The stream's clock, set by the test."""

    def __init__(self) -> None:
        self.us = parse_instant("2026-03-02T10:00:00Z")

    def __call__(self) -> int:
        """Microseconds since the epoch."""
        return self.us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until the test moves it."""
    clock = Clock()
    monkeypatch.setattr(segments, "now_us", clock)
    return clock


@pytest.fixture
def stream(tmp_path: Path) -> LocalStream:
    """An empty stream of four shards."""
    return LocalStream(tmp_path / "stream")


@pytest.fixture
def single(tmp_path: Path) -> LocalStream:
    """An empty stream of one shard."""
    return LocalStream(tmp_path / "single", shards=1)


@pytest.fixture
def put() -> Put:
    def put(stream: LocalStream, keys: list[str], data: list[bytes] | None = None) -> PutResult:
        values = [key.encode() for key in keys] if data is None else data
        return stream.put(pa.array(keys, pa.string()), pa.array(values, pa.binary()))

    return put


@pytest.fixture
def read_all() -> ReadAll:
    def read_all(
        stream: LocalStream, shard: str = "shard-0000", position: Position = EARLIEST
    ) -> list[dict[str, Any]]:
        tables = stream.read(shard, position, max_records=10**9)
        return [row for table in tables for row in table.to_pylist()]

    return read_all
