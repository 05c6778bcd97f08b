"""Figures as people read them."""

from __future__ import annotations

import pytest

from tick_pipeline.report import words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\u2013"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (1_616_557, "1.54 MiB"),
        (3 << 40, "3 TiB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(number: float | None, text: str) -> None:
    assert words.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "\u2013"),
        (0.0004, "0 ms"),
        (0.0274, "27 ms"),
        (0.274, "0.27 s"),
        (8.874, "8.9 s"),
        (84.2, "84 s"),
        (7200, "120 min"),
    ],
)
def test_seconds_have_no_more_digits_than_a_clock_knows(number: float | None, text: str) -> None:
    assert words.seconds(number) == text


def test_counts_are_grouped_by_thousands() -> None:
    assert (words.count(1_234_567), words.count(None)) == ("1,234,567", "\u2013")


@pytest.mark.parametrize(
    ("larger", "smaller", "text"),
    [(100, 90, "10 %"), (100, 50, "50 %"), (100, 10, "10\u00d7"), (5, 0, "100 %")],
)
def test_a_difference_is_a_share_or_how_often(larger: float, smaller: float, text: str) -> None:
    assert words.less(larger, smaller) == text


def test_instants_are_utc_without_a_zone() -> None:
    assert words.moment(1_772_355_600_000_000) == "2026-03-01 09:00:00"
    assert words.hour(1_772_355_600_000_000) == "2026-03-01 09:00"
    assert words.moment(None) == "\u2013"
