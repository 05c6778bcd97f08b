"""A run that lands where another process follows the stream: it waits for that one, and tells what it landed."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow has no types)
from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.landing import delivery
from tick_pipeline.landing.delivery import deliver, delivery_lock
from tick_pipeline.resources import followed_landing
from tick_pipeline.resources.landing import LocalLanding, open_stream
from tick_pipeline.spark.locks import exclusive, is_held
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

MODES = tuple(StorageMode)
HOUR = (START_US, START_US + US_PER_HOUR)


def _put(home: Home, settings: Settings, first: int, count: int) -> None:
    ticks = [tick("AAA", number / 10, number) for number in range(first, first + count)]
    data = pa.array([json.dumps(record).encode() for record in ticks], pa.binary())
    open_stream(home, settings).put(pa.array(["AAA"] * count), data)


@pytest.mark.parametrize("mode", MODES)
def test_a_run_waits_for_who_follows_the_stream(
    home: Home, settings: Settings, mode: StorageMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second delivery begins, and what came before the call is in raw after it."""
    monkeypatch.setattr(followed_landing, "_FLUSH_SECONDS", 300)
    quick = settings.model_copy(update={"buffer_seconds": 0.5})
    stop = threading.Event()
    stream = open_stream(home, quick)

    def follow() -> None:
        deliver(home, quick, stream, modes=MODES, follow=True, stop=stop)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        while not all(is_held(delivery_lock(home, each)) for each in MODES):
            stop.wait(0.01)
        _put(home, quick, 1, 100)
        # The hour of now is open: whatever is there at the call counts.
        found = LocalLanding(home, quick).land(mode, START_US, now_us() + US_PER_HOUR)
    finally:
        stop.set()
        thread.join()
    assert found.delivery == "by the process that follows the stream: 100 of 100 records"
    assert (found.landed, found.records, found.hours) == (100, 100, [START_US])
    assert found.files >= 1
    assert found.bytes > 0


def test_a_closed_hour_needs_no_wait(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits came after it closed: it belongs to later hours, or is told late."""
    monkeypatch.setattr(followed_landing, "_POLL_SECONDS", 100)
    _put(home, settings, 1, 10)
    deliver(home, settings, open_stream(home, settings), modes=MODES)
    _put(home, settings, 11, 5)
    for mode in MODES:
        with exclusive(delivery_lock(home, mode), what="the test"):
            found = LocalLanding(home, settings).land(mode, *HOUR)
        assert (found.landed, found.hours) == (10, [START_US])


def test_one_that_does_not_get_on_is_told_as_busy(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time in which a record must have landed."""
    monkeypatch.setattr(followed_landing, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(followed_landing, "_FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(delivery, "LEASE_WAIT_SECONDS", 0.1)
    quick = settings.model_copy(update={"buffer_seconds": 0.05})
    _put(home, quick, 1, 10)
    mode = MODES[0]
    with (
        exclusive(delivery_lock(home, mode), what="the test"),
        pytest.raises(BusyError, match="delivery of iceberg"),
    ):
        LocalLanding(home, quick).land(mode, START_US, now_us() + US_PER_HOUR)
