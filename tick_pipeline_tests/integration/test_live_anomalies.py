"""Ten minutes of a live stream: the anomalies keep up, and memory does not grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.bench_stream import follow_live, shown
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.soak
@pytest.mark.spark
@pytest.mark.timeout(1200)
def test_the_stream_keeps_up_with_20_000_ticks_a_second_in_flat_memory(tmp_path: Path) -> None:
    live = follow_live(load_settings(home=tmp_path / "home", _env_file=None), 20_000, 600)
    shown(live)
    assert live.records >= 0.95 * 20_000 * 600
    assert sorted(live.lags_seconds)[int(0.99 * len(live.lags_seconds))] < 10
    assert live.growth < 1.1
