"""Shards of a stream: by what is written, in bytes and records, and by what all readers take."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.costs.shards import find_hot_symbols, shards_for
from tick_pipeline.errors import InputError

rates = st.decimals(0, 10**7, places=3)
sizes = st.integers(0, 1 << 20)


@pytest.mark.parametrize(
    ("records_per_second", "record_bytes", "readers", "shards", "decided_by"),
    [
        (12_000, 8_000, 2, 96, ("bytes", "reading")),
        (5_000, 3_000, 1, 15, ("bytes",)),
        (5_000, 3_000, 4, 30, ("reading",)),
        # Small records: their number decides.
        (5_000, 100, 3, 5, ("records",)),
        (1_000, 1_000, 2, 1, ("bytes", "records", "reading")),
        (1_001, 1, 1, 2, ("records",)),
        # A stream without a record has a shard.
        (0, 0, 3, 1, ()),
        (0.5, 200, 3, 1, ("bytes", "records", "reading")),
    ],
)
def test_the_narrowest_limit_decides(
    records_per_second: float,
    record_bytes: int,
    readers: int,
    shards: int,
    decided_by: tuple[str, ...],
) -> None:
    found = shards_for(Decimal(str(records_per_second)), record_bytes, readers=readers)
    assert (found.needed, found.decided_by) == (shards, decided_by)


def test_three_readers_share_the_shards_unless_told_otherwise() -> None:
    assert shards_for(Decimal(5_000), 3_000).by_reading == 23


def test_headroom_is_a_fraction_of_the_load() -> None:
    assert shards_for(Decimal(12_000), 8_000, readers=2, headroom=Decimal("0.25")).needed == 120


@pytest.mark.parametrize(
    ("record_bytes", "units"), [(0, 0), (1, 1), (25_000, 1), (25_001, 2), (64_000, 3)]
)
def test_a_put_unit_has_25_kilobytes(record_bytes: int, units: int) -> None:
    found = shards_for(Decimal(10), record_bytes)
    assert (found.put_units_per_record, found.put_units_per_second) == (units, units * 10)


@given(rate=rates, more=rates, size=sizes, readers=st.integers(1, 20))
def test_shards_carry_their_load_and_grow_with_it(
    rate: Decimal, more: Decimal, size: int, readers: int
) -> None:
    found = shards_for(rate, size, readers=readers)
    assert rate <= found.needed * 1_000
    assert rate * size <= found.needed * 1_000_000
    assert rate * size * readers <= found.needed * 2_000_000
    fewer = found.needed - 1
    assert (
        not fewer
        or rate > fewer * 1_000
        or rate * size > fewer * 1_000_000
        or rate * size * readers > fewer * 2_000_000
    )
    assert shards_for(rate + more, size, readers=readers).needed >= found.needed
    assert shards_for(rate, size, readers=readers + 1).needed >= found.needed


def test_a_symbol_that_one_shard_cannot_carry_is_hot() -> None:
    """A partition key lies in one shard, however many there are."""
    shares = {"AAPL": Decimal("0.2"), "MSFT": Decimal("0.01"), "TSLA": Decimal("0.3")}
    hot = find_hot_symbols(shares, Decimal(10_000), 100, readers=3)
    assert [(item.symbol, item.shards) for item in hot] == [("TSLA", 3.0), ("AAPL", 2.0)]


@given(rate=rates, size=sizes, readers=st.integers(1, 20))
def test_the_largest_share_is_the_last_that_is_not_hot(
    rate: Decimal, size: int, readers: int
) -> None:
    largest = Decimal(str(shards_for(rate, size, readers=readers).largest_share))
    below = {"AAPL": largest * Decimal("0.999999")}
    assert find_hot_symbols(below, rate, size, readers) == ()
    if largest < Decimal("0.99"):
        above = {"AAPL": largest * Decimal("1.000001")}
        assert find_hot_symbols(above, rate, size, readers)


@pytest.mark.parametrize(
    ("shares", "complaint"),
    [
        ({"AAPL": Decimal("1.5")}, "AAPL=1.5"),
        ({"AAPL": Decimal("-0.1")}, "AAPL=-0.1"),
        ({"AAPL": Decimal("NaN")}, "AAPL=NaN"),
        ({"AAPL": Decimal("0.6"), "MSFT": Decimal("0.6")}, "together they are 1.2"),
    ],
)
def test_shares_are_fractions_of_the_whole(shares: dict[str, Decimal], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        find_hot_symbols(shares, Decimal(1), 1, 1)
