"""How the stream stands: what it holds, who lags, and when something unread gets too old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.stream.port import Shard

if TYPE_CHECKING:
    from tick_pipeline.stream.layout import Listing


@dataclass(frozen=True)
class ConsumerStatus:
    """How far a consumer is behind, over all shards.

    Attributes:
        name: the consumer.
        positions: shard -> last sequence number read.
        lag_records: records that it can still read.
        lost_records: records that retention dropped before it read them.
        lag_seconds: age of the oldest record that it has not read; 0 when it has read all.
        expires_us: when retention may drop that record, microseconds; None when it has read all.
        overdue: that moment has passed, so only this consumer keeps the record.
    """

    name: str
    positions: dict[str, str]
    lag_records: int
    lost_records: int
    lag_seconds: float
    expires_us: int | None
    overdue: bool


@dataclass(frozen=True)
class StreamStatus:
    """The whole stream at one moment.

    Attributes:
        shards: each shard.
        consumers: each registered consumer, by name.
        records: records that can be read.
        bytes: their size on disk.
        segments: files that hold them.
        rejected: records refused and kept aside.
        newest_arrival_us: arrival of the newest record; None when there is none.
        retention_us: how long a record is kept at least, microseconds.
    """

    shards: tuple[Shard, ...]
    consumers: tuple[ConsumerStatus, ...]
    records: int
    bytes: int
    segments: int
    rejected: int
    newest_arrival_us: int | None
    retention_us: int


def describe_shard(
    shard_id: str, hashes: tuple[int, int], listing: Listing, size_bytes: int
) -> Shard:
    """A shard as the port tells it, from its listing; `hashes` is its half-open range."""
    segments = listing.segments
    return Shard(
        shard_id=shard_id,
        first_hash=hashes[0],
        end_hash=hashes[1],
        earliest=str(segments[0].first) if segments else None,
        latest=str(listing.latest) if listing.latest else None,
        records=sum(segment.count for segment in segments),
        bytes=size_bytes,
        oldest_arrival_us=segments[0].oldest_us if segments else None,
        newest_arrival_us=segments[-1].newest_us if segments else None,
    )


def consumer_status(
    name: str,
    positions: dict[str, str],
    listings: dict[str, Listing],
    *,
    now_us: int,
    retention_us: int,
) -> ConsumerStatus:
    """A consumer's lag, from the listings of all shards.

    Inside a merged segment the arrival of its first record counts, so an age is never too low.
    """
    lag = lost = 0
    unread_us: list[int] = []
    for shard_id, listing in listings.items():
        position = int(positions.get(shard_id, "0"))
        # A shard that it never read begins, for it, where the shard begins now.
        if shard_id in positions:
            lost += max(0, listing.earliest - 1 - position)
        oldest = max(position + 1, listing.earliest)
        lag += max(0, listing.latest + 1 - oldest)
        segment = listing.holding(oldest)
        if segment is not None:
            unread_us.append(segment.oldest_us)
    oldest_us = min(unread_us, default=None)
    expires_us = None if oldest_us is None else oldest_us + retention_us
    return ConsumerStatus(
        name=name,
        positions=positions,
        lag_records=lag,
        lost_records=lost,
        lag_seconds=0.0 if oldest_us is None else max(0, now_us - oldest_us) / US_PER_SECOND,
        expires_us=expires_us,
        overdue=expires_us is not None and expires_us <= now_us,
    )
