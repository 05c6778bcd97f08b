"""Where the streaming job reads: the segment files of the local stream, or Kinesis on Glue.

Both have the columns of the Kinesis source: sequenceNumber, partitionKey,
approximateArrivalTimestamp, data; and the shard's id.
"""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import functions as F  # noqa: N812  (pyspark's own custom)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

_SCHEMA = (
    "shardId string, sequenceNumber string, partitionKey string, "
    "approximateArrivalTimestamp timestamp, data binary"
)
#: The longest that any file may have waited: the source would otherwise skip a stream of last week.
_ANY_AGE = "36500d"


class StreamSource(Protocol):
    """A stream that the job reads."""

    @property
    def dense(self) -> bool:
        """Whether it numbers a shard's records without a hole."""
        ...

    def read(self, spark: SparkSession) -> DataFrame:
        """The stream's records."""
        ...

    def first(self, shard: str) -> int:
        """The position before the oldest record that is streamed of a shard."""
        ...

    def is_gone(self, shard: str, position: int) -> bool:
        """Whether a shard no longer holds a position that it once had."""
        ...


@dataclass(frozen=True)
class SegmentSource:
    """The local stream: Parquet segments, one folder per shard.

    Attributes:
        root: the stream's folder.
        files_per_batch: segments in a micro-batch, at most.
    """

    root: Path
    files_per_batch: int
    dense: bool = True

    def read(self, spark: SparkSession) -> DataFrame:
        """The stream's records; old merged segments lie outside of what is streamed."""
        return (
            spark.readStream.schema(_SCHEMA)
            .option("maxFilesPerTrigger", self.files_per_batch)
            .option("maxFileAge", _ANY_AGE)
            .option("pathGlobFilter", "[0-9]*.parquet")
            .parquet(f"file://{self.root}/shard-*")
        )

    def first(self, shard: str) -> int:
        """The position before the oldest record that is streamed of a shard."""
        return min((first for first, _ in self._segments(shard)), default=1) - 1

    def is_gone(self, shard: str, position: int) -> bool:
        """Whether retention dropped a position: a put that is under way has not named it yet."""
        return not any(first <= position < end for first, end in self._segments(shard))

    def _segments(self, shard: str) -> list[tuple[int, int]]:
        """First position and end of each streamed segment, as their names tell."""
        names = [path.name.split("-") for path in (self.root / shard).glob("[0-9]*.parquet")]
        return [(int(first), int(first) + int(count)) for first, count, *_ in names]


@dataclass(frozen=True)
class KinesisSource:
    """Kinesis Data Streams, by the source `kinesis` that Glue has on its class path.

    It tells no shard, but a record's partition key does: shards are ranges of its MD5, unless the
    producer puts the key elsewhere by an explicit hash key.
    Source: https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html#partition-key

    The shards are those that were open when the run began; under their names records are ordered and
    scored. So those of a shard that a reshard closed before come under the name of what took its range
    over, and those of shards that a reshard opens during the run under the name of the one that they came
    from. Where two shards share a name, they share one sequence: a record that comes after a later number
    of the other is taken for seen. Its anomalies are left to the batch job, which reads the raw tables; a
    run that begins after the reshard knows the new shards.

    Attributes:
        stream: name of the stream.
        endpoint: URL of the service.
        shards: id of each open shard and the first hash key of its range, 32 hexadecimal digits.
        consumer: ARN of a registered consumer, which has 2 MB/s a shard of its own (enhanced fan-out);
            empty to share the shards' common 2 MB/s.
        pinned: partition key -> id of the shard that the producer puts it into.
    """

    stream: str
    endpoint: str
    shards: tuple[tuple[str, str], ...]
    consumer: str = ""
    pinned: Mapping[str, str] = field(default_factory=dict[str, str])
    dense: bool = False

    def read(self, spark: SparkSession) -> DataFrame:
        """The stream's records, from the oldest on."""
        reader = (
            spark.readStream.format("kinesis")
            .option("streamName", self.stream)
            .option("endpointUrl", self.endpoint)
            .option("startingposition", "TRIM_HORIZON")
        )
        if self.consumer:
            # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-kinesis-efo.html
            reader = reader.option("fanoutConsumerARN", self.consumer)
        records = reader.load()
        return records.withColumn("shardId", F.expr(shard_of_key(self.shards, self.pinned)))

    def first(self, shard: str) -> int:
        """The position before the oldest record that is streamed of a shard."""
        return -1

    def is_gone(self, shard: str, position: int) -> bool:
        """Whether a shard no longer holds a position that it once had."""
        return False


def shard_of_key(shards: Iterable[tuple[str, str]], pinned: Mapping[str, str] | None = None) -> str:
    """SQL for the shard of a record's partitionKey.

    Args:
        shards: id and first hash key, 32 hexadecimal digits, of ranges that leave no key out.
        pinned: partition key -> id of its shard, whatever its hash.
    """
    highest_first = sorted(shards, key=lambda shard: shard[1].lower(), reverse=True)
    branches = [
        f"when partitionKey = {_text(key)} then {_text(shard)}"
        for key, shard in (pinned or {}).items()
    ]
    branches += [
        f"when md5(partitionKey) >= {_text(first.lower())} then {_text(shard)}"
        for shard, first in highest_first
    ]
    return f"case {' '.join(branches)} end"


def _text(value: str) -> str:
    """A literal of Spark's SQL."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
