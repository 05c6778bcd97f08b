"""Merging and retention: invisible to readers, and nothing unread is lost without a word."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.errors import BusyError, StreamError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND
from tick_pipeline.home import exclusive
from tick_pipeline.stream import maintenance, segments
from tick_pipeline.stream.port import AfterSequence, AtTimestamp, Earliest
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from conftest import Clock, Put, ReadAll

DAY_US = 24 * US_PER_HOUR


def files(stream: LocalStream, folder: str = "shard-0000") -> list[str]:
    return sorted(path.name for path in (stream.root / folder).glob("*.parquet"))


def read_up_to(stream: LocalStream, last: int, consumer: str = "reader") -> None:
    stream.commit(consumer, {"shard-0000": str(last)})


def test_old_small_segments_become_one_outside_the_streamed_folder(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    for _ in range(10):
        put(single, ["A", "B", "C"])
    before = read_all(single)
    read_up_to(single, 30)
    report = single.merge_segments(before_us=clock.us + 1)
    assert (report.merged_from, report.merged_into, report.records) == (9, 1, 27)
    assert len(files(single)) == 1
    assert files(single, "merged/shard-0000") == [f"{1:020d}-27-{clock.us}-{clock.us}.parquet"]
    assert read_all(single) == before
    assert read_all(single, position=AfterSequence("25")) == before[25:]
    put(single, ["A"])
    assert read_all(single)[-1]["sequenceNumber"] == "31"


def test_only_what_every_consumer_has_read_is_merged(
    single: LocalStream, put: Put, clock: Clock
) -> None:
    for _ in range(10):
        put(single, ["A", "B"])
    limit = clock.us + 1
    assert single.merge_segments(before_us=limit).merged_from == 0  # nobody has read anything
    read_up_to(single, 20, "fast")
    read_up_to(single, 7, "slow")
    assert single.merge_segments(before_us=limit).merged_from == 3
    assert files(single)[0].startswith(f"{7:020d}-")
    single.register("new")
    read_up_to(single, 20, "slow")
    assert single.merge_segments(before_us=limit).merged_from == 0


def test_by_default_the_current_hour_is_left_as_it_is(
    single: LocalStream, put: Put, clock: Clock
) -> None:
    """So each hour is written anew once, and retention drops hour by hour."""
    for _ in range(3):
        for _ in range(4):
            put(single, ["A"])
        clock.us += US_PER_HOUR
    clock.us -= US_PER_HOUR
    read_up_to(single, 12)
    assert single.merge_segments().merged_into == 2
    assert len(files(single, "merged/shard-0000")) == 2
    assert len(files(single)) == 4
    assert single.merge_segments().merged_from == 0


def test_large_segments_stay_as_they_are(
    single: LocalStream, put: Put, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "MERGED_RECORDS", 10)
    for count in (3, 3, 3, 3, 9, 2, 2, 1):
        put(single, ["A"] * count)
    read_up_to(single, 26)
    assert single.merge_segments(before_us=clock.us + 1).merged_from == 5
    assert [int(name.split("-")[1]) for name in files(single, "merged/shard-0000")] == [9, 4]
    assert [int(name.split("-")[1]) for name in files(single)] == [3, 9, 1]


def test_a_merge_cut_off_doubles_no_record(
    single: LocalStream,
    put: Put,
    read_all: ReadAll,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the new segment is linked, with all, some or none of the old ones removed."""
    for _ in range(5):
        put(single, ["A", "B"])
    before, status = read_all(single), single.status(clock.us)
    read_up_to(single, 10)
    removed: list[Path] = []
    real_unlink = Path.unlink

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.suffix == ".parquet":
            if len(removed) == 2:
                raise KeyboardInterrupt
            removed.append(path)
        real_unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        single.merge_segments(before_us=clock.us + 1)
    monkeypatch.undo()
    assert (len(files(single)), len(files(single, "merged/shard-0000"))) == (3, 1)
    assert read_all(single) == before
    assert single.status(clock.us).records == status.records
    single.merge_segments(before_us=clock.us)
    assert (len(files(single)), len(files(single, "merged/shard-0000"))) == (1, 1)
    assert read_all(single) == before


def test_a_reader_does_not_notice_a_merge_beside_it(
    single: LocalStream, put: Put, clock: Clock
) -> None:
    for _ in range(6):
        put(single, ["A", "B"])
    reading = single.read("shard-0000", Earliest(), max_records=100)
    seen = next(reading)["sequenceNumber"].to_pylist()
    read_up_to(single, 12)
    single.merge_segments(before_us=clock.us + 1)
    for table in reading:
        seen += table["sequenceNumber"].to_pylist()
    assert seen == [str(number) for number in range(1, 13)]


