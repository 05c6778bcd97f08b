"""One put into Kinesis: requests within its limits, each shard's in order, what is throttled again.

AWS promises no order within a PutRecords request, and the accepted records of a request are not undone
when others fail. So each shard has one request under way at a time, and the next one waits until every
record of the last was taken: a record that is put again comes after others of its own request, at most
499, and never after a later request's.
Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

# pyarrow and boto3 have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import threading
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.stream.backoff import PASSING
from tick_pipeline.stream.kinesis_shards import open_shards
from tick_pipeline.stream.sharding import hash_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tick_pipeline.stream.backoff import Backoff
    from tick_pipeline.stream.port import Shard

#: Its functions are made at run time, so no type checker knows them.
pc: Any = pyarrow.compute
#: Records of a request, and their bytes with keys and before base64. AWS takes 10 MiB since October 2025, and
#: 5 MiB before: what is within the older limit is taken by whatever speaks its protocol.
#: Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 5 * 1024 * 1024
#: Fewer than the connections that botocore keeps open, 10.
_MOST_IN_FLIGHT = 8
#: Digits of the largest hash key: what an ExplicitHashKey may add to a record.
_HASH_KEY_BYTES = 39


@dataclass(frozen=True)
class Lane:
    """The records of a put for one shard, in order.

    Attributes:
        entries: as PutRecords has them.
        sizes: bytes of each.
    """

    entries: list[dict[str, Any]]
    sizes: list[int]


@dataclass
class Put:
    """A put under way.

    Attributes:
        client: boto3's, of Kinesis.
        stream: its name.
        backoff: how a request is tried again.
        taken: records that AWS took so far.
        shard_ids: of the shards that took them.
    """

    client: Any
    stream: str
    backoff: Backoff
    taken: int = 0
    shard_ids: set[str] = field(default_factory=set[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def send(self, lanes: Sequence[Lane]) -> None:
        """Send every lane, several at a time; when one fails, the others end after their request.

        Raises:
            AwsError: AWS refused a request, or did not take records for as often as they were tried.
        """
        if len(lanes) == 1:
            self._send_lane(lanes[0])
            return
        with ThreadPoolExecutor(min(len(lanes), _MOST_IN_FLIGHT), "kinesis put") as pool:
            sent = [pool.submit(self._send_lane, lane) for lane in lanes]
            try:
                wait(sent)
            finally:
                # Else an interrupted put would go on to its end.
                self._stopped.set()
        for future in sent:
            future.result()

    def _send_lane(self, lane: Lane) -> None:
        try:
            for batch in cut_batches(lane.sizes):
                self._send_batch(lane.entries[batch])
        except BaseException:
            self._stopped.set()
            raise

    def _send_batch(self, entries: list[dict[str, Any]]) -> None:
        failures = without_progress = 0
        while entries and not self._stopped.is_set():
            left, why = self._request(entries)
            if left:
                failures += 1
                without_progress = without_progress + 1 if len(left) == len(entries) else 0
                if without_progress == self.backoff.attempts:
                    raise AwsError(f"{why} ({self.backoff.attempts} attempts)")
                self.backoff.wait(failures)
            entries = left

    def _request(self, entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """Those that were not taken, and why."""
        try:
            with aws_errors("sending records"):
                results = self.client.put_records(StreamName=self.stream, Records=entries)[
                    "Records"
                ]
        except AwsError as error:
            if error.code not in PASSING:
                raise
            return entries, str(error)
        failed = [
            (entry, result)
            for entry, result in zip(entries, results, strict=True)
            if result.get("ErrorCode")
        ]
        with self._lock:
            self.taken += len(entries) - len(failed)
            self.shard_ids.update(result["ShardId"] for result in results if result.get("ShardId"))
        left = [entry for entry, _ in failed]
        return left, _reason(failed[0][1]) if failed else ""


def cut_batches(sizes: Sequence[int]) -> Iterator[slice]:
    """Cut records into requests, in order: each at most 500 records and 5 MiB.

    Args:
        sizes: bytes of each record, none more than a request takes.
    """
    begin = total = 0
    for index, size in enumerate(sizes):
        if index - begin == MAX_BATCH_RECORDS or total + size > MAX_BATCH_BYTES:
            yield slice(begin, index)
            begin, total = index, 0
        total += size
    if begin < len(sizes):
        yield slice(begin, len(sizes))


def split_lanes(
    keys: pa.StringArray, data: pa.BinaryArray, shards: Sequence[Shard], pinned: Mapping[str, int]
) -> list[Lane]:
    """The records of each shard, in order; no key or data may be null.

    A shard that is split meanwhile breaks nothing: equal keys share a lane, and AWS finds the shard.

    Args:
        keys: partition keys.
        data: of the records.
        shards: of the stream.
        pinned: explicit hash keys by partition key.
    """
    starts = [shard.first_hash for shard in open_shards(shards)]
    distinct = keys.dictionary_encode()
    names: list[str] = distinct.dictionary.to_pylist()
    hashes = [pinned[name] if name in pinned else hash_key(name) for name in names]
    of_key = np.array([bisect_right(starts, value) for value in hashes], dtype=np.int64)
    of_record = of_key[distinct.indices.to_numpy()]
    return [
        _lane(keys.take(rows), data.take(rows), pinned)
        for index in np.unique(of_record).tolist()
        for rows in [pa.array(np.flatnonzero(of_record == index))]
    ]


def _lane(keys: pa.StringArray, data: pa.BinaryArray, pinned: Mapping[str, int]) -> Lane:
    sizes = pc.add(pc.binary_length(data), pc.add(pc.binary_length(keys), _HASH_KEY_BYTES))
    explicit = {name: {"ExplicitHashKey": str(value)} for name, value in pinned.items()}
    names: list[str] = keys.to_pylist()
    values: list[bytes] = data.to_pylist()
    return Lane(
        entries=[
            {"Data": value, "PartitionKey": name, **explicit.get(name, {})}
            for name, value in zip(names, values, strict=True)
        ],
        sizes=sizes.to_pylist(),
    )


def _reason(result: Mapping[str, str]) -> str:
    code, said = result["ErrorCode"], " ".join(result.get("ErrorMessage", "").split())
    if code == "ProvisionedThroughputExceededException":
        return (
            f"AWS throttles it ({said}); a shard takes 1,000 records and 1 MB a second: "
            "put fewer, or let the stream have more shards"
        )
    return f"AWS failed to take records ({code}: {said})"
