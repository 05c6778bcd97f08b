"""What the Kinesis stream took of late, by what it tells CloudWatch each minute.

Source: https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.resources.aws.metrics import PERIOD_SECONDS, metric_query, read_metrics
from tick_pipeline.stream.kinesis_shards import open_shards, pinned_shards
from tick_pipeline.stream.load import WINDOW_SECONDS, ShardLoad, StreamLoad, shard_load
from tick_pipeline.stream.sharding import hash_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.stream.kinesis import KinesisStream
    from tick_pipeline.stream.load import CountSymbols
    from tick_pipeline.stream.port import Shard

_LOOK_BACK_US = 3 * 3600 * US_PER_SECOND
_PERIOD_US = PERIOD_SECONDS * US_PER_SECOND
_RECORDS, _BYTES, _THROTTLED = (
    "IncomingRecords",
    "IncomingBytes",
    "WriteProvisionedThroughputExceeded",
)


class KinesisMeter:
    """The port on the stream's metrics; see stream/load.py.

    What each shard took, Kinesis tells only where it is paid to (enhanced monitoring), and reading it would
    take from what the Firehoses may read: it is worked out of what landed.

    Args:
        clients: of AWS.
        stream: the stream.
        pinned: symbols that have a shard by setting.
    """

    def __init__(self, clients: AwsClients, stream: KinesisStream, pinned: Sequence[str]) -> None:
        self._clients = clients
        self._stream = stream
        self._pinned = pinned

    def measure(self, now_us: int, count_symbols: CountSymbols) -> StreamLoad:
        """See StreamMeter."""
        since_us = now_us - _LOOK_BACK_US
        queries = [
            metric_query(name.lower(), "AWS/Kinesis", name, "StreamName", self._stream.name, "Sum")
            for name in (_RECORDS, _BYTES, _THROTTLED)
        ]
        found = read_metrics(self._clients, queries, since_us, now_us, of=self._stream.name)
        arrivals = [at_us for at_us, count in found.get(_RECORDS.lower(), []) if count]
        newest_us = max(arrivals, default=None)
        end_us = now_us if newest_us is None else newest_us + _PERIOD_US
        start_us = end_us - WINDOW_SECONDS * US_PER_SECOND

        def total(name: str) -> int:
            points = found.get(name.lower(), [])
            return round(sum(value for at_us, value in points if start_us <= at_us < end_us))

        return StreamLoad(
            start_us=start_us,
            end_us=end_us,
            known_since_us=since_us,
            newest_arrival_us=newest_us,
            records=total(_RECORDS),
            bytes=total(_BYTES),
            throttled=total(_THROTTLED),
            shards=self._shards(count_symbols(start_us, end_us)),
        )

    def _shards(self, counts: Mapping[str, int] | None) -> tuple[ShardLoad, ...] | None:
        if counts is None:
            return None
        return loads_by_symbol(counts, self._stream.shards(), self._pinned)


def loads_by_symbol(
    counts: Mapping[str, int], shards: Sequence[Shard], pinned: Sequence[str]
) -> tuple[ShardLoad, ...]:
    """The load of the open shards, from how many records each symbol had.

    Args:
        counts: symbol -> records.
        shards: of the stream.
        pinned: symbols that have a shard by setting.
    """
    taking = open_shards(shards)
    placed = pinned_shards(pinned, taking)
    keys: dict[str, dict[str, int]] = {shard.shard_id: {} for shard in taking}
    for symbol, count in counts.items():
        hashed = hash_key(symbol)
        by_hash = next(s.shard_id for s in taking if s.first_hash <= hashed < s.end_hash)
        keys[placed.get(symbol, by_hash)][symbol] = count
    return tuple(shard_load(shard, keys[shard.shard_id]) for shard in taking)
