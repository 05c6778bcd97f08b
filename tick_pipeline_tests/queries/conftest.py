"""Fixtures: a HOME whose tables hold three hours of ticks, candles and anomalies, and an engine over it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    anomaly,
    candles_of,
    distinct_ticks,
    land,
    store_anomalies,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from tick_pipeline.home import Home

MODES = tuple(StorageMode)


@pytest.fixture(scope="session")
def ticks() -> list[dict[str, Any]]:
    """Three hours of four symbols: ties, copies, conflicting copies, zero volume, late and invalid ones."""
    chance = random.Random(7)
    found: list[dict[str, Any]] = []
    for symbol, step_seconds in (("AAA", 7.3), ("BBB", 31.0), ("CCC", 60.0), ("DDD", 400.5)):
        count = int(10_800 / step_seconds)
        for number in range(1, count + 1):
            seconds = (number - 1) * step_seconds
            price = round(100 + chance.gauss(0, 2), 2)
            late_us = 90_000_000 if number % 50 == 0 else 0
            record = tick(symbol, seconds, number, price=price, volume=float(chance.randint(0, 9)))
            found.append(record | {"sent_ts": record["event_ts"] + late_us})
    # Ties on the time, told apart by sequence, then by id alone.
    found += [tick("TIE", 30, number, price=50.0 + number) for number in (3, 1, 2)]
    found += [tick("TIE", 90, 4, event_id=f"tie-{letter}", price=60.0) for letter in "ba"]
    found += [tick("TIE", 90, 4, event_id="tie-c", price=61.0)]
    # Volume 0: no vwap.
    found += [tick("ZERO", 10, 1, volume=0.0)]
    copies = [record.copy() for record in chance.sample(found[:1000], 40)]
    conflicting = [found[5] | {"price": 1.0}, found[6] | {"price": 999.0, "sequence": 999_999}]
    reused = [tick("AAA", 2.5, 5_000_000, event_id=found[0]["event_id"])]
    invalid = [
        tick("BAD", 20, 1, price=-1.0),
        tick("no blank", 21, 2),
        tick("BAD", 22, 3, volume=None),
        tick("BAD", 23, 4, event_time="2026-03-01 09:00:23.000000Z"),
        tick("BAD", 24, 5, price=float("nan")),
    ]
    found += copies + conflicting + reused + invalid
    chance.shuffle(found)
    return found


@pytest.fixture(scope="session")
def filled_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the filled HOME."""
    return load_settings(home=tmp_path_factory.mktemp("filled") / "home", _env_file=None)


@pytest.fixture(scope="session")
def filled_home(filled_settings: Settings, ticks: list[dict[str, Any]]) -> Home:
    """A HOME with the ticks and their candles in both storage modes; tests only read it.

    Every fortieth tick is an anomaly.
    """
    home = open_home(filled_settings)
    land(home, ticks, MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(home, timeframe, candles_of(ticks, minutes), MODES)
    anomalous = distinct_ticks(ticks).to_dict("records")[::40]
    store_anomalies(home, [anomaly(record) for record in anomalous], MODES)
    return home


@pytest.fixture(scope="session")
def filled(filled_home: Home, filled_settings: Settings) -> LocalQueryEngine:
    """An engine over the filled HOME."""
    return LocalQueryEngine(filled_home, filled_settings)


@pytest.fixture
def engine(home: Home, settings: Settings) -> LocalQueryEngine:
    """An engine over a HOME of the test's own, whose tables are empty."""
    return LocalQueryEngine(home, settings)
