"""What the Kinesis adapter does that no emulator shows: reshards, creation, and every way to be throttled."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import threading
from collections import defaultdict
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.errors import AwsError, StreamError
from tick_pipeline.stream import kinesis, kinesis_read
from tick_pipeline.stream.backoff import Backoff
from tick_pipeline.stream.kinesis import KinesisStream
from tick_pipeline.stream.kinesis_put import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    Lane,
    Put,
    cut_batches,
)
from tick_pipeline.stream.kinesis_shards import parents_first, pinned_hash_keys, pinned_shards
from tick_pipeline.stream.port import MAX_RECORD_BYTES, AtTimestamp, Earliest, Shard
from tick_pipeline.stream.sharding import HASH_SPACE, hash_ranges
from tick_pipeline_tests.stream.fake_kinesis import ARRIVAL, FakeKinesis, FakeShard

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARD = "shardId-000000000000"
ALL = 1_000_000


def fake_shards(count: int) -> list[FakeShard]:
    """Open shards that share the hashes evenly."""
    return [
        FakeShard(f"shardId-{index:012d}", first, end)
        for index, (first, end) in enumerate(hash_ranges(count))
    ]


def stream_on(fake: FakeKinesis, **options: Any) -> KinesisStream:
    """The adapter on a fake, never waiting."""
    options.setdefault("backoff", Backoff(attempts=5, sleep=lambda _: None))
    return KinesisStream(fake, "ticks", rejected=None, **options)


def put(stream: KinesisStream, keys: Sequence[str], first: int = 0) -> int:
    """Put records numbered from `first`; how many were accepted."""
    data = [str(first + n).encode() for n in range(len(keys))]
    return stream.put(pa.array(keys, pa.string()), pa.array(data, pa.binary())).accepted


def numbers(records: list[dict[str, Any]]) -> list[int]:
    """What `put` numbered."""
    return [int(record["Data"]) for record in records]


def shard(
    number: int, first: int, end: int, *, is_open: bool = True, parents: tuple[int, ...] = ()
) -> Shard:
    """A shard that takes sixteenths of the hashes."""
    return Shard(
        shard_id=f"shardId-{number:012d}",
        first_hash=first * HASH_SPACE // 16,
        end_hash=end * HASH_SPACE // 16,
        earliest=None,
        latest=None,
        records=None,
        bytes=None,
        oldest_arrival_us=None,
        newest_arrival_us=None,
        is_open=is_open,
        parents=tuple(f"shardId-{parent:012d}" for parent in parents),
    )


# --- requests ------------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.integers(1, 400),
            st.integers(MAX_RECORD_BYTES - 2, MAX_RECORD_BYTES),
            st.just(MAX_BATCH_BYTES),
        ),
        max_size=1200,
    )
)
def test_requests_never_exceed_a_limit_keep_order_and_lose_nothing(sizes: list[int]) -> None:
    batches = list(cut_batches(sizes))
    assert [n for batch in batches for n in range(batch.start, batch.stop)] == list(
        range(len(sizes))
    )
    for batch in batches:
        held = sizes[batch]
        assert 0 < len(held) <= MAX_BATCH_RECORDS
        assert sum(held) <= MAX_BATCH_BYTES
    # And none is cut short without need.
    for batch, following in pairwise(batches):
        is_full = len(sizes[batch]) == MAX_BATCH_RECORDS
        assert is_full or sum(sizes[batch]) + sizes[following.start] > MAX_BATCH_BYTES


@given(
    keys=st.lists(st.sampled_from("ABCDEFGH"), max_size=1500),
    shards=st.integers(1, 5),
    refused=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 499)), max_size=600),
)
def test_whatever_is_throttled_every_record_is_taken_once(
    keys: list[str], shards: int, refused: set[tuple[int, int]]
) -> None:
    fake = FakeKinesis(
        fake_shards(shards), refuses=lambda request, place: (request, place) in refused
    )
    # More attempts than requests that may refuse all of a lane.
    backoff = Backoff(attempts=8, sleep=lambda _: None)
    stream = stream_on(fake, pinned=["A", "B"], backoff=backoff)
    assert put(stream, keys) == len(keys)
    taken = [record for item in fake.shards for record in item.records]
    assert sorted(numbers(taken)) == list(range(len(keys)))
    for record in taken:
        assert record["PartitionKey"] == keys[int(record["Data"])]
    if not refused:
        for item in fake.shards:
            assert numbers(item.records) == sorted(numbers(item.records))


def test_a_shard_has_one_request_at_a_time_and_shards_go_beside_each_other() -> None:
    """So no request of a shard overtakes another; all four meet, or the barrier breaks."""
    fake = FakeKinesis(fake_shards(4))
    meet = threading.Barrier(4, timeout=120)
    under_way: dict[str, int] = defaultdict(int)
    overlapping: list[str] = []
    original = fake.put_records
    first = threading.local()

    def put_records(**asked: Any) -> dict[str, Any]:
        place = asked["Records"][0]["ExplicitHashKey"]
        under_way[place] += 1
        if under_way[place] > 1:
            overlapping.append(place)
        if not getattr(first, "met", False):
            first.met = True
            meet.wait()
        answer = original(**asked)
        under_way[place] -= 1
        return answer

    fake.put_records = put_records  # pyright: ignore[reportAttributeAccessIssue]
    stream = stream_on(fake, pinned=list("ABCD"))
    assert put(stream, list("ABCD") * 2000) == 8000
    assert overlapping == []
    for item in fake.shards:
        assert numbers(item.records) == sorted(numbers(item.records))


def test_a_lane_that_fails_ends_the_others_after_their_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeKinesis(fake_shards(4))
    stream = stream_on(fake, pinned=list("ABCD"))
    original = fake.put_records
    send_lane = Put._send_lane  # pyright: ignore[reportPrivateUsage]
    failed = threading.Event()

    def put_records(**asked: Any) -> dict[str, Any]:
        if asked["Records"][0]["PartitionKey"] == "A":
            raise AwsError("not allowed", code="AccessDeniedException")
        assert failed.wait(120)
        return original(**asked)

    def send(sending: Put, lane: Lane) -> None:
        try:
            send_lane(sending, lane)
        finally:
            failed.set()

    monkeypatch.setattr(Put, "_send_lane", send)

    fake.put_records = put_records  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(StreamError) as caught:
        put(stream, list("ABCD") * 25_000)
    taken = sum(len(item.records) for item in fake.shards)
    assert taken < 75_000
    assert f"{taken} were taken and {100_000 - taken} were not: not allowed" in str(caught.value)


def test_waits_grow_to_a_bound_and_are_drawn_from_nothing_on() -> None:
    drawn: list[tuple[float, float]] = []
    slept: list[float] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 2

    backoff = Backoff(base_seconds=0.1, cap_seconds=1.0, sleep=slept.append, uniform=draw)
    for failures in (1, 2, 3, 4, 5, 5000):
        backoff.wait(failures)
    assert drawn == [(0.0, bound) for bound in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0)]
    assert slept == [bound / 2 for _, bound in drawn]


# --- the stream ----------------------------------------------------------------------------------


def test_a_put_waits_for_a_stream_that_is_being_created() -> None:
    waits: list[float] = []
    fake = FakeKinesis(statuses=["CREATING", "CREATING", "ACTIVE"])
    stream = stream_on(fake, backoff=Backoff(sleep=waits.append))
    assert put(stream, ["A"]) == 1
    assert put(stream, ["A"]) == 1
    assert waits == [1.0, 1.0]


def test_a_stream_that_is_being_updated_takes_puts() -> None:
    assert put(stream_on(FakeKinesis(statuses=["UPDATING"])), ["A"]) == 1


def test_a_stream_that_goes_or_never_comes_is_one_clear_line() -> None:
    with pytest.raises(StreamError, match="the stream ticks is DELETING; when it is gone"):
        put(stream_on(FakeKinesis(statuses=["DELETING"])), ["A"])
    with pytest.raises(StreamError, match="the stream ticks is still being created after 300 s"):
        put(stream_on(FakeKinesis(statuses=["CREATING"])), ["A"])


def test_every_page_of_the_shards_is_read() -> None:
    fake = FakeKinesis(fake_shards(5), page_shards=2)
    listed = stream_on(fake).shards()
    assert [item.shard_id for item in listed] == [item.shard_id for item in fake.shards]
    asked = [arguments for name, arguments in fake.calls if name == "list_shards"]
    assert asked == [{"StreamName": "ticks"}, {"NextToken": "2"}, {"NextToken": "4"}]


# --- hot symbols ---------------------------------------------------------------------------------


def test_a_pinned_symbol_gets_the_middle_of_an_open_shard_from_the_end() -> None:
    shards = [shard(2, 12, 16), shard(0, 0, 8), shard(1, 8, 12)]
    unit = HASH_SPACE // 16
    assert pinned_hash_keys(["A", "B", "A", "C", "D"], shards) == {
        "A": 14 * unit,
        "B": 10 * unit,
        "C": 4 * unit,
        "D": 14 * unit,
    }
    assert pinned_shards(["A", "B"], shards) == {
        "A": "shardId-000000000002",
        "B": "shardId-000000000001",
    }
    assert pinned_hash_keys([], []) == {}


def test_a_closed_shard_gets_no_symbol() -> None:
    shards = [
        shard(0, 0, 16, is_open=False),
        shard(1, 0, 8, parents=(0,)),
        shard(2, 8, 16, parents=(0,)),
    ]
    assert list(pinned_shards(["A", "B", "C"], shards).values()) == [
        "shardId-000000000002",
        "shardId-000000000001",
        "shardId-000000000002",
    ]
    with pytest.raises(StreamError, match="no open shard"):
        pinned_shards(["A"], shards[:1])


@given(count=st.integers(1, 40), symbols=st.lists(st.text(min_size=1), max_size=60, unique=True))
def test_a_pinned_key_lies_in_the_shard_that_is_told(count: int, symbols: list[str]) -> None:
    listed = stream_on(FakeKinesis(fake_shards(count))).shards()
    by_id = {item.shard_id: item for item in listed}
    home = pinned_shards(symbols, listed)
    for symbol, value in pinned_hash_keys(symbols, listed).items():
        assert by_id[home[symbol]].first_hash <= value < by_id[home[symbol]].end_hash


# --- reads ---------------------------------------------------------------------------------------


def resharded() -> FakeKinesis:
    """One shard split in two, and those merged again, a key's records in all three generations."""
    fake = FakeKinesis()
    stream = stream_on(fake)
    put(stream, list("ABCDEFGH"))
    fake.shards[0].is_open = False
    halves = fake_shards(2)
    for number, half in enumerate(halves, 1):
        half.shard_id, half.parents = f"shardId-{number:012d}", (SHARD,)
    # As a list may have it: the youngest first.
    fake.shards = [*halves, *fake.shards]
    put(stream, list("ABCDEFGH"), first=8)
    for half in halves:
        half.is_open = False
    merged = FakeShard(
        "shardId-000000000003", parents=("shardId-000000000001", "shardId-000000000002")
    )
    fake.shards = [merged, *fake.shards]
    put(stream, list("ABCDEFGH"), first=16)
    return fake


