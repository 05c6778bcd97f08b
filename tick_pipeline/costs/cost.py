"""What a load costs on AWS in a period: an itemised estimate, its drivers, and what would change it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tick_pipeline.costs import stations
from tick_pipeline.costs.bill import Bill
from tick_pipeline.costs.quotas import FRESHNESS_IN_BUFFERS

if TYPE_CHECKING:
    from datetime import date

    from tick_pipeline.costs.bill import Row
    from tick_pipeline.costs.load import Load
    from tick_pipeline.costs.prices import Prices

#: What no estimate holds.
NOT_INCLUDED = (
    "volume discounts, free tier, credits and tax",
    "data transfer, NAT gateways and VPC endpoints",
    "requests of the Glue Data Catalog, SNS, EventBridge, Budgets",
    "former versions of recomputed hours (noncurrent_version_days), candles and anomalies in the bucket",
)
_DRIVERS = 5
#: Objects of JSON that Firehose takes apart again, in one record.
#: Source: https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
_MOST_TICKS_A_RECORD = 500
_LONGER_BUFFER_SECONDS = 300
_OF_AGGREGATION = (
    "no setting: the producer must join ticks and every reader take them apart; that Firehose bills the joined "
    "record is not verified"
)


@dataclass(frozen=True)
class Driver:
    """One of the dearest rows.

    Attributes:
        station: of the pipeline.
        what: is billed.
        usd: in US dollars.
        share: of the total, 0 to 1.
        settings: that change it.
    """

    station: str
    what: str
    usd: Decimal
    share: float
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """What a load costs.

    Attributes:
        region: of AWS.
        hours: of the period.
        rows: of the bill, the dearest first.
        total_usd: their sum, exactly.
        stations: station -> US dollars, the dearest first.
        drivers: the dearest rows.
        prices_as_of: date of the oldest price of the region.
        unverified: rows whose price no second source confirmed.
        not_included: what is billed beside it.
    """

    region: str
    hours: Decimal
    rows: tuple[Row, ...]
    total_usd: Decimal
    stations: dict[str, Decimal]
    drivers: tuple[Driver, ...]
    prices_as_of: date
    unverified: int
    not_included: tuple[str, ...] = NOT_INCLUDED


@dataclass(frozen=True)
class WhatIf:
    """The same load, set otherwise.

    Attributes:
        change: setting and value.
        total_usd: what it would cost.
        saves_usd: less than now; negative where it costs more.
        note: what it takes; empty where the setting does it all.
    """

    change: str
    total_usd: Decimal
    saves_usd: Decimal
    note: str


def estimate(load: Load, prices: Prices) -> Estimate:
    """What a load costs, at list prices.

    Args:
        load: the load.
        prices: of a region.

    Raises:
        InputError: the region lacks a price that the load needs.
    """
    bill = Bill(prices)
    for add in (
        stations.add_kinesis,
        stations.add_firehose,
        stations.add_glue,
        stations.add_athena,
        stations.add_s3,
        stations.add_cloudwatch,
        stations.add_kms,
    ):
        add(bill, load)
    rows = tuple(sorted(bill.rows, key=lambda row: (-row.usd, row.station, row.what)))
    total = sum((row.usd for row in rows), Decimal(0))
    by_station: dict[str, Decimal] = {}
    for row in rows:
        by_station[row.station] = by_station.get(row.station, Decimal(0)) + row.usd
    return Estimate(
        region=prices.region,
        hours=load.hours,
        rows=rows,
        total_usd=total,
        stations=dict(sorted(by_station.items(), key=lambda item: -item[1])),
        drivers=tuple(
            Driver(row.station, row.what, row.usd, round(float(row.usd / total), 4), row.settings)
            for row in rows[:_DRIVERS]
            if row.usd
        ),
        prices_as_of=prices.as_of,
        unverified=sum(not row.price.verified for row in rows),
    )


def what_ifs(load: Load, prices: Prices) -> tuple[WhatIf, ...]:
    """What other settings would cost, those that save the most first; what changes nothing is left out."""
    now = estimate(load, prices).total_usd
    found = [
        WhatIf(change, total, now - total, note)
        for change, other, note in _others(load)
        if (total := estimate(other, prices).total_usd) != now
    ]
    return tuple(sorted(found, key=lambda item: -item.saves_usd))


def aggregate(load: Load, ticks_per_record: int) -> Load:
    """The same ticks, several to a record."""
    peak = load.peak_records_per_second
    return replace(
        load,
        records_per_second=load.records_per_second / ticks_per_record,
        peak_records_per_second=None if peak is None else peak / ticks_per_record,
        record_bytes=load.record_bytes * ticks_per_record,
    )


def _others(load: Load) -> list[tuple[str, Load, str]]:
    """(setting and value, load, what it takes) of what is worth thinking of."""
    return [
        _with_other_stream_mode(load),
        _changed(load, "Dagster then compacts", iceberg_maintainer="table_maintenance"),
        _changed(load, "runs may wait 20 minutes for capacity", glue_flex_enabled=True),
        _changed(
            load,
            f"tables are up to {_LONGER_BUFFER_SECONDS * FRESHNESS_IN_BUFFERS:.0f} s behind",
            firehose_buffer_seconds=_LONGER_BUFFER_SECONDS,
        ),
        (
            "no streaming job",
            replace(load, anomaly_stream_hours_per_day=Decimal(0)),
            "anomalies then come hourly, by batch",
        ),
        *(
            (f"storage_modes = {only}", replace(load, storage_modes=(only,)), "")
            for only in load.storage_modes
        ),
        *_joined(load),
    ]


def _changed(load: Load, note: str, **setting: Any) -> tuple[str, Load, str]:
    ((name, value),) = setting.items()
    told = "true" if value is True else value
    return f"{name} = {told}", replace(load, **setting), note


def _with_other_stream_mode(load: Load) -> tuple[str, Load, str]:
    if load.stream_mode == "PROVISIONED":
        return "stream_mode = ON_DEMAND", replace(load, stream_mode="ON_DEMAND"), ""
    shards = stations.stream_shards(load).needed
    other = replace(load, stream_mode="PROVISIONED", stream_shards=None)
    return f"stream_mode = PROVISIONED with {shards} stream_shards", other, ""


def _joined(load: Load) -> list[tuple[str, Load, str]]:
    """As many ticks to a record as Firehose bills for one."""
    ticks = min(stations.FIREHOSE_STEP_BYTES // max(load.record_bytes, 1), _MOST_TICKS_A_RECORD)
    if not load.records or ticks <= 1:
        return []
    return [(f"{ticks} ticks a record", aggregate(load, ticks), _OF_AGGREGATION)]
