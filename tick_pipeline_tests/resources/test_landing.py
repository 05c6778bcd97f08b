"""The local landing as a port: it delivers, says how far it is, and sums up what could not be stored."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow has no types)
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.landing.delivery import delivery_lock
from tick_pipeline.resources.landing import DeliveryPosition, LocalLanding, open_stream
from tick_pipeline.spark.locks import exclusive
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

ICEBERG, PARQUET = StorageMode


def test_each_mode_lands_by_itself_and_says_how_far_it_is(home: Home, settings: Settings) -> None:
    landing = LocalLanding(home, settings)
    nothing = DeliveryPosition(caught_up=True, description="0 of 0 records", delivered_until_us=0)
    assert landing.positions() == {ICEBERG: nothing, PARQUET: nothing}
    data = [json.dumps(tick("AAA", 1, number + 1)).encode() for number in range(1233)] + [b"{"]
    open_stream(home, settings).put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    found = landing.land(ICEBERG, START_US + US_PER_HOUR, START_US + 2 * US_PER_HOUR)
    assert (found.landed, found.hours, found.delivery) == (1233, [START_US], "by this run")
    assert landing.positions() == {
        ICEBERG: DeliveryPosition(
            caught_up=True, description="1,234 of 1,234 records", delivered_until_us=0
        ),
        PARQUET: DeliveryPosition(
            caught_up=False, description="0 of 1,234 records", delivered_until_us=0
        ),
    }
    assert landing.recent_errors(ICEBERG, 0).count == 1
    assert landing.recent_errors(PARQUET, 0).count == 0


def test_what_waits_is_told_with_its_age_and_whether_anybody_delivers(
    home: Home, settings: Settings
) -> None:
    landing = LocalLanding(home, settings)
    data = [json.dumps(tick("AAA", 1, number + 1)).encode() for number in range(7)]
    before_us = now_us()
    open_stream(home, settings).put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    landing.land(PARQUET, START_US, START_US + US_PER_HOUR)
    found = landing.backlog()
    waiting, done = found[ICEBERG], found[PARQUET]
    assert (waiting.waiting_records, waiting.lost_records, waiting.running) == (7, 0, False)
    assert waiting.runner == "no process delivers"
    assert waiting.oldest_us is not None
    assert before_us - 1000 <= waiting.oldest_us <= now_us()
    assert waiting.expires_us is not None
    assert waiting.expires_us > waiting.oldest_us + 23 * US_PER_HOUR
    assert waiting.due_seconds == 2 * settings.buffer_seconds
    assert (done.waiting_records, done.oldest_us, done.expires_us) == (0, None, None)
    with exclusive(delivery_lock(home, ICEBERG), what="a delivery"):
        running = landing.backlog()
    assert [running[mode].running for mode in StorageMode] == [True, False]
    assert running[ICEBERG].runner == "a process delivers"