def test_a_replay_reads_parents_before_children() -> None:
    fake = resharded()
    found = [
        (row["partitionKey"], int(row["data"]))
        for page in stream_on(fake).read_all(Earliest())
        for row in page.to_pylist()
    ]
    assert sorted(number for _, number in found) == list(range(24))
    for place, key in enumerate("ABCDEFGH"):
        assert [number for name, number in found if name == key] == [place, place + 8, place + 16]
    closed = [item.shard_id for item in stream_on(fake).shards() if not item.is_open]
    assert closed == [SHARD, "shardId-000000000001", "shardId-000000000002"]


def test_a_replay_begins_with_a_child_whose_parent_is_gone() -> None:
    fake = resharded()
    fake.shards = [item for item in fake.shards if item.shard_id != SHARD]
    found = [
        int(row["data"])
        for page in stream_on(fake).read_all(Earliest())
        for row in page.to_pylist()
    ]
    assert sorted(found) == list(range(8, 24))


@given(st.permutations(range(6)))
def test_shards_are_in_one_order_whatever_order_they_are_listed_in(order: list[int]) -> None:
    """A child may have a lower number than a parent; it never stands before it."""
    shards = [
        shard(5, 0, 16, is_open=False, parents=(9,)),
        shard(1, 0, 8, is_open=False, parents=(5,)),
        shard(2, 8, 16, is_open=False, parents=(5,)),
        shard(0, 0, 16, is_open=False, parents=(1, 2)),
        shard(3, 0, 8, parents=(0,)),
        shard(4, 8, 16, parents=(0,)),
    ]
    found = [item.shard_id[-1] for item in parents_first(shards[place] for place in order)]
    assert found == ["5", "1", "2", "0", "3", "4"]


