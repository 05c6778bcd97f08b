"""The market: one path per seed and symbol, whatever window of it is asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.event_time import MAX_EVENT_US, MIN_EVENT_US, US_PER_HOUR, US_PER_SECOND
from tick_pipeline.producer.instruments import MAX_SYMBOLS, instruments, tick_sizes
from tick_pipeline.producer.walk import STEADY, TREND, VOLATILE, Market, mean_activity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tick_pipeline.producer.walk import Trades

START = 1_790_000_000
START_US = START * US_PER_SECOND


def market_of(kind: str = STEADY, *, symbols: int = 3, seed: int = 1) -> Market:
    return Market(instruments(symbols), seed, [kind] * symbols)


def trades_of(market: Market, seconds: int, rate: float) -> Trades:
    end_us = START_US + seconds * US_PER_SECOND
    return market.trades(START_US, end_us, rate, mean_activity(START_US, end_us))


def returns_of(trades: Trades, symbol: int) -> NDArray[np.float64]:
    ticks = trades.price_ticks[trades.symbol == symbol]
    return np.diff(np.log(ticks))


def bare_market(kind: str = STEADY) -> Market:
    """One symbol without spread and with hardly any tick size: its trades lie on the path."""
    [traded] = instruments(1)
    return Market([replace(traded, spread_ticks=0.0, ticks_per_unit=10**9)], 1, [kind])


_SECOND = st.integers(MIN_EVENT_US // US_PER_SECOND, MAX_EVENT_US // US_PER_SECOND - 20_000)


@given(
    first=_SECOND,
    before=st.integers(0, 9000),
    length=st.integers(1, 5000),
    after=st.integers(0, 5000),
)
def test_any_window_shows_the_same_path(first: int, before: int, length: int, after: int) -> None:
    """A path is a function of time, not of where a run began."""
    market = market_of()
    inner = market.mid_prices(first + before, first + before + length)
    outer = market.mid_prices(first, first + before + length + after)
    assert np.array_equal(inner, outer[:, before : before + length + 1])


@settings(max_examples=30)
@given(cut=st.lists(st.integers(1, 20 * US_PER_SECOND - 1), max_size=5, unique=True))
def test_a_window_cut_into_parts_has_the_same_trades(cut: list[int]) -> None:
    market = market_of()
    whole = market.trades(START_US, START_US + 20 * US_PER_SECOND, 100, 1.0)
    edges = [START_US, *(START_US + at for at in sorted(cut)), START_US + 20 * US_PER_SECOND]
    parts = [market.trades(a, b, 100, 1.0) for a, b in pairwise(edges)]
    for name in ("symbol", "event_us", "price_ticks", "volume"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        symbol = np.concatenate([part.symbol for part in parts])
        assert np.array_equal(joined[np.argsort(symbol, kind="stable")], getattr(whole, name))


@pytest.mark.parametrize("kind", [STEADY, VOLATILE])
def test_inside_a_second_the_variance_of_a_return_grows_with_its_time(kind: str) -> None:
    """As that of whole seconds does; a straight line would make it grow with the time's square."""
    market = bare_market(kind)
    trades = trades_of(market, 2000, 1000)
    path, seconds = np.log(trades.price_ticks), trades.event_us / US_PER_SECOND
    whole = np.diff(np.log(market.mid_prices(START, START + 2000)[0])).var()
    for trades_apart in (40, 125, 500, 900):
        moves = path[trades_apart:] - path[:-trades_apart]
        elapsed = seconds[trades_apart:] - seconds[:-trades_apart]
        assert (moves**2).sum() / elapsed.sum() == pytest.approx(whole, rel=0.06)


