"""How much the stream took of late, and how evenly its shards took it."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.stream.intake import data_bytes
from tick_pipeline.stream.port import AtTimestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: Event times [start, end) in microseconds -> records that landed of each symbol; None where nobody tells.
    CountSymbols = Callable[[int, int], Mapping[str, int] | None]

    from tick_pipeline.stream.port import Shard
    from tick_pipeline.stream.segments import LocalStream

#: The last minutes of arrivals, as far as they tell a rate.
WINDOW_SECONDS = 300
#: Of one shard: enough for shares, and read in seconds.
_MOST_RECORDS = 1_000_000


@dataclass(frozen=True)
class ShardLoad:
    """What one shard took in the window.

    Attributes:
        shard_id: which.
        records: how many.
        newest_arrival_us: its newest record of all time, microseconds; None where nobody tells.
        hottest: the partition key with the most records; empty without records.
        hottest_records: how many those are.
    """

    shard_id: str
    records: int
    newest_arrival_us: int | None
    hottest: str
    hottest_records: int


@dataclass(frozen=True)
class StreamLoad:
    """What the stream took in a window of arrivals.

    Attributes:
        start_us: start of the window, microseconds.
        end_us: its end.
        known_since_us: nothing is known of before; 0 where all is.
        newest_arrival_us: the newest record since then; None without any.
        records: of the window.
        bytes: of the data of those records.
        throttled: records that the stream refused in the window for its throughput.
        shards: of each shard; None where nobody tells.
    """

    start_us: int
    end_us: int
    known_since_us: int
    newest_arrival_us: int | None
    records: int
    bytes: int
    throttled: int
    shards: tuple[ShardLoad, ...] | None


class StreamMeter(Protocol):
    """Tells what the stream took of late."""

    def measure(self, now_us: int, count_symbols: CountSymbols) -> StreamLoad:
        """The load of the last minutes in which records came.

        Args:
            now_us: this moment, microseconds.
            count_symbols: asked where the stream does not tell what each shard took: the symbol is the
                partition key.

        Raises:
            StreamError: the stream cannot be read.
            AwsError: AWS refused to tell.
        """
        ...


class LocalStreamMeter:
    """The port on the segments of HOME: partition keys are read, of the newest minutes."""

    def __init__(self, stream: LocalStream) -> None:
        self._stream = stream

    def measure(self, now_us: int, count_symbols: CountSymbols) -> StreamLoad:
        """See StreamMeter."""
        shards = self._stream.shards()
        arrivals = [shard.newest_arrival_us for shard in shards]
        newest_us = max((us for us in arrivals if us is not None), default=None)
        end_us = now_us if newest_us is None else newest_us + 1
        start_us = end_us - WINDOW_SECONDS * US_PER_SECOND
        sizes: list[int] = []
        loads = tuple(self._of_shard(shard, start_us, sizes) for shard in shards)
        return StreamLoad(
            start_us=start_us,
            end_us=end_us,
            known_since_us=0,
            newest_arrival_us=newest_us,
            records=sum(load.records for load in loads),
            bytes=sum(sizes),
            throttled=0,
            shards=loads,
        )

    def _of_shard(self, shard: Shard, start_us: int, sizes: list[int]) -> ShardLoad:
        keys: Counter[str] = Counter()
        for table in self._stream.read(
            shard.shard_id, AtTimestamp(start_us), max_records=_MOST_RECORDS
        ):
            for found in table["partitionKey"].value_counts().to_pylist():
                keys[found["values"]] += found["counts"]
            sizes.append(data_bytes(table["data"].combine_chunks()))
        return shard_load(shard, keys)


def shard_load(shard: Shard, keys: Mapping[str, int]) -> ShardLoad:
    """A shard's load from its records by partition key."""
    hottest, count = max(keys.items(), key=lambda item: item[1], default=("", 0))
    return ShardLoad(shard.shard_id, sum(keys.values()), shard.newest_arrival_us, hottest, count)
