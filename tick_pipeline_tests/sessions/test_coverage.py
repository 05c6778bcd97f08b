"""Each minute of a window is of one class."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.sessions.coverage import SymbolCoverage, classify

WINDOW = range(100, 160)
SESSIONS = [range(90, 120), range(130, 150)]


def one(
    candles: list[range], missing: list[range] | None = None, sessions: list[range] | None = None
) -> SymbolCoverage:
    found = classify(WINDOW, sessions or SESSIONS, {"A": candles}, {"A": missing or []})
    (symbol,) = found.symbols
    return symbol


def test_a_window_has_minutes_in_session_and_minutes_in_which_the_market_is_closed() -> None:
    found = classify(WINDOW, SESSIONS, {}, {})
    assert (found.in_session, found.market_closed, found.symbols) == (40, 20, ())


def test_a_candle_in_every_minute_of_the_sessions_leaves_nothing_to_tell() -> None:
    symbol = one([range(90, 120), range(130, 150)])
    assert symbol == SymbolCoverage("A", traded=40, no_trade=0, lost=(), outside=0)


def test_a_minute_without_a_candle_is_no_trade_unless_ticks_are_missing_around_it() -> None:
    symbol = one([range(100, 105), range(110, 120)], missing=[range(106, 108)])
    assert symbol.traded == 15
    assert symbol.no_trade == 3 + 20
    assert symbol.lost == (range(106, 108),)
    assert symbol.lost_minutes == 2


def test_missing_ticks_where_there_is_a_candle_or_no_session_lose_no_minute() -> None:
    symbol = one([range(100, 120)], missing=[range(102, 104), range(120, 130)])
    assert symbol.lost == ()
    assert symbol.no_trade == 20


def test_a_range_that_a_break_divides_is_lost_in_two_parts() -> None:
    assert one([], missing=[range(95, 135)]).lost == (range(100, 120), range(130, 135))


def test_candles_while_the_market_is_closed_are_told_apart() -> None:
    symbol = one([range(118, 132)])
    assert (symbol.traded, symbol.outside) == (4, 10)


def test_what_another_symbol_misses_does_not_count() -> None:
    found = classify(WINDOW, SESSIONS, {"A": [], "B": []}, {"B": [range(100, 110)]})
    assert [symbol.lost_minutes for symbol in found.symbols] == [0, 10]
    assert [symbol.no_trade for symbol in found.symbols] == [40, 30]


parts = st.lists(
    st.tuples(st.integers(0, 70), st.integers(0, 30)).map(lambda p: range(p[0], p[0] + p[1])),
    max_size=5,
)


@given(parts, parts, parts)
def test_every_minute_is_sorted_as_minute_by_minute(
    sessions: list[range], candles: list[range], missing: list[range]
) -> None:
    window = range(10, 65)
    opened, traded, gone = (
        {minute for part in ranges for minute in part if minute in window}
        for ranges in (sessions, candles, missing)
    )
    found = classify(window, sessions, {"A": candles}, {"A": missing})
    (symbol,) = found.symbols
    lost = [minute for part in symbol.lost for minute in part]
    assert found.in_session == len(opened)
    assert found.market_closed == len(set(window) - opened)
    assert lost == sorted((opened - traded) & gone)
    assert symbol.no_trade == len(opened - traded - gone)
    assert symbol.traded == len(opened & traded)
    assert symbol.outside == len(traded - opened)
    assert all(
        one.stop < other.start for one, other in zip(symbol.lost, symbol.lost[1:], strict=False)
    )
