"""How far each Firehose is in the stream, by what it and the stream tell CloudWatch.

Nobody can ask a Firehose for its position. It tells how long ago it took the oldest record that it has not delivered, and
how far behind the stream's newest record it reads: whatever came to the stream before both has been delivered
(https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html,
https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-metric.html). A Firehose that has nothing to deliver, or
whose delivery is blocked, tells no age; that it reads at the stream's end while no record comes tells the first apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND, format_short
from tick_pipeline.resources.aws.metrics import PERIOD_SECONDS, metric_query, read_metrics
from tick_pipeline.resources.landing import DeliveryPosition
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.resources.aws.clients import AwsClients

#: As terraform/alarms.tf watches them.
FRESHNESS = {
    StorageMode.ICEBERG: "DeliveryToIceberg.DataFreshness",
    StorageMode.PARQUET_PROJECTION: "DeliveryToS3.DataFreshness",
}
_LOOK_BACK_US = 3 * 3600 * US_PER_SECOND
_PERIOD_US = PERIOD_SECONDS * US_PER_SECOND
_INCOMING, _BEHIND = "incoming", "behind"
_METRIC_BEHIND = "KinesisMillisBehindLatest"


@dataclass(frozen=True)
class Signals:
    """What CloudWatch has of the last hours, each a list of (start of its minute in microseconds, value).

    Attributes:
        freshness: age of the oldest undelivered record since Firehose took it, seconds.
        behind: how far behind the stream's newest record Firehose reads, milliseconds.
        incoming: records that the stream took.
    """

    freshness: list[tuple[int, float]]
    behind: list[tuple[int, float]]
    incoming: list[tuple[int, float]]


def read_signals(
    clients: AwsClients, stream: str, firehoses: Mapping[StorageMode, str], now_us: int
) -> dict[StorageMode, Signals]:
    """The signals of each mode's Firehose and of the stream, by one call.

    Raises:
        AwsError: CloudWatch refused, or did not answer.
    """
    queries = [
        metric_query(
            mode.value, "AWS/Firehose", FRESHNESS[mode], "DeliveryStreamName", name, "Maximum"
        )
        for mode, name in firehoses.items()
    ]
    queries += [
        metric_query(
            f"{_BEHIND}_{mode}",
            "AWS/Firehose",
            _METRIC_BEHIND,
            "DeliveryStreamName",
            name,
            "Maximum",
        )
        for mode, name in firehoses.items()
    ]
    queries.append(
        metric_query(_INCOMING, "AWS/Kinesis", "IncomingRecords", "StreamName", stream, "Sum")
    )
    found = read_metrics(
        clients,
        queries,
        now_us - _LOOK_BACK_US,
        now_us,
        of=", ".join([*firehoses.values(), stream]),
    )
    incoming = found.get(_INCOMING, [])
    return {
        mode: Signals(found.get(mode.value, []), found.get(f"{_BEHIND}_{mode}", []), incoming)
        for mode in firehoses
    }


def judge(
    metric: str, signals: Signals, *, now_us: int, close_after_seconds: int
) -> DeliveryPosition:
    """Whether a closed hour, which ended `close_after_seconds` ago or earlier, has been delivered.

    Args:
        metric: that tells the freshness, to name it.
        signals: of the Firehose and the stream.
        now_us: microseconds.
        close_after_seconds: as the settings have it.
    """
    close_after_us = close_after_seconds * US_PER_SECOND
    newest, reads = max(signals.freshness, default=None), max(signals.behind, default=None)
    done_us, told = now_us - _LOOK_BACK_US, f"there is no {metric}"
    if newest is not None:
        done_us, told = _delivered_until(metric, newest, signals.behind)
        if now_us - done_us < close_after_us:
            description = f"all that came before {format_short(done_us)}: {told}"
            return DeliveryPosition(
                caught_up=True, description=description, delivered_until_us=done_us
            )
        if now_us - newest[0] < close_after_us and newest[0] - done_us >= close_after_us:
            return DeliveryPosition(
                caught_up=False, description=f"behind: {told}", delivered_until_us=done_us
            )
    arrivals = [start_us for start_us, count in signals.incoming if count]
    last_us = max(arrivals, default=None)
    delivered_after = last_us is None or (newest is not None and newest[0] > last_us)
    is_idle = last_us is None or now_us - last_us >= close_after_us
    if is_idle and delivered_after and reads is not None and not reads[1]:
        came = (
            "no record came"
            if last_us is None
            else "it delivered after the last records, which came"
        )
        when = (
            f"since {format_short(done_us)}" if last_us is None else f"at {format_short(last_us)}"
        )
        return DeliveryPosition(
            caught_up=True, description=f"all: {came} {when}", delivered_until_us=now_us
        )
    count = sum(came for start_us, came in signals.incoming if start_us >= done_us)
    reading = (
        "tells nothing" if reads is None else f"reads {reads[1] / 1000:,.0f} s behind the stream"
    )
    description = f"not known: {count:,.0f} records came since {format_short(done_us)}, {told}, and it {reading}"
    return DeliveryPosition(caught_up=False, description=description, delivered_until_us=done_us)


def oldest_waiting_us(signals: Signals) -> int | None:
    """When Firehose took the oldest record that it had not delivered when it told last; microseconds."""
    newest = max(signals.freshness, default=None)
    return None if newest is None else newest[0] - round(newest[1] * US_PER_SECOND)


def _delivered_until(
    metric: str, newest: tuple[int, float], behind: list[tuple[int, float]]
) -> tuple[int, str]:
    """Before when all that came has been delivered, as the newest freshness tells, and that in words."""
    at_us, seconds = newest
    taken_us = at_us - round(seconds * US_PER_SECOND)
    # It may have been behind the stream when it took what it has not delivered.
    while_taken = [value for start_us, value in behind if start_us > taken_us - _PERIOD_US]
    behind_us = round(max(while_taken, default=0.0) * 1000)
    told = f"{metric} was {seconds:,.0f} s at {format_short(at_us)}"
    if behind_us:
        told += f", reading {behind_us / US_PER_SECOND:,.0f} s behind the stream"
    return taken_us - behind_us, told