def test_the_variance_of_a_seconds_return_is_in_proportion_to_its_bursts() -> None:
    """Trades and moves of a second are due to one clock; at a high rate its trades tell the time."""
    market, seconds = market_of(symbols=10), 6000
    trades = trades_of(market, seconds, 1000)
    moves = np.diff(np.log(market.mid_prices(START, START + seconds)))
    second = trades.event_us // US_PER_SECOND - START
    counts = np.bincount(trades.symbol * seconds + second, minlength=moves.size)
    # Against the ten minutes around, so that neither the hour nor a regime is counted as a burst.
    squares, counts = ((moves**2).reshape(100, 600), counts.reshape(100, 600))
    variance = squares / squares.mean(axis=1)[:, None]
    bursts = counts / counts.mean(axis=1)[:, None]
    for low, high in ((0.4, 0.6), (0.6, 0.9), (0.9, 1.1), (1.1, 1.4), (1.4, 1.6)):
        among = (low <= bursts) & (bursts < high)
        assert variance[among].mean() == pytest.approx(bursts[among].mean(), rel=0.08)


def test_a_return_from_trade_to_trade_moves_no_more_after_a_slow_second() -> None:
    """Fewer trades in a second that moves less: each one's return is as large as in a busy one."""
    trades = trades_of(bare_market(), 3000, 100)
    moves, second = np.diff(np.log(trades.price_ticks)), trades.event_us // US_PER_SECOND
    within, count = np.diff(second) == 0, np.bincount(second - START)[second[1:] - START]
    median = np.median(count)
    slow, busy = (moves[within & chosen].var() for chosen in (count < median, count > median))
    assert slow == pytest.approx(busy, rel=0.05)


def test_each_64_seconds_know_nothing_of_the_bursts() -> None:
    """They average out over a minute: its variance is that of the wall's clock."""
    path = np.log(market_of(symbols=10).mid_prices(START, START + 86_400))
    minutes = (np.diff(path[:, ::64]) ** 2).mean()
    assert minutes == pytest.approx(64 * (np.diff(path) ** 2).mean(), rel=0.05)


def test_the_path_inside_a_second_meets_the_full_seconds() -> None:
    market = bare_market()
    trades = trades_of(market, 600, 1000)
    second, rest_us = np.divmod(trades.event_us, US_PER_SECOND)
    price = trades.price_ticks / 1e9
    near = rest_us < 100
    expected = market.mid_prices(START, START + 600)[0][second - START]
    assert near.sum() > 30
    assert price[near] == pytest.approx(expected[near], rel=2e-5)
    assert price[~near] != pytest.approx(expected[~near], rel=2e-5)


def test_trades_of_another_rate_are_on_the_same_path_inside_a_second() -> None:
    """What a trade costs is a function of its instant: between its neighbours of a denser run."""
    sparse, dense = (trades_of(bare_market(), 60, rate) for rate in (40, 40_000))
    expected = np.interp(sparse.event_us, dense.event_us, dense.price_ticks)
    assert sparse.price_ticks == pytest.approx(expected, rel=1e-6)


def test_runs_of_other_rates_and_symbols_trade_on_the_same_path() -> None:
    few = market_of(symbols=1).mid_prices(START, START + 600)
    many = market_of(symbols=40).mid_prices(START, START + 600)
    assert np.array_equal(few[0], many[0])


def test_another_seed_is_another_path() -> None:
    assert not np.array_equal(
        market_of(seed=1).mid_prices(START, START + 60),
        market_of(seed=2).mid_prices(START, START + 60),
    )


