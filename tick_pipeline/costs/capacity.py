"""What a load needs: shards, buffers, workers, and how near it is to AWS's quotas. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

from tick_pipeline.costs import quotas
from tick_pipeline.costs.glue import (
    ANOMALIES_BYTES_A_DPU,
    CANDLES_BYTES_A_DPU,
    DPUS,
    workers_for,
    workers_wanted,
)
from tick_pipeline.costs.shards import find_hot_symbols, shards_for
from tick_pipeline.costs.units import BYTES_A_MIB, SECONDS_A_DAY, SECONDS_AN_HOUR
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.costs.load import Load
    from tick_pipeline.costs.quotas import Quota
    from tick_pipeline.costs.shards import HotSymbol, Shards


@dataclass(frozen=True)
class Delivery:
    """How a Firehose writes.

    Attributes:
        name: `iceberg`, `parquet_projection` or `archive`.
        seconds_per_object: of an active partition, until size or interval closes its buffer.
        object_bytes: that are gathered for one object, before conversion.
        objects_per_day: of all active partitions.
        worst_freshness_seconds: age of a record when its object is there, 1.5 buffers.
    """

    name: str
    seconds_per_object: float
    object_bytes: int
    objects_per_day: int
    worst_freshness_seconds: float


@dataclass(frozen=True)
class Workers:
    """What an hour's run of a batch job gets.

    Attributes:
        job: `candles` or `anomalies`.
        input_bytes: of raw, of one storage mode.
        workers: the driver's included.
        wanted: that the input would employ.
        dpus: of all workers.
    """

    job: str
    input_bytes: int
    workers: int
    wanted: int
    dpus: float


@dataclass(frozen=True)
class QuotaUse:
    """How much of a quota a load takes.

    Attributes:
        quota: the limit.
        used: in its unit.
        share: of the limit; over 1 it is passed.
    """

    quota: Quota
    used: float
    share: float


@dataclass(frozen=True)
class Capacity:
    """All that a load needs.

    Attributes:
        shards: of the stream.
        hot_symbols: that no shard carries.
        deliveries: of each Firehose.
        workers: of each batch job.
        quotas: that the load touches.
        warnings: a line for each thing that would not work.
    """

    shards: Shards
    hot_symbols: tuple[HotSymbol, ...]
    deliveries: tuple[Delivery, ...]
    workers: tuple[Workers, ...]
    quotas: tuple[QuotaUse, ...]
    warnings: tuple[str, ...]


def deliver_in(
    name: str,
    records_per_second: Decimal,
    record_bytes: int,
    *,
    buffer_seconds: int,
    buffer_mib: int,
    active_partitions: int = 1,
) -> Delivery:
    """How a Firehose writes what it gets.

    At a high rate Firehose reads shards side by side and may write more and smaller objects.

    Args:
        name: of the delivery.
        records_per_second: in all.
        record_bytes: of one record.
        buffer_seconds: when a buffer is written at the latest.
        buffer_mib: at which size it is written earlier, MiB of 1,048,576 bytes.
        active_partitions: event hours that are written at a time; each has a buffer of its own.
    """
    rate = records_per_second * record_bytes / active_partitions
    size = Decimal(buffer_mib * BYTES_A_MIB)
    seconds = Decimal(buffer_seconds)
    if rate * seconds > size:
        seconds = size / rate
    buffers = SECONDS_A_DAY / seconds * active_partitions
    # An object holds a record at least.
    objects = min(buffers, records_per_second * SECONDS_A_DAY)
    return Delivery(
        name=name,
        seconds_per_object=round(float(seconds), 3),
        object_bytes=int(rate * seconds),
        objects_per_day=ceil(objects),
        worst_freshness_seconds=round(float(seconds) * quotas.FRESHNESS_IN_BUFFERS, 3),
    )


def deliveries_of(load: Load) -> tuple[Delivery, ...]:
    """How each Firehose of a load writes; the archive's buffer is terraform/firehose.tf's."""
    rate, size = load.records_per_second, load.record_bytes
    found = [
        deliver_in(
            mode.value,
            rate,
            size,
            buffer_seconds=load.firehose_buffer_seconds,
            buffer_mib=load.firehose_buffer_mib,
            active_partitions=load.active_partitions,
        )
        for mode in load.storage_modes
    ]
    if load.raw_archive_enabled:
        found.append(deliver_in("archive", rate, size, buffer_seconds=300, buffer_mib=128))
    return tuple(found)


def workers_of(load: Load) -> tuple[Workers, ...]:
    """Workers of an hour's run of each batch job."""
    size = ceil(load.raw_bytes_per_second * SECONDS_AN_HOUR)
    kind, most = load.glue_worker_type, load.glue_max_workers
    return tuple(
        Workers(
            job=job,
            input_bytes=size,
            workers=(workers := workers_for(size, bytes_a_dpu, kind, most)),
            wanted=workers_wanted(size, bytes_a_dpu, kind),
            dpus=workers * DPUS[kind],
        )
        for job, bytes_a_dpu in (
            ("candles", CANDLES_BYTES_A_DPU),
            ("anomalies", ANOMALIES_BYTES_A_DPU),
        )
    )


