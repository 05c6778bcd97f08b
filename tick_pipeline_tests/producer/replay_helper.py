"""Replay a file into memory, for tests."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from tick_pipeline.producer.replay import ReplayRequest, ReplaySummary, replay_file
from tick_pipeline_tests.producer.memory_stream import MemoryStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def replay(path: Path, **options: Any) -> tuple[ReplaySummary, list[dict[str, Any]]]:
    """The summary, and the ticks in the order in which they were sent."""
    stream = MemoryStream()
    summary = replay_file(
        stream,
        ReplayRequest(path, **options),
        on_progress=lambda _: None,
        stop=threading.Event(),
    )
    return summary, [json.loads(data) for _, data in stream.records]


def tape(path: Path, rows: Iterable[str], *, names: str = "event_time,symbol,price,volume") -> Path:
    """Write a CSV file of those lines."""
    path.write_text("".join(f"{line}\n" for line in (names, *rows)), encoding="utf-8")
    return path
