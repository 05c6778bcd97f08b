"""The dashboard on AWS: the same parts through the same ports, looked at once a minute at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.dashboard.looker import Looker
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    anomaly,
    candles_of,
    land,
    store_anomalies,
    store_candles,
    tick,
)
from tick_pipeline_tests.twin.athena_lake import AthenaLake, copy_to_twin

if TYPE_CHECKING:
    from typing import Any

MODES = tuple(StorageMode)


@pytest.fixture
def ticks(lake: AthenaLake) -> list[dict[str, Any]]:
    """Half a minute of ticks of the last hour, with their candles and an anomaly, on the twin."""
    ago = (now_us() - START_US) / US_PER_SECOND - 600
    records = [tick("AAA", ago + number, number + 1) for number in range(30)]
    land(lake.home, records, MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(lake.home, timeframe, candles_of(records, minutes), MODES)
    store_anomalies(lake.home, [anomaly(records[7])], MODES)
    copy_to_twin(lake)
    return records


def test_each_part_is_seen_through_its_port(lake: AthenaLake, ticks: list[dict[str, Any]]) -> None:
    """And none fails."""
    deployment = open_deployment(lake.settings)
    assert deployment.follow_command == ()
    assert deployment.look_seconds == 60
    look = Looker(deployment, lake.settings).look()
    assert look.failures == {}
    assert look.arrivals is not None
    assert [item.name for item in look.arrivals] == ["all shards"]
    assert look.backlog is not None
    assert set(look.backlog) == set(MODES)
    newest_us = hour_floor(ticks[-1]["event_ts"])
    assert look.newest_hours is not None
    assert set(look.newest_hours["raw"].values()) == {newest_us}
    assert set(look.newest_hours["aggregated_1m"].values()) == {newest_us}
    assert look.candles is not None
    assert sum(candle["trade_count"] for candle in look.candles) <= len(ticks)
    assert {candle["symbol"] for candle in look.candles} == {"AAA"}
    assert look.alerts is not None
    assert [alert["event_us"] for alert in look.alerts] == [ticks[7]["event_ts"]]
    assert look.errors is not None
    assert [found.count for found in look.errors.values()] == [0, 0]
    assert look.stream is not None
    assert (look.stream.state, look.stream.behind) == ("stopped", None)
    tables = deployment.tables()
    for mode in MODES:
        assert tables.newest_hour(mode, "raw", newest_us + US_PER_HOUR) is None
