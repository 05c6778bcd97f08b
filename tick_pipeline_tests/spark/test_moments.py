"""Windows of buckets have the moments of the values in them."""

# numpy's element types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.spark.moments import Buckets, bucketed, window_moments

if TYPE_CHECKING:
    from numpy.typing import NDArray


def buckets_of(symbol: NDArray[Any], second: NDArray[Any], value: NDArray[Any]) -> Buckets:
    """Buckets of values that lie side by side."""
    changes = (np.diff(second) != 0) | (np.diff(symbol) != 0)
    return bucketed(symbol, second, value, np.flatnonzero(np.concatenate(([True], changes))))


def sample(seed: int, rows: int, seconds: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Values of three symbols by symbol and second."""
    rng = np.random.default_rng(seed)
    symbol, second = rng.integers(0, 3, rows), rng.integers(0, seconds, rows)
    order = np.lexsort((second, symbol))
    return symbol[order], second[order] + 1_780_000_000, rng.normal(1e6, 1.0, rows)


@given(st.integers(0, 10_000), st.integers(1, 700), st.sampled_from([1, 50, 900, 20_000]))
@settings(max_examples=40)
def test_a_window_has_the_moments_of_its_values(seed: int, window: int, seconds: int) -> None:
    symbol, second, value = sample(seed, 400, seconds)
    buckets = buckets_of(symbol, second, value)
    found = window_moments(buckets, buckets.symbol, buckets.second, window)
    for place in range(0, len(buckets.symbol), 7):
        end = buckets.second[place]
        inside = (symbol == buckets.symbol[place]) & (second < end) & (second >= end - window)
        count, mean, m2 = (column[place] for column in found)
        assert count == inside.sum()
        if count:
            assert mean == pytest.approx(value[inside].mean(), rel=1e-14)
            assert m2 == pytest.approx(value[inside].var() * count, rel=1e-8, abs=1e-18)
        else:
            assert (mean, m2) == (0, 0)


@given(st.integers(0, 10_000), st.integers(0, 399))
@settings(max_examples=30)
def test_a_window_is_the_same_to_the_last_bit_whatever_is_computed_with_it(
    seed: int, alone: int
) -> None:
    symbol, second, value = sample(seed, 400, 900)
    buckets = buckets_of(symbol, second, value)
    together = window_moments(buckets, buckets.symbol, buckets.second, 600)
    place = alone % len(buckets.symbol)
    one = slice(place, place + 1)
    recent = buckets.where(buckets.second >= buckets.second[place] - 600)
    single = window_moments(recent, buckets.symbol[one], buckets.second[one], 600)
    assert [column[place] for column in together] == [column[0] for column in single]


def test_many_symbols_over_a_long_time_fit_into_blocks() -> None:
    """More cells than one block holds, in both directions."""
    symbol = np.repeat(np.arange(60), 40)
    second = np.tile(np.arange(40) * 500, 60)
    buckets = buckets_of(symbol, second, np.ones(len(symbol)))
    found = window_moments(buckets, symbol, second, 1200)
    assert found.number.tolist() == [min(index, 2) for index in range(40)] * 60