def test_prices_stay_near_their_level_for_a_hundred_years() -> None:
    """No path drifts away or to zero, since independent anchors tie it down."""
    market = Market(instruments(MAX_SYMBOLS), 7, [VOLATILE] * MAX_SYMBOLS)
    level = np.array([item.price for item in instruments(MAX_SYMBOLS)])
    for second in range(MIN_EVENT_US // US_PER_SECOND, MAX_EVENT_US // US_PER_SECOND, 40_000_000):
        share = market.mid_prices(second, second + 1)[:, 0] / level
        assert 0.5 < share.min() < share.max() < 2


def test_trades_are_sorted_inside_the_window_and_have_a_price_and_a_volume() -> None:
    trades = trades_of(market_of(symbols=12), 300, 500)
    order = np.lexsort((trades.event_us, trades.symbol))
    assert np.array_equal(order, np.arange(len(order)))
    assert trades.event_us.min() >= START_US
    assert trades.event_us.max() < START_US + 300 * US_PER_SECOND
    assert trades.price_ticks.min() >= 1
    assert trades.volume.min() > 0


@pytest.mark.parametrize("rate", [0.5, 60, 20_000])
def test_the_rate_holds_in_the_mean(rate: float) -> None:
    seconds = 100 if rate > 1000 else 3000
    count = len(trades_of(market_of(symbols=10), seconds, rate).symbol)
    assert count == pytest.approx(rate * seconds, rel=0.1)


def test_a_day_is_busiest_at_the_open_and_the_close() -> None:
    """The U of a session: more trades at its ends than at noon, fewest at night."""
    market, day_us = market_of(), START_US - START_US % (24 * US_PER_HOUR)
    counts = {
        hour: len(
            market.trades(
                day_us + hour * US_PER_HOUR, day_us + (hour + 1) * US_PER_HOUR, 5, 1.0
            ).symbol
        )
        for hour in (3, 13, 17, 19)
    }
    assert counts[3] < counts[17] < min(counts[13], counts[19])


def test_volatile_moves_more_around_the_steady_path() -> None:
    steady, volatile = market_of(), market_of(VOLATILE)
    calm = np.diff(np.log(steady.mid_prices(START, START + 7200))).std(axis=1)
    wild = np.diff(np.log(volatile.mid_prices(START, START + 7200))).std(axis=1)
    assert (wild / calm > 2.5).all()
    distance = np.log(
        volatile.mid_prices(START, START + 7200) / steady.mid_prices(START, START + 7200)
    )
    assert np.abs(distance).max() < 0.05


def test_a_trend_drifts_by_three_percent_an_hour() -> None:
    ratio = np.log(
        market_of(TREND).mid_prices(START, START + 3600)
        / market_of().mid_prices(START, START + 3600)
    )
    slopes = np.abs(np.diff(ratio)) * 3600
    assert np.median(slopes) == pytest.approx(0.03, rel=1e-3)


def test_tails_are_fat_but_an_ordinary_day_raises_hardly_an_alarm() -> None:
    """At most one return in 20,000 is five deviations of the ten minutes around it away."""
    market, alarms, total = market_of(symbols=10), 0, 0
    trades = trades_of(market, 3 * 3600, 60)
    for symbol in range(10):
        returns = returns_of(trades, symbol)
        window = max(int(len(returns) / 18), 30)
        blocks = returns[: len(returns) // window * window].reshape(-1, window)
        alarms += int(
            (np.abs(blocks - blocks.mean(axis=1)[:, None]) > 5 * blocks.std(axis=1)[:, None]).sum()
        )
        total += blocks.size
    assert alarms <= total / 20_000


def test_volatility_comes_in_regimes() -> None:
    """Squared moves of neighbouring ten minutes are alike, those of other days are not."""
    moves = np.diff(np.log(market_of(symbols=10).mid_prices(START, START + 86_400 * 3)))
    levels = np.log(moves[:, : 432 * 600].reshape(10, 432, 600).std(axis=2))
    levels -= levels.mean(axis=1)[:, None]
    near = (levels[:, 1:] * levels[:, :-1]).mean() / levels.var()
    assert near > 0.5


def test_instruments_are_distinct_valid_and_always_the_same() -> None:
    names = [item.symbol for item in instruments(MAX_SYMBOLS)]
    assert len(set(names)) == MAX_SYMBOLS
    assert instruments(20) == instruments(MAX_SYMBOLS)[:20]
    assert tick_sizes(9)["BTC-USD"] == pytest.approx(0.1)