def stream_shards(load: Load) -> Shards:
    """Shards that a load's stream needs at its peak."""
    return shards_for(
        load.peak,
        load.record_bytes,
        readers=load.polling_readers,
        headroom=load.headroom,
    )


def plan_capacity(load: Load, region: str, shares: Mapping[str, Decimal] | None = None) -> Capacity:
    """All that a load needs.

    Args:
        load: the load.
        region: of AWS, whose quotas count.
        shares: symbol -> its fraction of all records, where known.

    Raises:
        InputError: a share is none.
    """
    shards = stream_shards(load)
    hot = find_hot_symbols(shares or {}, load.peak, load.record_bytes, load.polling_readers)
    uses = tuple(_uses(load, region, shards))
    workers = workers_of(load)
    return Capacity(
        shards=shards,
        hot_symbols=hot,
        deliveries=deliveries_of(load),
        workers=workers,
        quotas=uses,
        warnings=(
            *_shard_warnings(load, shards),
            *map(_hot_warning, hot),
            *_quota_warnings(uses),
            *_worker_warnings(load, workers),
        ),
    )


def _uses(load: Load, region: str, shards: Shards) -> list[QuotaUse]:
    rate_bytes = float(load.peak * load.record_bytes)
    used: list[tuple[Quota, float]] = [
        (quotas.RECORD_BYTES, load.record_bytes),
        (quotas.FIREHOSE_RECORD_BYTES, load.record_bytes),
        (quotas.GET_RECORDS_PER_SHARD, load.polling_readers),
        (quotas.FAN_OUT_CONSUMERS, load.fan_out_consumers),
    ]
    if load.stream_mode == "PROVISIONED":
        count = load.stream_shards or shards.needed
        used += [(quotas.STREAM_SHARDS, count), (quotas.shards_per_account(region), count)]
    else:
        used += [
            (quotas.ON_DEMAND_AT_FIRST, rate_bytes),
            (quotas.on_demand_bytes_per_second(region), rate_bytes),
        ]
    if StorageMode.PARQUET_PROJECTION in load.storage_modes:
        used += [
            (quotas.ACTIVE_PARTITIONS, load.active_partitions),
            (quotas.PARTITION_BYTES_PER_SECOND, rate_bytes / load.active_partitions),
        ]
    return [QuotaUse(quota, count, round(count / quota.limit, 6)) for quota, count in used]


def _shard_warnings(load: Load, shards: Shards) -> list[str]:
    given = load.stream_shards
    if load.stream_mode != "PROVISIONED" or given is None or given >= shards.needed:
        return []
    limits = " and ".join(shards.decided_by)
    return [f"{given} shards are too few: {limits} need {shards.needed}; raise stream_shards"]


def _quota_warnings(uses: tuple[QuotaUse, ...]) -> list[str]:
    return [
        f"{use.quota.name}: {use.used:,.0f}, and the limit is {use.quota.limit:,.0f}; {use.quota.what_to_do}"
        for use in uses
        if use.share > 1
    ]


def _worker_warnings(load: Load, workers: tuple[Workers, ...]) -> list[str]:
    return [
        f"an hour of {run.job} would employ {run.wanted} workers of {load.glue_worker_type} and gets "
        f"{run.workers}: it takes longer; raise glue_max_workers or glue_worker_type"
        for run in workers
        if run.wanted > run.workers
    ]


def _hot_warning(symbol: HotSymbol) -> str:
    return (
        f"{symbol.symbol} alone would fill {symbol.shards:g} shards, and its records all go into one: give it "
        "one of its own (TICK_PIPELINE_STREAM_PINNED_SYMBOLS) and put several ticks into a record"
    )
