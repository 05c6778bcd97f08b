"""Hypothesis's values all at once: a query of Spark's for each would take half a second."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_Value = TypeVar("_Value")


def drawn(strategy: st.SearchStrategy[_Value], number: int) -> list[_Value]:
    """That many values of a strategy; a test that fails names the value, which nothing shrinks."""
    found: list[_Value] = []

    @settings(
        max_examples=number,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(strategy)
    def draw(value: _Value) -> None:
        found.append(value)

    draw()
    return found
