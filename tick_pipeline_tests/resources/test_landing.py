"""The local landing as a port: it delivers, says how far it is, and sums up what could not be stored."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow has no types)
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.landing import DeliveryPosition, LocalLanding, open_stream
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ICEBERG, PARQUET = StorageMode


def test_each_mode_lands_by_itself_and_says_how_far_it_is(home: Home, settings: Settings) -> None:
    landing = LocalLanding(home, settings)
    nothing = DeliveryPosition(caught_up=True, description="0 of 0 records")
    assert landing.positions() == {ICEBERG: nothing, PARQUET: nothing}
    data = [json.dumps(tick("AAA", 1, number + 1)).encode() for number in range(1233)] + [b"{"]
    open_stream(home, settings).put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    found = landing.land(ICEBERG, START_US + US_PER_HOUR, START_US + 2 * US_PER_HOUR)
    assert (found.landed, found.hours, found.delivery) == (1233, [START_US], "by this run")
    assert landing.positions() == {
        ICEBERG: DeliveryPosition(caught_up=True, description="1,234 of 1,234 records"),
        PARQUET: DeliveryPosition(caught_up=False, description="0 of 1,234 records"),
    }
    assert landing.recent_errors(ICEBERG, 0).count == 1
    assert landing.recent_errors(PARQUET, 0).count == 0
