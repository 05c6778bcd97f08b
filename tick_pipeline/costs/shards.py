"""Shards of a stream: how many a load needs, which limit decides, and which symbols no shard carries. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

from tick_pipeline.costs import quotas
from tick_pipeline.costs.units import PUT_UNIT_BYTES
from tick_pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The two Firehoses and the streaming job.
DEFAULT_READERS = 3


@dataclass(frozen=True)
class Shards:
    """Shards of a stream, and why so many.

    Attributes:
        by_bytes: for what is written, at 1 MB/s a shard.
        by_records: for what is written, at 1,000 records/s a shard.
        by_reading: for what all readers take together, at 2 MB/s a shard.
        needed: the most of them, at least one.
        decided_by: which of the three needs so many.
        put_units_per_record: of 25 KB each, as provisioned shards bill them.
        put_units_per_second: of all records.
        largest_share: of all records, that one partition key may have: a key is in one shard.
    """

    by_bytes: int
    by_records: int
    by_reading: int
    needed: int
    decided_by: tuple[str, ...]
    put_units_per_record: int
    put_units_per_second: float
    largest_share: float


@dataclass(frozen=True)
class HotSymbol:
    """A symbol that one shard cannot carry; more shards do not help.

    Attributes:
        symbol: the partition key.
        share: of all records.
        shards: that it would fill.
    """

    symbol: str
    share: float
    shards: float


def shards_for(
    records_per_second: Decimal,
    record_bytes: int,
    *,
    readers: int = DEFAULT_READERS,
    headroom: Decimal = Decimal(0),
) -> Shards:
    """How many shards a stream needs.

    Args:
        records_per_second: at the peak.
        record_bytes: of one record.
        readers: that share a shard's 2 MB/s; consumers with enhanced fan-out are none of them.
        headroom: more than the load, as a fraction of it.
    """
    records = records_per_second * (1 + headroom)
    size_bytes = records * record_bytes
    by = {
        "bytes": ceil(size_bytes / quotas.SHARD_WRITE_BYTES_PER_SECOND),
        "records": ceil(records / quotas.SHARD_WRITE_RECORDS_PER_SECOND),
        "reading": ceil(size_bytes * readers / quotas.SHARD_READ_BYTES_PER_SECOND),
    }
    most = max(by.values())
    units = -(-record_bytes // PUT_UNIT_BYTES)
    filled = max(_shards_filled(records, record_bytes, readers), Decimal(1))
    return Shards(
        by_bytes=by["bytes"],
        by_records=by["records"],
        by_reading=by["reading"],
        needed=max(1, most),
        decided_by=tuple(name for name, count in by.items() if count == most and most),
        put_units_per_record=units,
        put_units_per_second=float(units * records_per_second),
        largest_share=float(1 / filled),
    )


def find_hot_symbols(
    shares: Mapping[str, Decimal], records_per_second: Decimal, record_bytes: int, readers: int
) -> tuple[HotSymbol, ...]:
    """Symbols that are more than a shard carries, the hottest first.

    Args:
        shares: symbol -> its fraction of all records.
        records_per_second: of all symbols.
        record_bytes: of one record.
        readers: that share a shard.

    Raises:
        InputError: a share is no fraction, or they are more than the whole.
    """
    wrong = [
        f"{name}={share}"
        for name, share in shares.items()
        if not (share.is_finite() and 0 <= share <= 1)
    ]
    if wrong or sum(shares.values()) > 1:
        told = ", ".join(wrong) or f"together they are {sum(shares.values())}"
        raise InputError(f"shares of symbols must be fractions of all records, as AAPL=0.3: {told}")
    filled = {
        name: _shards_filled(share * records_per_second, record_bytes, readers)
        for name, share in shares.items()
    }
    return tuple(
        HotSymbol(name, float(shares[name]), round(float(shards), 3))
        for name, shards in sorted(filled.items(), key=lambda item: -item[1])
        if shards > 1
    )


def _shards_filled(records_per_second: Decimal, record_bytes: int, readers: int) -> Decimal:
    """Shards that records of one key would fill, by the narrowest of the three limits."""
    size_bytes = records_per_second * record_bytes
    return max(
        size_bytes / quotas.SHARD_WRITE_BYTES_PER_SECOND,
        records_per_second / quotas.SHARD_WRITE_RECORDS_PER_SECOND,
        size_bytes * readers / quotas.SHARD_READ_BYTES_PER_SECOND,
    )
