"""Minutes without a candle are sorted by what raw and the error prefix have around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, now_us
from tick_pipeline.resources.landing import LocalLanding
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.sessions.coverage import SymbolCoverage
from tick_pipeline.sessions.measure import measure_coverage
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.sessions.quiet import HOUR_US, MODES, quiet_home

if TYPE_CHECKING:
    from tick_pipeline.home import Home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quiet_home(tmp_path_factory.mktemp("quiet") / "home")


def measured(
    home: Home, mode: StorageMode, *, calendar: str = "24/7", closed_us: int | None = None
) -> dict[str, SymbolCoverage]:
    settings = load_settings(home=home.path, _env_file=None)
    found = measure_coverage(
        LocalQueryEngine(home, settings),
        LocalLanding(home, settings),
        mode,
        HOUR_US,
        HOUR_US + US_PER_HOUR,
        calendar=calendar,
        closed_us=closed_us or now_us(),
    )
    return {symbol.symbol: symbol for symbol in found.symbols}


def of_hour(part: range) -> range:
    """A range as minutes of the hour."""
    first = HOUR_US // US_PER_MINUTE
    return range(part.start - first, part.stop - first)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_minute_without_a_candle_is_no_trade_or_lost_by_what_is_around_it(
    home: Home, mode: StorageMode
) -> None:
    found = measured(home, mode)
    assert list(found) == ["BUSY", "CALM", "GAP", "RARE"]
    assert found["BUSY"] == SymbolCoverage("BUSY", traded=60, no_trade=0, lost=(), outside=0)
    assert found["CALM"] == SymbolCoverage("CALM", traded=0, no_trade=60, lost=(), outside=0)
    assert [of_hour(part) for part in found["GAP"].lost] == [range(11, 40)]
    assert (found["GAP"].traded, found["GAP"].no_trade) == (31, 0)
    assert [of_hour(part) for part in found["RARE"].lost] == [range(20, 21), range(30, 31)]
    assert (found["RARE"].traded, found["RARE"].no_trade) == (31, 27)


def test_while_the_market_is_closed_nothing_is_missing(home: Home) -> None:
    """It is a Sunday."""
    found = measured(home, StorageMode.ICEBERG, calendar="XNYS")
    assert {symbol.no_trade + symbol.lost_minutes for symbol in found.values()} == {0}
    assert found["BUSY"].outside == 60


def test_minutes_that_may_still_land_are_not_judged(home: Home) -> None:
    closed_us = HOUR_US + 15 * US_PER_MINUTE + 1
    found = measured(home, StorageMode.ICEBERG, closed_us=closed_us)
    assert (found["GAP"].traded, found["GAP"].lost_minutes) == (11, 4)
    before = measured(home, StorageMode.ICEBERG, closed_us=HOUR_US - 1)
    assert {symbol.traded for symbol in before.values()} <= {0}
