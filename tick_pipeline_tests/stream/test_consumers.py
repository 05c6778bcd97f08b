"""Positions of consumers: kept whole, never going back."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import StreamError
from tick_pipeline.home import exclusive
from tick_pipeline.stream import consumers

if TYPE_CHECKING:
    from conftest import Put

    from tick_pipeline.stream.segments import LocalStream


def test_a_consumer_is_known_once_registered_and_reads_from_the_beginning(
    stream: LocalStream,
) -> None:
    assert stream.positions("iceberg") == {}
    stream.register("iceberg")
    stream.register("iceberg")
    assert stream.consumers() == ["iceberg"]
    assert stream.positions("iceberg") == {}


def test_a_position_never_goes_back(single: LocalStream, put: Put) -> None:
    put(single, ["A"] * 12)
    single.commit("iceberg", {"shard-0000": "10"})
    single.commit("iceberg", {"shard-0000": "9"})
    assert single.positions("iceberg") == {"shard-0000": "10"}
    single.register("iceberg")
    assert single.positions("iceberg") == {"shard-0000": "10"}
    single.commit("iceberg", {"shard-0000": "12"})
    assert single.positions("iceberg") == {"shard-0000": "12"}


def test_a_position_that_cannot_be_is_refused(single: LocalStream) -> None:
    """It would let retention drop what nobody has read."""
    with pytest.raises(StreamError, match="beyond its end, 0"):
        single.commit("iceberg", {"shard-0000": "1"})
    with pytest.raises(StreamError, match="no shard 'shard-0009'"):
        single.commit("iceberg", {"shard-0009": "0"})
    assert single.consumers() == []


@pytest.mark.parametrize("name", ["", "../x", "_x", "a b", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(stream: LocalStream, name: str) -> None:
    with pytest.raises(StreamError, match=r"consumer .* must be"):
        stream.register(name)


def test_an_unregistered_consumer_is_forgotten(stream: LocalStream) -> None:
    stream.register("old")
    stream.unregister("old")
    assert stream.consumers() == []
    with pytest.raises(StreamError, match="no consumer 'old' is registered; registered: none"):
        stream.unregister("old")


def test_a_damaged_file_is_named(stream: LocalStream) -> None:
    (stream.root / "consumers" / "x.json").write_text("{}")
    with pytest.raises(StreamError, match=r"x\.json cannot be read"):
        stream.positions("x")


def test_commits_beside_each_other_lose_none(
    stream: LocalStream, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shard is committed by a thread of its own."""
    # Whoever waits is not first in a queue: on a slow disk it may be the last.
    monkeypatch.setattr(consumers, "exclusive", partial(exclusive, wait_seconds=120.0))
    put(stream, [f"K{index}" for index in range(400)])
    latest = {shard.shard_id: int(shard.latest or 0) for shard in stream.shards()}

    def commit(shard_id: str) -> None:
        for position in range(1, 20):
            stream.commit("reader", {shard_id: str(position)})

    threads = [threading.Thread(target=commit, args=(shard,)) for shard in latest]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.positions("reader") == dict.fromkeys(latest, "19")
