"""Housekeeping drops and merges what every consumer has read, once an hour, and nothing else."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.home import exclusive
from tick_pipeline.stream import housekeeping
from tick_pipeline.stream.housekeeping import Housekeeping
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stream(tmp_path: Path) -> LocalStream:
    stream = LocalStream(tmp_path / "stream", shards=1, retention_hours=1)
    stream.register("reader")
    for _ in range(3):
        stream.put(pa.array(["k"]), pa.array([b"{}"]))
    return stream


def _days_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = now_us() + 48 * US_PER_HOUR
    monkeypatch.setattr(housekeeping, "now_us", lambda: later)


def test_old_records_that_were_read_are_dropped(
    stream: LocalStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.commit("reader", {"shard-0000": "3"})
    _days_later(monkeypatch)
    Housekeeping(stream).now()
    assert stream.status(now_us()).records == 0


def test_what_was_not_read_is_kept_however_old(
    stream: LocalStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    _days_later(monkeypatch)
    Housekeeping(stream).now()
    assert stream.status(now_us()).records == 3


def test_it_is_due_once_an_hour(stream: LocalStream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.commit("reader", {"shard-0000": "3"})
    house = Housekeeping(stream)
    house.if_due()
    _days_later(monkeypatch)
    house.if_due()
    assert stream.status(now_us()).records == 3


def test_another_process_that_is_at_it_is_good_enough(stream: LocalStream) -> None:
    with exclusive(stream.root / "_maintenance.lock", what="the stream's maintenance"):
        Housekeeping(stream).now()
    assert stream.status(now_us()).records == 3
