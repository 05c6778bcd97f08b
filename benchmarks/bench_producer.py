"""Producing: ticks encoded and put on one core, making them timed apart, and the usual encoder beside."""

# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.producer.encode import encode_valid_ticks
from tick_pipeline.producer.instruments import instruments
from tick_pipeline.producer.rows import Sender, tick_table
from tick_pipeline.producer.scenarios import find_scenario
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.producer.walk import Market
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_START_US = 1_790_000_000 * US_PER_SECOND
_BATCH = 100_000


def main() -> None:
    """Print ticks per second and CPU seconds per million, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        _parts()
        for scenario in ("steady", "mixed"):
            _run(scenario)
    finally:
        os.sched_setaffinity(0, allowed)


def _parts() -> None:
    ticks = _batch()
    records = encode_valid_ticks(ticks)
    rows: list[dict[str, Any]] = ticks.slice(0, 20_000).to_pylist()
    dumped = _best(lambda: [json.dumps(row, separators=(",", ":")) for row in rows]) * 50
    encoded = _best(partial(encode_valid_ticks, ticks)) * 1e6 / len(ticks)
    print(f"validate and encode   {encoded:5.2f} CPU-s/M   json.dumps, not validated {dumped:5.2f}")
    print(
        f"                      {dumped / encoded:5.1f} x less, {records.nbytes / len(ticks):.0f} bytes a record"
    )


def _run(scenario: str) -> None:
    request = SimulationRequest(scenario, 10_000, rate=200, start_us=_START_US)
    with tempfile.TemporaryDirectory() as folder:
        stream = LocalStream(Path(folder) / "stream", shards=4)
        began = time.process_time()
        summary = run_simulation(
            stream,
            request,
            labels_folder=Path(folder) / "labels",
            on_progress=lambda _progress: None,
            stop=threading.Event(),
        )
        cpu_seconds = time.process_time() - began
    millions = summary.sent / 1e6
    print(
        f"{scenario:8} {summary.sent:,} records: encode and put "
        f"{summary.sent / summary.put_seconds:,.0f}/s, simulate "
        f"{summary.sent / summary.simulation_seconds:,.0f}/s, together "
        f"{cpu_seconds / millions:.2f} CPU-s/M"
    )


def _batch() -> pa.Table:
    traded = instruments(10)
    market = Market(traded, 1, ["steady"] * len(traded))
    trades = market.trades(_START_US, _START_US + US_PER_SECOND, _BATCH, 1.0)
    symbols = [item.symbol for item in traded]
    sender = Sender(find_scenario("steady"), symbols, 1, 60, _START_US + 60 * US_PER_SECOND)
    sender.accept(trades, np.zeros(len(trades.symbol), np.bool_))
    return tick_table(sender.rest(), "sim-bench", symbols, market.ticks_per_unit)


def _best(work: Callable[[], Any], times: int = 5) -> float:
    """Least CPU seconds of some tries."""
    taken: list[float] = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)
