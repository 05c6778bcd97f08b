"""A shard's records come out in sequence order, each once, whatever order they went in."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.spark.streaming.sequence import ShardSequence

if TYPE_CHECKING:
    import random

_SCHEMA = pa.schema([("position", pa.string()), ("value", pa.string())])
#: As long as Kinesis's: 56 digits, which no integer of Arrow's holds.
KINESIS = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
RANDOMS = st.randoms(use_true_random=False)


def records(positions: list[int]) -> pa.Table:
    """Records with nothing but their position, and a value that tells them apart."""
    texts = [str(position) for position in positions]
    return pa.table([texts, [f"of {text}" for text in texts]], schema=_SCHEMA)


def positions_of(table: pa.Table | None) -> list[int]:
    """What came out; each record must still be whole."""
    if table is None:
        return []
    rows = table.to_pylist()
    assert all(row["value"] == f"of {row['position']}" for row in rows)
    return [int(row["position"]) for row in rows]


def batches_of(rng: random.Random, positions: list[int]) -> list[list[int]]:
    """All of them, some again, in any order, cut into any batches."""
    dealt = positions + rng.choices(positions, k=rng.randrange(5)) if positions else []
    rng.shuffle(dealt)
    cuts = sorted(rng.choices(range(len(dealt) + 1), k=rng.randrange(6)))
    return [dealt[a:b] for a, b in zip([0, *cuts], [*cuts, len(dealt)], strict=True)]


@given(st.integers(0, 40), st.integers(0, 10**12), RANDOMS)
@settings(max_examples=150)
def test_a_dense_shard_comes_out_in_order_whatever_its_batches(
    number: int, last: int, rng: random.Random
) -> None:
    sequence = ShardSequence(last, dense=True)
    wanted = list(range(last + 1, last + 1 + number))
    found: list[int] = []
    for batch in batches_of(rng, wanted):
        found += positions_of(sequence.accept(records(batch)))
        assert found == wanted[: len(found)]
        assert sequence.last == last + len(found)
    assert found == wanted
    assert (sequence.held, sequence.hole, sequence.lost) == (None, None, 0)


@given(st.sets(st.integers(1, 60), max_size=50), RANDOMS)
@settings(max_examples=150)
def test_what_follows_a_hole_waits_until_it_is_filled_or_skipped(
    there: set[int], rng: random.Random
) -> None:
    """Held are exactly the records beyond the first hole; each skip counts what the hole lacks."""
    sequence = ShardSequence(0, dense=True)
    found: list[int] = []
    for batch in batches_of(rng, sorted(there)):
        found += positions_of(sequence.accept(records(batch)))
    through = next(position for position in range(62) if position + 1 not in there)
    beyond = sorted(position for position in there if position > through)
    assert found == list(range(1, through + 1))
    assert positions_of(sequence.held) == beyond
    while sequence.hole is not None:
        first, last = sequence.hole
        assert not there & set(range(first, last + 1))
        before = sequence.lost
        found += positions_of(sequence.skip_hole())
        assert sequence.lost - before == last - first + 1
    assert found == sorted(there)
    assert sequence.lost == max(there, default=0) - len(there)


def test_a_filled_hole_lets_all_that_waited_through() -> None:
    sequence = ShardSequence(10, dense=True)
    assert positions_of(sequence.accept(records([13, 14, 12]))) == []
    assert sequence.hole == (11, 11)
    assert positions_of(sequence.accept(records([11]))) == [11, 12, 13, 14]
    assert positions_of(sequence.accept(records([11, 12, 13, 14]))) == []
    assert (sequence.last, sequence.lost) == (14, 0)


def test_what_comes_after_its_hole_was_skipped_is_dropped() -> None:
    sequence = ShardSequence(0, dense=True)
    sequence.accept(records([3]))
    assert positions_of(sequence.skip_hole()) == [3]
    assert positions_of(sequence.accept(records([1, 2, 4]))) == [4]
    assert sequence.lost == 2


def test_no_records_change_nothing() -> None:
    for dense in (True, False):
        sequence = ShardSequence(5, dense=dense)
        assert positions_of(sequence.accept(records([]))) == []
        assert (sequence.last, sequence.held) == (5, None)


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=30), st.integers(1, 5), RANDOMS)
@settings(max_examples=100)
def test_numbers_with_holes_come_out_in_order_each_once(
    numbers: set[int], batches: int, rng: random.Random
) -> None:
    """Kinesis numbers with 56 digits and gives a shard in order, batch by batch, some again."""
    wanted = sorted(KINESIS + number for number in numbers)
    sequence = ShardSequence(-1, dense=False)
    found: list[int] = []
    cuts = sorted(rng.choices(range(len(wanted) + 1), k=batches))
    for start, end in zip([0, *cuts], [*cuts, len(wanted)], strict=True):
        batch = wanted[max(0, start - rng.randrange(3)) : end]
        rng.shuffle(batch)
        found += positions_of(sequence.accept(records(batch + batch[:1])))
        assert (sequence.held, sequence.hole) == (None, None)
    assert found == wanted
    assert (sequence.last, sequence.lost) == (wanted[-1], 0)


def test_numbers_of_other_lengths_compare_as_numbers() -> None:
    sequence = ShardSequence(-1, dense=False)
    assert positions_of(sequence.accept(records([10, 9, KINESIS, 0]))) == [0, 9, 10, KINESIS]
    assert positions_of(sequence.accept(records([11, KINESIS + 1]))) == [KINESIS + 1]
