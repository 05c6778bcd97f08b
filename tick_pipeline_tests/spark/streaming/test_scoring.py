"""The state of the stream's scorers: whatever the batches and restarts, the rows of each shard alone."""

# pandas' and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.errors import SparkJobError
from tick_pipeline.spark.streaming import scoring
from tick_pipeline.spark.streaming.records import RECORDS
from tick_pipeline.spark.streaming.scoring import StreamScoring
from tick_pipeline_tests.spark.streaming.shards import (
    RULES,
    cut,
    in_key_order,
    out_of_order,
    records_of,
    scored,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable

START_US = 1_780_000_000_000_000
RANDOMS = st.randoms(use_true_random=False)
SYMBOLS = (("AA", "AB"), ("BA",), ("CA", "CB", "CC"))


def begun(*, dense: bool = True) -> StreamScoring:
    """A state before the first record."""
    return StreamScoring(RULES, dense, lambda _: 0 if dense else -1)


def gone_on(state: StreamScoring) -> StreamScoring:
    """What a restart has of it."""
    again = begun(dense=state.dense)
    again.load(state.dump(), where="the state")
    return again


def shards(seed: int) -> list[pa.Table]:
    """Records of three shards, put out of order inside of the lateness."""
    rng = random.Random(seed)
    return [
        records_of(
            f"shard-{number:04d}",
            out_of_order(walk(START_US, seed + number, symbols), rng, within_seconds=9),
        )
        for number, symbols in enumerate(SYMBOLS)
    ]


def expected(seed: int) -> pa.Table:
    """Each shard's ticks scored as all there is."""
    return scored(*(walk(START_US, seed + number, names) for number, names in enumerate(SYMBOLS)))


@given(st.integers(0, 10_000), st.integers(1, 12), RANDOMS)
@settings(max_examples=12)
def test_order_does_not_matter(seed: int, pieces: int, rng: random.Random) -> None:
    """Segments delivered in any order, some again, and restarts between: the positions make the order."""
    segments = [piece for records in shards(seed) for piece in cut(records, rng, pieces)]
    segments += rng.sample(segments, k=rng.randrange(4) % len(segments))
    rng.shuffle(segments)
    state, found = begun(), []
    while segments:
        taken = segments[: rng.randrange(1, 5)]
        segments = segments[len(taken) :]
        found.append(state.advance(pa.concat_tables(taken)))
        if rng.random() < 0.3:
            state = gone_on(state)
    found.append(state.flush())
    assert in_key_order(pa.concat_tables(found)).equals(expected(seed))
    assert (state.total("late"), state.total("pending")) == (0, 0)
    assert state.records == sum(records.num_rows for records in shards(seed))
    assert all(sequence.held is None for sequence in state.sequences.values())


def test_the_walks_hold_anomalies_of_every_metric() -> None:
    found = expected(1)
    assert set(found["metric"].to_pylist()) == set(RULES.metrics)
    assert found.num_rows > 30


@given(st.integers(0, 10_000), RANDOMS)
@settings(max_examples=5)
def test_numbers_with_holes_are_scored_in_the_order_of_the_numbers(
    seed: int, rng: random.Random
) -> None:
    """As Kinesis's, of which nothing waits."""
    base = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
    state, found = begun(dense=False), []
    for records in shards(seed):
        numbers = [str(base + 7 * int(text)) for text in records["position"].to_pylist()]
        numbered = records.set_column(1, "position", pa.array(numbers))
        for piece in cut(numbered, rng, 4):
            order = rng.sample(range(piece.num_rows), piece.num_rows)
            found.append(state.advance(piece.take(pa.array(order, pa.int64()))))
            state = gone_on(state)
    found.append(state.flush())
    assert in_key_order(pa.concat_tables(found)).equals(expected(seed))


def test_held_records_outlast_a_restart() -> None:
    (records, *_) = shards(3)
    state = begun()
    state.advance(pa.concat_tables([records.slice(0, 50), records.slice(60)]))
    state = gone_on(gone_on(state))
    (sequence,) = state.sequences.values()
    assert sequence.hole == (51, 60)
    assert sequence.held is not None
    assert sequence.held.equals(records.slice(60).combine_chunks())
    state.advance(records.slice(50, 10))
    assert (sequence.held, sequence.last) == (None, records.num_rows)


def gone_up_to(last: int) -> Callable[[str, int], bool]:
    """A stream that has dropped these positions."""
    return lambda _, position: position <= last


def test_a_hole_is_given_up_only_once_the_stream_has_dropped_it() -> None:
    """Each of several; what is lost outlasts a restart."""
    (records, *_) = shards(4)
    state = begun()
    there = [records.slice(0, 20), records.slice(25, 5), records.slice(40)]
    found = [state.advance(pa.concat_tables(there))]
    assert state.skip_holes(gone_up_to(0)).num_rows == 0
    found.append(state.skip_holes(gone_up_to(25)))
    (sequence,) = state.sequences.values()
    assert (sequence.hole, sequence.lost) == ((31, 40), 5)
    state = gone_on(state)
    found += [state.skip_holes(gone_up_to(1000)), state.flush()]
    (sequence,) = state.sequences.values()
    assert (sequence.hole, sequence.lost) == (None, 15)
    without = begun()
    numbered = pa.concat_tables(there)
    dense = [str(number) for number in range(1, numbered.num_rows + 1)]
    alike = [without.advance(numbered.set_column(1, "position", pa.array(dense))), without.flush()]
    assert in_key_order(pa.concat_tables(found)).equals(in_key_order(pa.concat_tables(alike)))


def test_a_shard_whose_oldest_records_were_dropped_meanwhile_begins_with_those_that_were_read() -> (
    None
):
    (records, *_) = shards(5)
    state = StreamScoring(RULES, dense=True, first=lambda _: 90)
    state.advance(records.slice(10, 50))
    (sequence,) = state.sequences.values()
    assert (state.records, sequence.last, sequence.lost) == (50, 60, 0)


def test_no_records_are_no_rows() -> None:
    state = begun()
    assert state.advance(RECORDS.empty_table()).num_rows == 0
    assert state.flush().num_rows == 0
    assert gone_on(state).sequences == {}


def test_a_state_of_another_version_names_both_and_a_way_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = begun().dump()
    monkeypatch.setattr(scoring, "STATE_VERSION", 9)
    told = refusal(old)
    assert "is of version 1, this job needs 9" in told


@pytest.mark.parametrize(
    "other",
    [{"window_minutes": 2}, {"metrics": ("price",)}, {"lateness_seconds": 11}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_state_of_other_rules_names_both_and_two_ways_on(other: dict[str, object]) -> None:
    old = StreamScoring(replace(RULES, **other), dense=True, first=lambda _: 0)  # pyright: ignore[reportArgumentType]
    told = refusal(old.dump())
    assert RULES.state_key in told
    assert old.rules.state_key in told
    assert "set them back, or" in told


def test_other_thresholds_go_on_with_a_state() -> None:
    """What is kept does not depend on them."""
    state = begun()
    state.advance(shards(1)[0])
    other = StreamScoring(replace(RULES, threshold=3.0, min_samples=9), True, lambda _: 0)
    other.load(state.dump(), where="the state")
    assert other.records == state.records


@given(st.data())
@settings(max_examples=60)
def test_damaged_bytes_are_one_clear_line(data: st.DataObject) -> None:
    """Cut, added to, or with any byte changed."""
    whole = some_state()
    place = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["cut", "changed", "longer", "any"]))
    damaged = {
        "cut": whole[:place],
        "changed": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :],
        "longer": whole + b"\0",
        "any": data.draw(st.binary(max_size=100)),
    }[kind]
    assert "is damaged" in refusal(damaged)


def refusal(state: bytes) -> str:
    """What is said of a state that cannot be gone on with; the state in use stays as it is."""
    mine = begun()
    with pytest.raises(SparkJobError) as caught:
        mine.load(state, where="the state after micro-batch 7")
    told = str(caught.value)
    assert told.startswith("the state after micro-batch 7 ")
    assert "anomalies start --new-checkpoint" in told
    assert "\n" not in told
    assert (mine.batch, mine.sequences) == (-1, {})
    return told


@cache
def some_state() -> bytes:
    """Of a shard with records that wait."""
    state = begun()
    (records, *_) = shards(2)
    state.advance(pa.concat_tables([records.slice(0, 50), records.slice(60)]))
    return state.dump()
