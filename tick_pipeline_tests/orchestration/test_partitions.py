"""The hour of the event as a partition, and the window of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR, hour_floor, now_us, parse_instant
from tick_pipeline.orchestration.partitions import Window, hourly, partition_key
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tick_pipeline.settings import Settings


def test_partitions_begin_where_the_settings_say(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, partitions_start="2026-02-03T04:00:00Z", _env_file=None)
    hours = hourly(settings)
    assert hours.get_first_partition_key() == "2026-02-03-04:00"


def test_partitions_begin_seven_days_before_home_was_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same before HOME is there as after: a code location may load first."""
    moment_us = now_us()
    monkeypatch.setattr("tick_pipeline.home.now_us", lambda: moment_us)
    before = hourly(settings).get_first_partition_key()
    home = open_home(settings)
    assert hourly(settings).get_first_partition_key() == before
    assert partition_key(home.partitions_start_us) == before


def test_the_current_hour_is_the_newest_partition(settings: Settings) -> None:
    keys = hourly(settings).get_partition_keys()
    hour_us = hour_floor(now_us())
    assert keys[-1] in {partition_key(hour_us), partition_key(hour_us - US_PER_HOUR)}


def test_a_window_is_told_as_people_and_queries_take_it() -> None:
    start_us = parse_instant("2026-02-03T04:00:00Z")
    window = Window(start_us, start_us + US_PER_HOUR)
    assert str(window) == "2026-02-03T04:00:00Z .. 2026-02-03T05:00:00Z"
    assert window.parameters == {"start": "2026-02-03T04:00:00Z", "end": "2026-02-03T05:00:00Z"}
