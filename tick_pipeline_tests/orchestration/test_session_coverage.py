"""What a materialization and the check tell of minutes without a candle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, parse_instant
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.orchestration.session_coverage import coverage_told, session_metadata
from tick_pipeline.resources.landing import DeliveryPosition, LocalLanding
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.sessions.quiet import HOUR_US, quiet_home

if TYPE_CHECKING:
    from tick_pipeline.home import Home

WINDOW = Window(HOUR_US, HOUR_US + US_PER_HOUR)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quiet_home(tmp_path_factory.mktemp("quiet") / "home")


def asked(
    home: Home, calendar: str = "24/7", window: Window = WINDOW
) -> tuple[LocalQueryEngine, LocalLanding, StorageMode, Window, Settings]:
    settings = load_settings(home=home.path, calendar=calendar, _env_file=None)
    engine, landing = LocalQueryEngine(home, settings), LocalLanding(home, settings)
    return engine, landing, StorageMode.ICEBERG, window, settings


def test_a_materialization_counts_minutes_by_class(home: Home) -> None:
    """Of four symbols together."""
    assert session_metadata(*asked(home)) == {
        "session calendar": "24/7",
        "minutes that may still land": 0,
        "minutes in session": 60,
        "minutes market closed": 0,
        "symbols": 4,
        "with a candle": 60 + 31 + 31,
        "no trade": 60 + 27,
        "lost data": 29 + 2,
        "candles while closed": 0,
    }


class Behind(LocalLanding):
    """A delivery that has not come further than a quarter past, when hours close ten minutes after their end."""

    def positions(self) -> dict[StorageMode, DeliveryPosition]:
        """How far it is, whatever the clock says."""
        until_us = HOUR_US + 25 * US_PER_MINUTE
        return dict.fromkeys(StorageMode, DeliveryPosition(False, "behind", until_us))


def test_a_minute_that_is_not_delivered_yet_is_not_lost(home: Home) -> None:
    """However long ago it was; those before it are judged."""
    engine, _, mode, window, settings = asked(home)
    landing = Behind(home, settings)
    told = session_metadata(engine, landing, mode, window, settings)
    assert (told["minutes that may still land"], told["minutes in session"]) == (45, 15)
    assert told["lost data"] == 4
    early = Window(HOUR_US + US_PER_HOUR, HOUR_US + 2 * US_PER_HOUR)
    check = coverage_told(engine, landing, mode, early, settings)
    assert check.passed
    assert (check.metadata or {})["minutes that may still land"].value == 60


def test_the_check_warns_of_lost_minutes_and_lists_them(home: Home) -> None:
    told = coverage_told(*asked(home))
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "31; the check raw_gaps tells which" in (told.description or "")
    metadata: dict[str, Any] = dict(told.metadata or {})
    assert metadata["rows"].records[0].data == {
        "symbol": "GAP",
        "start": "2026-03-01T10:11:00Z",
        "end": "2026-03-01T10:40:00Z",
        "minutes": 29,
    }


def test_the_check_passes_while_the_market_is_closed(home: Home) -> None:
    told = coverage_told(*asked(home, "XNYS"))
    assert told.passed
    assert (told.metadata or {})["minutes market closed"].value == 60
    assert (told.metadata or {})["candles while closed"].value == 122


def test_a_calendar_that_ends_is_told_and_ends_no_run(home: Home) -> None:
    start_us = parse_instant("2080-01-03T00:00:00Z")
    late = asked(home, "XHKG", Window(start_us, start_us + US_PER_HOUR))
    assert "does not know the days around 2080" in session_metadata(*late)["session calendar"]
    told = coverage_told(*late)
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "TICK_PIPELINE_CALENDAR=XHKG" in (told.description or "")
