"""Reading one shard of Kinesis to its end as of a moment.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

# pyarrow and boto3 have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tick_pipeline.errors import AwsError, StreamError
from tick_pipeline.event_time import EPOCH, US_PER_MS
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.stream.kinesis_shards import MISSING
from tick_pipeline.stream.port import AfterSequence, AtTimestamp
from tick_pipeline.stream.segment_files import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.stream.backoff import Backoff
    from tick_pipeline.stream.port import Position

#: Records of a call.
MAX_PAGE_RECORDS = 10_000
#: Five calls a second and shard are all that its readers have together.
#: Source: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
_CALL_INTERVAL_SECONDS = 0.2
#: Arrival times within a shard are not quite in order.
_TIP_MARGIN_MS = 1000
#: AWS keeps arrival times in milliseconds.


class ShardReader:
    """Pages of one shard from a position on; what was read moves the position.

    Args:
        client: boto3's, of Kinesis.
        stream: its name.
        shard_id: which shard.
        position: where to begin.
        backoff: how a call is tried again.

    Raises:
        StreamError: the stream has no such shard, or the position is no sequence number.
        AwsError: AWS refused the position.
    """

    def __init__(
        self, client: Any, stream: str, shard_id: str, position: Position, backoff: Backoff
    ) -> None:
        self._client = client
        self._stream = stream
        self._shard_id = shard_id
        self._position = position
        self._backoff = backoff
        self._iterator: str | None = self._iterator_at(position)
        self._next_call_s = 0.0

    def read(self, called_s: float, max_records: int, end: int | None) -> Iterator[pa.Table]:
        """The records, one table a page, to the shard's end as of the call.

        Where the end lay is known by time alone, so what arrived within a second of it may come along.

        Args:
            called_s: when that was, by the monotonic clock.
            max_records: stop after that many.
            end: last sequence number to read, inclusive.

        Raises:
            AwsError: a call was refused, or throttled for as often as it was tried.
        """
        while self._iterator is not None and max_records > 0:
            asked_s = self._pace()
            answer = self._page(min(max_records, MAX_PAGE_RECORDS))
            records = self._from_position(answer["Records"])
            reached = False
            if end is not None and records:
                reached = int(records[-1]["SequenceNumber"]) >= end
                records = [record for record in records if int(record["SequenceNumber"]) <= end]
            self._iterator = answer.get("NextShardIterator")
            if records:
                self._position = AfterSequence(records[-1]["SequenceNumber"])
                max_records -= len(records)
                yield _table(self._shard_id, records)
            if reached or _caught_up(answer["MillisBehindLatest"], asked_s - called_s):
                return

    def _pace(self) -> float:
        """Wait for the next call's turn; the instant at which it is made."""
        early_s = self._next_call_s - time.monotonic()
        if early_s > 0:
            self._backoff.sleep(early_s)
        asked_s = time.monotonic()
        self._next_call_s = asked_s + _CALL_INTERVAL_SECONDS
        return asked_s

    def _page(self, limit: int) -> dict[str, Any]:
        def get() -> dict[str, Any]:
            with aws_errors(f"reading {self._shard_id} of the stream {self._stream}"):
                return self._client.get_records(ShardIterator=self._iterator, Limit=limit)

        for renewed in range(self._backoff.attempts):
            try:
                return self._backoff.call(get)
            except AwsError as error:  # noqa: PERF203  (a call over the network)
                if error.code != "ExpiredIteratorException":
                    raise
                if renewed:
                    self._backoff.wait(renewed)
                self._iterator = self._iterator_at(self._position)
        raise StreamError(
            f"reading {self._shard_id} of the stream {self._stream}: AWS let every one of "
            f"{self._backoff.attempts} new iterators expire at once; compare this machine's clock"
        )

    def _iterator_at(self, position: Position) -> str:
        where = _iterator_position(position)

        def get() -> str:
            with aws_errors(f"finding a position in {self._shard_id} of the stream {self._stream}"):
                return self._client.get_shard_iterator(
                    StreamName=self._stream, ShardId=self._shard_id, **where
                )["ShardIterator"]

        try:
            return self._backoff.call(get)
        except AwsError as error:
            if error.code == MISSING:
                raise StreamError(
                    f"the stream {self._stream} has no shard {self._shard_id!r} any more, or never had; "
                    "it keeps a closed one until its last record is older than the retention"
                ) from error
            raise

    def _from_position(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not isinstance(self._position, AtTimestamp):
            return records
        begin = _arrival(self._position)
        earlier = next(
            (n for n, item in enumerate(records) if item["ApproximateArrivalTimestamp"] >= begin),
            len(records),
        )
        return records[earlier:]


def sequence_number(text: str) -> int:
    """A sequence number of Kinesis as an integer: it has more than 64 bits, and no fixed width.

    Raises:
        StreamError: it is no decimal.
    """
    if not (text.isascii() and text.isdecimal()):
        raise StreamError(f"{text!r} is no sequence number of Kinesis; it must be a decimal")
    return int(text)


def _iterator_position(position: Position) -> dict[str, Any]:
    if isinstance(position, AtTimestamp):
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": _arrival(position)}
    if isinstance(position, AfterSequence):
        number = sequence_number(position.sequence_number)
        # As in the local stream, 0 stands before the first record.
        if number:
            return {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": position.sequence_number,
            }
    return {"ShardIteratorType": "TRIM_HORIZON"}


def _arrival(position: AtTimestamp) -> Any:
    return EPOCH + timedelta(milliseconds=position.arrival_us // US_PER_MS)


def _caught_up(behind_ms: int, since_call_s: float) -> bool:
    """Whether a page, asked for that long after the call, ends behind where the shard ended then."""
    return behind_ms == 0 or behind_ms + _TIP_MARGIN_MS <= since_call_s * 1000


def _table(shard_id: str, records: list[dict[str, Any]]) -> pa.Table:
    return pa.table(
        {
            "shardId": [shard_id] * len(records),
            "sequenceNumber": [record["SequenceNumber"] for record in records],
            "partitionKey": [record["PartitionKey"] for record in records],
            "approximateArrivalTimestamp": [
                record["ApproximateArrivalTimestamp"] for record in records
            ],
            "data": [record["Data"] for record in records],
        },
        schema=SCHEMA,
    )
