"""Kinesis in memory, for what the emulator does not do: shards with parents, streams that are being made."""

# botocore has no types
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tick_pipeline.stream.sharding import HASH_SPACE, hash_key

if TYPE_CHECKING:
    from collections.abc import Callable

ARRIVAL = datetime(2026, 3, 2, 10, tzinfo=timezone.utc)


@dataclass
class FakeShard:
    """One shard: a half-open range of hashes, and its records."""

    shard_id: str
    first_hash: int = 0
    end_hash: int = HASH_SPACE
    is_open: bool = True
    parents: tuple[str, ...] = ()
    records: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def description(self) -> dict[str, Any]:
        """As ListShards tells it."""
        parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), self.parents, strict=False))
        ending = {} if self.is_open else {"EndingSequenceNumber": "9" * 56}
        return {
            "ShardId": self.shard_id,
            "HashKeyRange": {
                "StartingHashKey": str(self.first_hash),
                "EndingHashKey": str(self.end_hash - 1),
            },
            "SequenceNumberRange": {"StartingSequenceNumber": "1", **ending},
            **parents,
        }


@dataclass
class _Meta:
    region_name: str = "us-east-1"


@dataclass
class FakeKinesis:
    """boto3's client, as far as the adapter calls it.

    Attributes:
        shards: of its one stream.
        statuses: what it is in, call by call; the last one stays.
        refuses: whether a record of a request is throttled, by request and place.
        page_shards: shards of a page of ListShards.
        page_records: records of a page of GetRecords.
        behind_ms: what GetRecords tells before the last page.
        requests: the records of each PutRecords.
        calls: each call's name and arguments.
    """

    shards: list[FakeShard] = field(default_factory=lambda: [FakeShard("shardId-000000000000")])
    statuses: list[str] = field(default_factory=lambda: ["ACTIVE"])
    refuses: Callable[[int, int], bool] = lambda _request, _place: False
    page_shards: int = 1000
    page_records: int = 10_000
    behind_ms: int = 3_600_000
    requests: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    calls: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    meta: _Meta = field(default_factory=_Meta)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def describe_stream_summary(self, **asked: Any) -> dict[str, Any]:
        """The next status."""
        self.calls.append(("describe_stream_summary", asked))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"StreamDescriptionSummary": {"StreamStatus": status}}

    def list_shards(self, **asked: Any) -> dict[str, Any]:
        """A page of the shards; a token takes the place of the stream's name."""
        self.calls.append(("list_shards", asked))
        assert len(asked) == 1
        begin = int(asked.get("NextToken", 0))
        end = begin + self.page_shards
        more = {"NextToken": str(end)} if end < len(self.shards) else {}
        return {"Shards": [shard.description() for shard in self.shards[begin:end]], **more}

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take what is not refused."""
        place = len(self.requests)
        self.requests.append(Records)
        results = [
            {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
            if self.refuses(place, n)
            else self._take(record)
            for n, record in enumerate(Records)
        ]
        return {
            "FailedRecordCount": sum("ErrorCode" in item for item in results),
            "Records": results,
        }

    def get_shard_iterator(self, **asked: Any) -> dict[str, Any]:
        """`<shard>/<place of the next record>`."""
        self.calls.append(("get_shard_iterator", asked))
        records = self._shard(asked["ShardId"]).records
        place = 0
        if asked["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER":
            after = int(asked["StartingSequenceNumber"])
            place = sum(int(record["SequenceNumber"]) <= after for record in records)
        return {"ShardIterator": f"{asked['ShardId']}/{place}"}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803
        """A page; the last one of a closed shard leads no further."""
        shard_id, _, place = ShardIterator.partition("/")
        shard, begin = self._shard(shard_id), int(place)
        records = shard.records[begin : begin + min(Limit, self.page_records)]
        end = begin + len(records)
        is_last = end == len(shard.records)
        following = {"NextShardIterator": f"{shard_id}/{end}"}
        return {
            "Records": records,
            "MillisBehindLatest": 0 if is_last else self.behind_ms,
            **({} if is_last and not shard.is_open else following),
        }

    def _take(self, record: dict[str, Any]) -> dict[str, Any]:
        value = int(record.get("ExplicitHashKey") or hash_key(record["PartitionKey"]))
        shard = next(
            item
            for item in self.shards
            if item.is_open and item.first_hash <= value < item.end_hash
        )
        number = next(self._numbers)
        # Their width in AWS: 56 digits.
        sequence = str(49 * 10**54 + number)
        shard.records.append(
            {
                "SequenceNumber": sequence,
                "ApproximateArrivalTimestamp": ARRIVAL + timedelta(milliseconds=number),
                "PartitionKey": record["PartitionKey"],
                "Data": record["Data"],
            }
        )
        return {"SequenceNumber": sequence, "ShardId": shard.shard_id}

    def _shard(self, shard_id: str) -> FakeShard:
        for shard in self.shards:
            if shard.shard_id == shard_id:
                return shard
        raise ClientError(
            {"Error": {"Code": "ResourceNotFoundException", "Message": "no shard"}},
            "GetShardIterator",
        )