def test_a_reshard_moves_the_pinned_symbol_with_the_put_after_it_was_seen() -> None:
    fake = FakeKinesis()
    stream = stream_on(fake, pinned=["A"])
    put(stream, ["A"])
    fake.shards[0].is_open = False
    halves = fake_shards(2)
    halves[0].shard_id, halves[1].shard_id = "shardId-000000000001", "shardId-000000000002"
    fake.shards += halves
    for _ in range(3):
        put(stream, ["A"])
    keys = [request[0]["ExplicitHashKey"] for request in fake.requests]
    assert keys == [str(HASH_SPACE // 2)] * 2 + [str(3 * HASH_SPACE // 4)] * 2
    assert sum(name == "list_shards" for name, _ in fake.calls) == 2


def test_a_read_that_never_catches_up_ends_where_the_shard_ended_at_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A producer that is as fast as the reader would keep it for ever."""
    fake = FakeKinesis(page_records=10, behind_ms=2000)
    stream = stream_on(fake)
    put(stream, ["A"] * 100)
    now_s = 1000.0

    def monotonic() -> float:
        nonlocal now_s
        now_s += 0.5
        return now_s

    for module in (kinesis, kinesis_read):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))
    pages = list(stream.read(SHARD, Earliest(), max_records=ALL))
    # Two seconds behind, and the margin of one, are over three seconds after the call.
    assert [page.num_rows for page in pages] == [10, 10, 10]


def test_a_read_from_an_instant_leaves_out_what_arrived_before_it() -> None:
    """This fake, as AWS may, gives earlier records, too."""
    fake = FakeKinesis(page_records=3)
    stream = stream_on(fake)
    put(stream, ["A"] * 10)
    arrival_us = int(ARRIVAL.timestamp() * 1_000_000)
    pages = stream.read(SHARD, AtTimestamp(arrival_us + 5_400), max_records=ALL)
    assert [int(value) for page in pages for value in page["data"].to_pylist()] == [
        4,
        5,
        6,
        7,
        8,
        9,
    ]


def test_the_call_of_a_read_looks_for_the_shard_and_not_its_first_record() -> None:
    with pytest.raises(StreamError, match="the stream ticks has no shard 'shard-0000'"):
        stream_on(FakeKinesis()).read("shard-0000", Earliest(), max_records=1)


def test_calls_for_a_shard_keep_below_five_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that goes on beside the waits would make them shorter.
    monkeypatch.setattr(kinesis_read, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    slept: list[float] = []
    fake = FakeKinesis(page_records=10)
    stream = stream_on(fake, backoff=Backoff(sleep=slept.append))
    put(stream, ["A"] * 30)
    list(stream.read(SHARD, Earliest(), max_records=ALL))
    assert len(slept) == 2
    assert all(0.1 < seconds <= 0.4 for seconds in slept)
