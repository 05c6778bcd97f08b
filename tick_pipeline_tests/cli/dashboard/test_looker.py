"""What the dashboard looks at: each part by its port, as often as it changes, and cheaply."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow has no types)
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tick_pipeline.cli.dashboard.looker import Looker
from tick_pipeline.errors import AwsError
from tick_pipeline.event_time import US_PER_SECOND, hour_floor, now_us
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.query_engine import LocalQueryEngine, QueryResult
from tick_pipeline.resources.tables import LocalTables
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    anomaly,
    candles_of,
    store_anomalies,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

MODES = tuple(StorageMode)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def _recent(seconds_ago: float, number: int, symbol: str = "AAA") -> dict[str, Any]:
    return tick(symbol, (now_us() - START_US) / US_PER_SECOND - seconds_ago, number)


def _put(home: Home, settings: Settings, records: list[bytes]) -> None:
    keys = pa.array(["AAA"] * len(records))
    open_stream(home, settings).put(keys, pa.array(records, pa.binary()))


@pytest.fixture
def ticks(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Ten minutes of ticks in the stream and in both modes, with candles, an anomaly, and a bad record."""
    records = [_recent(600 - number, number + 1) for number in range(500)]
    records += [_recent(300, 1, "BBB")]
    _put(home, settings, [*(json.dumps(record).encode() for record in records), b"{"])
    deliver(home, settings, open_stream(home, settings), modes=MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(home, timeframe, candles_of(records, minutes), MODES)
    store_anomalies(home, [anomaly(records[number]) for number in (10, 20)], MODES)
    return records


def test_it_sees_what_comes_in_what_waits_and_what_is_there(
    home: Home, settings: Settings, ticks: list[dict[str, Any]]
) -> None:
    clock = Clock()
    looker = Looker(open_deployment(settings), settings, clock)
    first = looker.look()
    assert first.failures == {}
    assert first.arrivals is not None
    assert [item.per_second for item in first.arrivals] == [None] * 4
    assert sum(item.records or 0 for item in first.arrivals) == len(ticks) + 1
    _put(home, settings, [json.dumps(_recent(1, 1_000 + number)).encode() for number in range(50)])
    clock.now += 5
    second = looker.look()
    assert second.arrivals is not None
    assert second.backlog is not None
    assert sorted(item.per_second or 0 for item in second.arrivals) == [0, 0, 0, 10]
    assert {mode: item.waiting_records for mode, item in second.backlog.items()} == {
        "iceberg": 50,
        "parquet_projection": 50,
    }
    assert second.newest_hours is not None
    newest_us = hour_floor(max(record["event_ts"] for record in ticks))
    for table in ("raw", "aggregated_1m", "aggregated_5m"):
        assert set(second.newest_hours[table].values()) == {newest_us}
    assert second.candles is not None
    assert [candle["symbol"] for candle in second.candles] == ["AAA", "BBB"]
    assert second.candles[0]["trade_count"] >= second.candles[1]["trade_count"]
    assert second.alerts is not None
    assert [alert["event_us"] for alert in second.alerts] == [
        ticks[number]["event_ts"] for number in (20, 10)
    ]
    assert second.errors is not None
    assert {mode: found.count for mode, found in second.errors.items()} == dict.fromkeys(MODES, 1)
    assert second.stream is not None
    assert (second.stream.state, second.stream.wanted) == ("stopped", False)


def test_what_takes_a_query_is_asked_for_less_often(settings: Settings) -> None:
    clock = Clock()
    looker = Looker(open_deployment(settings), settings, clock)
    first = looker.look()
    clock.now += 2
    second = looker.look()
    assert second.newest_hours is first.newest_hours
    assert second.arrivals is not first.arrivals
    clock.now += 8
    assert looker.look().newest_hours is not first.newest_hours


@pytest.mark.usefixtures("ticks")
def test_a_look_at_all_of_it_takes_two_queries(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one mode, since both hold the same, and none of the ticks: all else is told by names and metadata."""
    asked: list[tuple[str, str]] = []
    original = LocalQueryEngine.run_file

    def run_file(engine: LocalQueryEngine, name: str, parameters: dict[str, Any]) -> QueryResult:
        asked.append((name, parameters["storage_mode"]))
        return original(engine, name, parameters)

    monkeypatch.setattr(LocalQueryEngine, "run_file", run_file)
    monkeypatch.delattr(LocalQueryEngine, "run")
    assert Looker(open_deployment(settings), settings, Clock()).look().failures == {}
    assert asked == [
        ("latest_candles", "parquet_projection"),
        ("anomalies_today", "parquet_projection"),
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AwsError("AWS refused it"), "AWS refused it"),
        (FileNotFoundError(2, "No such file", "/a"), "[Errno 2] No such file: '/a'"),
    ],
)
def test_a_part_that_fails_is_told_and_does_not_keep_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """And it is asked for again: what a writer took away meanwhile is another the next time."""
    clock = Clock()
    looker = Looker(open_deployment(settings), settings, clock)

    def refuse(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(LocalTables, "newest_hour", refuse)
        failed = looker.look()
    assert failed.failures == {"newest_hours": told}
    assert failed.newest_hours is None
    assert failed.candles == ()
    clock.now += 60
    assert looker.look().failures == {}
