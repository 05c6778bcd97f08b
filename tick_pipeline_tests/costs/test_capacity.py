"""What a load needs beside shards: buffers, workers, and how near it comes to AWS's quotas."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.costs.capacity import deliver_in, deliveries_of, plan_capacity, workers_of
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.costs.loads import EMPTY, load, loads

if TYPE_CHECKING:
    from tick_pipeline.costs.load import Load

MIB = 1 << 20


@pytest.mark.parametrize(
    ("records_per_second", "record_bytes", "partitions", "seconds", "objects", "freshness"),
    [
        # By time: sixty ticks a second fill nothing.
        (60, 229, 1, 60, 1_440, 90),
        (60, 229, 3, 60, 4_320, 90),
        # By size: 64 MiB in ten seconds.
        (6_553.6, 1_024, 1, 10, 8_640, 15),
        # Of ten partitions each gets a tenth, so time decides again.
        (6_553.6, 1_024, 10, 60, 14_400, 90),
        # An object holds a record at least.
        (0.001, 229, 1, 60, 87, 90),
        (0, 229, 1, 60, 0, 90),
    ],
)
def test_a_buffer_is_written_by_size_or_by_time(
    records_per_second: float,
    record_bytes: int,
    partitions: int,
    seconds: float,
    objects: int,
    freshness: float,
) -> None:
    found = deliver_in(
        "raw",
        Decimal(str(records_per_second)),
        record_bytes,
        buffer_seconds=60,
        buffer_mib=64,
        active_partitions=partitions,
    )
    assert found.seconds_per_object == seconds
    assert found.objects_per_day == objects
    assert found.worst_freshness_seconds == freshness
    assert found.object_bytes <= 64 * MIB


@given(
    rate=st.decimals(0, 10**6, places=2),
    more=st.decimals(0, 10**6, places=2),
    size=st.integers(1, 10**6),
    seconds=st.integers(60, 900),
    partitions=st.integers(1, 500),
)
def test_more_records_make_no_fewer_objects_and_no_older_tables(
    rate: Decimal, more: Decimal, size: int, seconds: int, partitions: int
) -> None:
    few, many = (
        deliver_in(
            "raw",
            records,
            size,
            buffer_seconds=seconds,
            buffer_mib=64,
            active_partitions=partitions,
        )
        for records in (rate, rate + more)
    )
    assert many.objects_per_day >= few.objects_per_day
    assert many.worst_freshness_seconds <= few.worst_freshness_seconds <= 1.5 * seconds


def test_each_firehose_is_told() -> None:
    both = load(60, 229)
    assert [item.name for item in deliveries_of(both)] == ["iceberg", "parquet_projection"]
    archive = replace(both, storage_modes=(StorageMode.ICEBERG,), raw_archive_enabled=True)
    assert [(item.name, item.seconds_per_object) for item in deliveries_of(archive)] == [
        ("iceberg", 60),
        ("archive", 300),
    ]


@pytest.mark.parametrize(
    ("records_per_second", "most", "candles", "anomalies"),
    # An hour of raw: 0.2, 4 and 400 GiB.
    [
        (1_193, 4, (2, 2), (2, 2)),
        (23_860, 10, (3, 3), (9, 9)),
        (2_386_000, 10, (10, 201), (10, 801)),
    ],
)
def test_workers_follow_from_an_hours_bytes(
    records_per_second: float, most: int, candles: tuple[int, int], anomalies: tuple[int, int]
) -> None:
    described = load(records_per_second, 200, glue_max_workers=most)
    found = {run.job: (run.workers, run.wanted) for run in workers_of(described)}
    assert found == {"candles": candles, "anomalies": anomalies}


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        (load(10, 2_000_000), "bytes of a record"),
        (load(10, 200, readers=6), "calls of GetRecords"),
        (load(10, 200, active_partitions=501), "active partitions of a Firehose"),
        (load(10, 200, fan_out_consumers=21), "enhanced fan-out"),
        (load(20_000, 250), "new stream on demand"),
        (load(2_000, 200, stream_mode="PROVISIONED", stream_shards=1), "records need 2; raise"),
        (load(600_000, 200, stream_mode="PROVISIONED"), "shards that stream_shards takes"),
        (load(600_000, 200), "glue_max_workers"),
    ],
)
def test_what_would_not_work_is_a_warning(described: Load, complaint: str) -> None:
    warnings = plan_capacity(described, "us-east-1").warnings
    assert any(complaint in warning for warning in warnings), warnings


def test_an_ordinary_load_has_no_warning() -> None:
    assert plan_capacity(load(60, 229), "eu-west-1").warnings == ()


def test_quotas_are_those_of_the_region() -> None:
    described = load(2_000_000, 200)
    here, there = (
        [use for use in plan_capacity(described, region).quotas if region in use.quota.name]
        for region in ("us-east-1", "eu-central-1")
    )
    assert [use.share for use in here] == [0.04]
    assert [use.share for use in there] == [2.0]


def test_a_hot_symbol_is_told_with_what_helps() -> None:
    shares = {"AAPL": Decimal("0.5")}
    needed = plan_capacity(load(10_000, 200), "us-east-1", shares)
    assert [item.symbol for item in needed.hot_symbols] == ["AAPL"]
    assert any("TICK_PIPELINE_STREAM_PINNED_SYMBOLS" in warning for warning in needed.warnings)


@given(loads())
def test_every_load_has_a_capacity(described: Load) -> None:
    needed = plan_capacity(described, "us-east-1")
    assert needed.shards.needed >= 1
    assert all(
        use.share * use.quota.limit == pytest.approx(use.used, abs=use.quota.limit * 1e-6)
        for use in needed.quotas
    )


def test_a_load_without_a_record_needs_a_shard_and_two_workers() -> None:
    needed = plan_capacity(EMPTY, "us-east-1")
    assert needed.shards.needed == 1
    assert [item.objects_per_day for item in needed.deliveries] == [0, 0]
    assert [run.workers for run in needed.workers] == [2, 2]
