"""Fixtures: a HOME of two hours in both modes without landing or Spark, told to Dagster, and its report."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.history import read_history
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.reports import report_candles
from tick_pipeline.report import asking
from tick_pipeline.report.make import default_page, make_report
from tick_pipeline.report.measure import Sources
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.spark.report import OhlcReport
from tick_pipeline.storage import DEFAULT_LOAD_DATA_MODE, StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    anomaly,
    candles_of,
    land,
    store_anomalies,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.report.comparison import Comparison

MODES = tuple(StorageMode)
HOURS = 2


@dataclass(frozen=True)
class Reported:
    """A HOME, what its report measured, and the page."""

    settings: Settings
    comparison: Comparison
    page: Path


def open_sources(settings: Settings) -> Sources:
    """Where a report's figures come from."""
    deployment = open_deployment(settings)
    with open_instance(deployment.home, settings) as instance:
        history = read_history(instance)
    return Sources(
        settings,
        deployment.query_engine(),
        deployment.tables(),
        deployment.landing(),
        history,
    )


def ohlc_report(mode: StorageMode, ticks: int, **changes: Any) -> OhlcReport:
    """What the candle job says of both hours."""
    told: dict[str, Any] = {
        "storage_mode": mode.value,
        "load_data_mode": DEFAULT_LOAD_DATA_MODE[mode].value,
        "start_us": START_US,
        "end_us": START_US + HOURS * US_PER_HOUR,
        "rows": ticks,
        "invalid": 0,
        "duplicates": 0,
        "files": HOURS,
        "bytes": 10_000,
        "partitions": HOURS,
        "requests": 4,
        "read_seconds": 1.25,
        "tasks": 4,
        "task_seconds_median": 0.1,
        "task_seconds_max": 0.2,
        "spill_bytes": 0,
        "shuffle_bytes": 0,
        "seconds": 3.5,
        "invalid_by_rule": {},
        "conflicting_duplicates": 0,
        "shared_instants": 0,
        "candles": {"1m": 240, "5m": 48},
    }
    return OhlcReport(**told | changes)


def market() -> list[dict[str, Any]]:
    """Two hours of two symbols, a tick every four seconds; every hundredth is sent 90 seconds late."""
    chance = random.Random(5)
    found: list[dict[str, Any]] = []
    for symbol in ("AAA", "B/B"):
        price = 100.0
        for number in range(1, HOURS * 900 + 1):
            price = round(price + chance.gauss(0, 0.01), 2)
            record = tick(symbol, 4 * number - 2, number, price=price)
            record["sent_ts"] += 90_000_000 if number % 100 == 0 else 50_000
            found.append(record)
    return found


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Tests only read it."""
    settings = load_settings(home=tmp_path_factory.mktemp("reported") / "home", _env_file=None)
    home = open_deployment(settings).home
    ticks = market()
    land(home, ticks, MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(home, timeframe, candles_of(ticks, minutes), MODES)
    odd = [record for record in ticks if record["symbol"] == "AAA"]
    store_anomalies(home, [anomaly(odd[1500], zscore=9.5), anomaly(odd[1600])], MODES)
    runs = [ohlc_report(mode, len(ticks)) for mode in MODES]
    report_candles(home, settings, runs, {mode: Mark(f"{mode}.raw", 0) for mode in MODES})
    page = default_page(settings)
    with pytest.MonkeyPatch.context() as patch:
        # Every query runs as often as it should, however slow it is.
        patch.setattr(asking, "_LONG_SECONDS", 1e9)
        return Reported(settings, make_report(open_sources(settings), page), page)