def test_retention_drops_whole_segments_by_age(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    start_us = clock.us
    for hour in range(4):
        clock.us = start_us + hour * US_PER_HOUR
        put(single, ["A", "B"])
    (report,) = single.expire(start_us + DAY_US + US_PER_HOUR + 1)
    assert (report.dropped_segments, report.dropped_records, report.kept_back) == (2, 4, 0)
    assert report.dropped_bytes > 0
    assert [row["sequenceNumber"] for row in read_all(single)] == ["5", "6", "7", "8"]
    assert single.shards()[0].earliest == "5"


def test_the_sequence_goes_on_after_everything_was_dropped(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    """Numbers, arrivals and modification times: consumers' positions stay true."""
    put(single, ["A", "B"])
    newest_us = clock.us
    single.expire(clock.us + 2 * DAY_US)
    assert files(single) == []
    assert read_all(single) == []
    (shard,) = single.shards()
    assert (shard.records, shard.earliest, shard.latest) == (0, None, "2")
    clock.us -= US_PER_HOUR
    put(single, ["C"])
    assert files(single) == [f"{3:020d}-1-{newest_us}.parquet"]
    assert read_all(single, position=AfterSequence("2"))[0]["data"] == b"C"
    (path,) = (single.root / "shard-0000").glob("*.parquet")
    assert path.stat().st_mtime_ns // 1_000_000 > newest_us // 1000


def test_what_a_consumer_has_not_read_is_kept_back(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    for _ in range(3):
        put(single, ["A", "B"])
    read_up_to(single, 6, "fast")
    read_up_to(single, 3, "slow")
    (report,) = single.expire(clock.us + 2 * DAY_US)
    assert (report.dropped_records, report.kept_back, report.kept_back_for) == (2, 3, ("slow",))
    assert read_all(single)[0]["sequenceNumber"] == "3"


def test_a_lost_range_is_told_never_skipped(
    single: LocalStream, put: Put, read_all: ReadAll, clock: Clock
) -> None:
    for _ in range(3):
        put(single, ["A", "B"])
    read_up_to(single, 1, "slow")
    (report,) = single.expire(clock.us + 2 * DAY_US, drop_unread=True)
    assert (report.dropped_unread, report.kept_back, report.kept_back_for) == (5, 0, ("slow",))
    with pytest.raises(StreamError, match="records 2 to 6 of shard-0000 were dropped"):
        read_all(single, position=AfterSequence("1"))
    put(single, ["C"])
    with pytest.raises(StreamError, match=r"records 2 to 6 .* read from 7"):
        read_all(single, position=AfterSequence("1"))
    (consumer,) = single.status(clock.us).consumers
    assert (consumer.lost_records, consumer.lag_records) == (5, 1)
    assert [row["data"] for row in read_all(single)] == [b"C"]


def test_status_tells_lag_age_and_when_the_oldest_unread_record_expires(
    stream: LocalStream, put: Put, clock: Clock
) -> None:
    start_us = clock.us
    put(stream, [f"K{index}" for index in range(100)])
    clock.us += 60 * US_PER_SECOND
    put(stream, [f"K{index}" for index in range(100)])
    stream.register("new")
    half = {shard.shard_id: str((shard.records or 0) // 2) for shard in stream.shards()}
    stream.commit("half", half)
    stream.commit("done", {shard.shard_id: str(shard.records) for shard in stream.shards()})
    now_us = clock.us + 30 * US_PER_SECOND
    status = stream.status(now_us)
    assert (status.records, status.segments, status.rejected) == (200, 8, 0)
    assert status.newest_arrival_us == clock.us
    assert status.bytes == sum(path.stat().st_size for path in stream.root.glob("*/*.parquet"))
    done, half_way, new = status.consumers
    assert (new.lag_records, new.lag_seconds, new.expires_us) == (200, 90, start_us + DAY_US)
    assert (half_way.lag_records, half_way.lag_seconds) == (100, 30)
    assert (done.lag_records, done.lag_seconds, done.expires_us) == (0, 0, None)
    assert not new.overdue
    assert stream.status(start_us + DAY_US).consumers[2].overdue


def test_maintenance_runs_once_at_a_time(
    single: LocalStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_MAINTENANCE_WAIT_SECONDS", 0.1)
    with (
        exclusive(single.root / "_maintenance.lock", what="the test"),
        pytest.raises(BusyError, match="the stream's maintenance"),
    ):
        single.merge_segments()


def test_leftovers_of_killed_writers_are_removed_once_they_are_old(single: LocalStream) -> None:
    young, old = single.root / "consumers" / "_a.json.1.tmp", single.root / "_stream.json.2.tmp"
    for path in (young, old):
        path.write_text("")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    single.expire(0)
    assert young.exists()
    assert not old.exists()


step = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("commit"), st.integers(0, 100)),
    st.tuples(st.just("merge"), st.just(0)),
    st.tuples(st.just("expire"), st.just(0)),
)


@settings(max_examples=60)
@given(st.lists(step, max_size=25), st.booleans())
def test_whatever_happens_a_reader_sees_every_record_that_is_kept_once(
    steps: list[tuple[str, int]], registered: bool
) -> None:
    """Puts, time, commits, merges and retention in any order, against a list."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        now = [1_800_000_000_000_000]
        patch.setattr(segments, "now_us", lambda: now[0])
        patch.setattr(maintenance, "MERGED_RECORDS", 50)
        stream = LocalStream(Path(folder), shards=1)
        if registered:
            stream.register("reader")
        arrivals: list[int] = []
        position = 0
        for name, number in steps:
            if name == "put":
                count = number
                data = [str(len(arrivals) + 1 + index).encode() for index in range(count)]
                stream.put(pa.array(["A"] * count), pa.array(data, pa.binary()))
                arrivals += [now[0]] * count
            elif name == "wait":
                now[0] += number * US_PER_HOUR // 3 + 1
            elif name == "commit":
                position = max(position, len(arrivals) * number // 100)
                stream.commit("reader", {"shard-0000": str(position)})
            elif name == "merge":
                stream.merge_segments()
            else:
                stream.expire(now[0])
            rows = [
                row
                for table in stream.read("shard-0000", Earliest(), max_records=10**9)
                for row in table.to_pylist()
            ]
            first = len(arrivals) - len(rows)
            assert [row["data"] for row in rows] == [
                str(number + 1).encode() for number in range(first, len(arrivals))
            ]
            assert all(arrived <= now[0] - DAY_US for arrived in arrivals[:first])
            assert not registered or first <= position
            middle = arrivals[len(arrivals) // 2] + 1 if arrivals else 0
            at = sum(
                table.num_rows
                for table in stream.read("shard-0000", AtTimestamp(middle), max_records=10**9)
            )
            assert at == sum(arrived >= middle for arrived in arrivals[first:])
