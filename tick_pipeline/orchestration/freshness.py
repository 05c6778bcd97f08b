"""Freshness: the hour before the current one is materialized by half past.

Dagster's own check of that name expects the newest partition, and ours is the hour that is still open. Its successor,
FreshnessPolicy, looks at the last materialization of any hour: a backfill of an old one turns it green.
"""

# Dagster reads the annotations of a check as objects: no `from __future__ import annotations` here.
# pyright: reportUnknownMemberType=false
import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg

from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    format_short,
    hour_floor,
    now_us,
)
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import OHLC_TABLES, asset_key
from tick_pipeline.storage import RAW, StorageMode

_NAME = "freshness_check"
_DUE_US = 30 * US_PER_MINUTE
_DEADLINES = {"deadline_cron": "30 * * * *", "timezone": "UTC"}
# What Dagster's sensor and pages of freshness read; the docstring of build_time_partition_freshness_checks has them.
_PARAMETERS = "dagster/freshness_params"
_DEADLINE = "dagster/latest_cron_tick_timestamp"
_FRESH_UNTIL = "dagster/fresh_until_timestamp"


def freshness_checks(modes: tuple[StorageMode, ...]) -> list[dg.AssetChecksDefinition]:
    """`freshness_check` of raw and of the candles, all of them in one definition."""
    specs = [
        dg.AssetCheckSpec(
            _NAME,
            asset=asset_key(mode, table),
            description="The hour before the current one is materialized by half past.",
            metadata={_PARAMETERS: _DEADLINES},
        )
        for mode in modes
        for table in OHLC_TABLES
    ]

    @dg.multi_asset_check(name="freshness", specs=specs, can_subset=True)
    def freshness(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        now = now_us()
        for spec in specs:
            if spec.key in context.selected_asset_check_keys:
                yield judge(context.instance, spec.asset_key, now)

    return [freshness]


def freshness_sensor(
    checks: list[dg.AssetChecksDefinition], status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """`freshness_checks_sensor`, which has a check evaluated when what it found last has grown old."""
    with warnings.catch_warnings():
        # Superseded by FreshnessPolicy, like the check.
        warnings.simplefilter("ignore", dg.SupersessionWarning)
        return dg.build_sensor_for_freshness_checks(freshness_checks=checks, default_status=status)


def judge(instance: dg.DagsterInstance, key: dg.AssetKey, now: int) -> dg.AssetCheckResult:
    """Whether the hour that was due last is materialized.

    An hour before the first one that the mode's raw has was never due: the pipeline began later.

    Args:
        instance: whose materializations tell it.
        key: of the table.
        now: microseconds since the epoch.
    """
    deadline_us = hour_floor(now - _DUE_US) + _DUE_US
    hour_us = hour_floor(deadline_us) - US_PER_HOUR
    hour = partition_key(hour_us)
    made = hour in instance.get_materialized_partitions(key)
    raw = dg.AssetKey([key.path[0], RAW])
    first = None if made else min(instance.get_materialized_partitions(raw), default=None)
    began_later = first is not None and hour < first
    metadata: dict[str, Any] = {
        _PARAMETERS: _DEADLINES,
        _DEADLINE: dg.MetadataValue.timestamp(deadline_us / US_PER_SECOND),
    }
    if made or began_later:
        next_us = deadline_us + US_PER_HOUR
        metadata[_FRESH_UNTIL] = dg.MetadataValue.timestamp(next_us / US_PER_SECOND)
        told = f"{hour} is materialized" if made else f"nothing was due: raw begins with {first}"
    else:
        start, end = format_short(hour_us), format_short(hour_us + US_PER_HOUR)
        told = (
            f"{hour} was due by {format_short(deadline_us)} and is not materialized: is the schedule ohlc_hourly on, "
            f"or the sensor landed_hours? `tick-pipeline ohlc --start {start} --end {end}` makes it"
        )
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=_NAME,
        passed=made or began_later,
        severity=dg.AssetCheckSeverity.WARN,
        description=told,
        metadata=metadata,
    )
