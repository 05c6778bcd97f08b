"""The stream on AWS: Kinesis Data Streams."""

# pyarrow and boto3 have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import sys
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import AwsError, BusyError, StreamError
from tick_pipeline.event_time import now_us
from tick_pipeline.stream.backoff import Backoff
from tick_pipeline.stream.intake import data_bytes, keep_refused, plain_arrays, refusal_reasons
from tick_pipeline.stream.kinesis_put import MAX_BATCH_RECORDS, Put, split_lanes
from tick_pipeline.stream.kinesis_read import ShardReader, sequence_number
from tick_pipeline.stream.kinesis_shards import (
    await_stream,
    list_shards,
    parents_first,
    pinned_hash_keys,
)
from tick_pipeline.stream.port import AtTimestamp, PutResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tick_pipeline.stream.port import Earliest, Position, Shard

_RECORDS_PER_PUT = 20 * MAX_BATCH_RECORDS


class KinesisStream:
    """The stream's adapter on AWS; nothing is called before the first put or read.

    Args:
        client: boto3's, of Kinesis.
        name: of the stream.
        rejected: where records that cannot be put are kept, as the local stream keeps them; created
            when there is one. None: a put with such a record is refused.
        pinned: hot symbols, each of which gets a shard by an explicit hash key.
        backoff: how a call that AWS throttles is tried again.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        rejected: Path | None,
        pinned: Sequence[str] = (),
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self._client = client
        self._rejected = rejected
        self._pinned = tuple(pinned)
        self._backoff = backoff or Backoff()
        self._ready = False
        self._known_shards: list[Shard] = []

    @property
    def records_per_put(self) -> int:
        """Twenty requests: seconds on a stream of one shard."""
        return _RECORDS_PER_PUT

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        """Put records, several shards at a time, each shard's in order.

        Where AWS throttles, a record may come after up to 499 that followed it. A record may come twice when
        an answer is lost: readers of the tables go by `event_id`.

        Args:
            partition_keys: one string per record.
            data: one byte string per record.

        Raises:
            StreamError: the arrays do not fit, there is no such stream, or not all records were taken:
                the message says how many were.
            AwsError: AWS does not let look at the stream; nothing was put.
        """
        keys, values, refused = self._acceptable(*plain_arrays(partition_keys, data))
        if len(values):
            self._send(keys, values)
        return PutResult(accepted=len(values), accepted_bytes=data_bytes(values), rejected=refused)

    def shards(self) -> list[Shard]:
        """Every shard that still holds records, open or closed, by id.

        Raises:
            StreamError: there is no such stream.
            AwsError: AWS refused to tell.
        """
        self._await()
        return list_shards(self._client, self.name)

    def read(
        self, shard_id: str, position: Position, *, max_records: int, end: str | None = None
    ) -> Iterator[pa.Table]:
        """Records from a position on, in sequence order, in tables of at most 10,000.

        The end is the shard's as of the call, give or take what arrived within a second of it. What
        retention dropped is passed over: Kinesis' numbers have holes, so nobody can tell.

        Args:
            shard_id: which shard.
            position: where to begin.
            max_records: stop after that many.
            end: last sequence number to read, inclusive; None reads to the end as of the call.

        Raises:
            StreamError: there is no such stream or shard, or a number is no sequence number.
            AwsError: AWS refused it, or throttled it for too long. (Also while iterating.)
        """
        self._await()
        last = None if end is None else sequence_number(end)
        return self._read(shard_id, position, time.monotonic(), max_records, last)

    def read_all(self, position: AtTimestamp | Earliest) -> Iterator[pa.Table]:
        """The records of all shards to the end as of the call, one shard after the other.

        A shard that was split or merged comes before those that it became, so a partition key's records
        are in the order in which they were put.

        Raises:
            StreamError: there is no such stream, or retention dropped a shard meanwhile.
            AwsError: AWS refused it, or throttled it for too long. (Also while iterating.)
        """
        called_s = time.monotonic()
        shards = parents_first(self.shards())
        return chain.from_iterable(
            self._read(shard.shard_id, position, called_s, sys.maxsize, None) for shard in shards
        )

    def _read(
        self,
        shard_id: str,
        position: Position,
        called_s: float,
        max_records: int,
        end: int | None,
    ) -> Iterator[pa.Table]:
        # AWS refuses an instant that is still to come.
        if isinstance(position, AtTimestamp) and position.arrival_us > now_us():
            return iter(())
        reader = ShardReader(self._client, self.name, shard_id, position, self._backoff)
        return reader.read(called_s, max_records, end)

    def _await(self) -> None:
        if not self._ready:
            await_stream(self._client, self.name, self._backoff.sleep)
            self._ready = True

    def _acceptable(
        self, keys: pa.StringArray, data: pa.BinaryArray
    ) -> tuple[pa.StringArray, pa.BinaryArray, int]:
        """What AWS can take, and how many records were kept aside."""
        reasons = refusal_reasons(keys, data)
        if reasons is None:
            return keys, data, 0
        bad, good = reasons.is_valid(), reasons.is_null()
        refused = len(data) - reasons.null_count
        if self._rejected is None:
            raise StreamError(
                f"a put of {len(data)} records into the stream {self.name} was refused, none was taken: of "
                f"{refused} of them {reasons.drop_null()[0]}; leave them out"
            )
        try:
            self._rejected.mkdir(parents=True, exist_ok=True)
            keep_refused(self._rejected, keys.filter(bad), data.filter(bad), reasons.filter(bad))
        except (OSError, BusyError) as error:
            raise StreamError(
                f"a put of {len(data)} records into the stream {self.name} failed, none was taken: {refused} "
                f"have to be kept in {self._rejected}, and {error}; see to the folder, then put them again"
            ) from error
        return keys.filter(good), data.filter(good), refused

    def _send(self, keys: pa.StringArray, data: pa.BinaryArray) -> None:
        self._await()
        shards = self._known_shards = self._known_shards or list_shards(self._client, self.name)
        put = Put(self._client, self.name, self._backoff)
        try:
            put.send(split_lanes(keys, data, shards, pinned_hash_keys(self._pinned, shards)))
        except AwsError as error:
            raise StreamError(
                f"a put of {len(data)} records into the stream {self.name} ended early, {put.taken} were taken and "
                f"{len(data) - put.taken} were not: {error}; then put them again, one that comes twice counts once"
            ) from error
        finally:
            # A shard that is new tells of a split or a merge.
            if not put.shard_ids <= {shard.shard_id for shard in shards if shard.is_open}:
                self._known_shards = []
