"""Loads for tests: as they are drawn, and those whose figures are known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tick_pipeline.costs.load import STREAM_MODES, Load
from tick_pipeline.storage import StorageMode

#: A load with nothing in it.
EMPTY = Load(hours=Decimal(720), records_per_second=Decimal(0), record_bytes=0)


def load(records_per_second: float, record_bytes: int, **changes: Any) -> Load:
    """A load of a month, changed."""
    made = replace(
        EMPTY, records_per_second=Decimal(str(records_per_second)), record_bytes=record_bytes
    )
    return replace(made, **changes)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """Any load of any deployment; FLEX aside, whose price falls where a run gets a third worker."""
    return Load(
        hours=Decimal(draw(st.integers(1, 8760))),
        records_per_second=draw(st.decimals(0, 10**6, places=3)),
        record_bytes=draw(st.integers(0, 1 << 20)),
        headroom=draw(st.decimals(0, 3, places=2)),
        storage_modes=tuple(draw(st.sets(st.sampled_from(StorageMode), min_size=1))),
        stored_fraction=draw(st.decimals(0, 2, places=4)),
        stored_bytes=draw(st.integers(0, 10**15)),
        stream_mode=draw(st.sampled_from(STREAM_MODES)),  # pyright: ignore[reportArgumentType]
        stream_shards=draw(st.none() | st.integers(1, 500)),
        stream_retention_hours=draw(st.integers(24, 8760)),
        fan_out_consumers=draw(st.integers(0, 5)),
        firehose_buffer_seconds=draw(st.integers(60, 900)),
        firehose_buffer_mib=draw(st.integers(64, 128)),
        active_partitions=draw(st.integers(1, 500)),
        raw_archive_enabled=draw(st.booleans()),
        glue_worker_type=draw(st.sampled_from(["G.1X", "G.2X", "G.8X"])),
        glue_max_workers=draw(st.integers(2, 100)),
        anomaly_stream_hours_per_day=Decimal(draw(st.integers(0, 24))),
        queries_per_hour=draw(st.decimals(0, 10**4, places=1)),
        query_bytes=draw(st.none() | st.integers(0, 10**12)),
        alarms_enabled=draw(st.booleans()),
        kms_key_enabled=draw(st.booleans()),
    )
