"""Fixtures: a small warehouse of two symbols, its picture, and an engine over it."""

# pandas has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.plots.load import Wanted, load_picture
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    anomaly,
    candles_of,
    land,
    store_anomalies,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.plots.picture import Picture

MODES = tuple(StorageMode)


@pytest.fixture(scope="session")
def market() -> list[dict[str, Any]]:
    """Forty minutes of two symbols: a walk of one tick every two seconds, with two jumps of AAA."""
    chance = random.Random(3)
    found: list[dict[str, Any]] = []
    for symbol in ("AAA", "B/B"):
        price = 100.0
        for number in range(1, 1201):
            price += chance.gauss(0, 0.01)
            jump = 0.5 if symbol == "AAA" and number in (700, 1000) else 0.0
            found.append(tick(symbol, 2 * number, number, price=round(price + jump, 2)))
    return found


@pytest.fixture(scope="session")
def drawn_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the HOME to draw from."""
    return load_settings(home=tmp_path_factory.mktemp("drawn") / "home", _env_file=None)


@pytest.fixture(scope="session")
def drawn_home(drawn_settings: Settings, market: list[dict[str, Any]]) -> Home:
    """A HOME with the ticks, their candles, three anomalies of AAA and one of B/B; tests only read it."""
    home = open_home(drawn_settings)
    land(home, market, MODES)
    store_candles(home, "1m", candles_of(market), MODES)
    of_aaa = [record for record in market if record["symbol"] == "AAA"]
    rows = [
        anomaly(of_aaa[699], metric="return", value=0.005, zscore=41.5, sample_count=299),
        anomaly(of_aaa[700], metric="return", value=-0.005, zscore=-40.25, sample_count=298),
        anomaly(of_aaa[999], metric="price", value=100.5, zscore=7.75, sample_count=300),
        anomaly(market[1300]),
    ]
    store_anomalies(home, rows, MODES)
    return home


@pytest.fixture(scope="session")
def drawn_engine(drawn_home: Home, drawn_settings: Settings) -> LocalQueryEngine:
    """An engine over it."""
    return LocalQueryEngine(drawn_home, drawn_settings)


@pytest.fixture(scope="session")
def picture(drawn_engine: LocalQueryEngine) -> Picture:
    """What is shown without any wish."""
    return load_picture(drawn_engine, StorageMode.ICEBERG, Wanted(), ScoringRules())
