"""PutRecords that takes some records and not others, as AWS does: no emulator throttles.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import base64
import json
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tick_pipeline.stream.sharding import hash_key
from tick_pipeline_tests.twin.emulator import ACCOUNT
from tick_pipeline_tests.twin.gateway import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline_tests.twin.gateway import Gateway

THROTTLED = "ProvisionedThroughputExceededException"
FAILED = "InternalFailure"
_TARGET = "Kinesis_20131202"
_OK = 200


@dataclass
class _Capacity:
    """What a shard still takes: a second's worth at most, refilled as time goes."""

    records_per_second: float
    bytes_per_second: float
    records: float = 0.0
    bytes: float = 0.0
    refilled_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.records, self.bytes = self.records_per_second, self.bytes_per_second

    def takes(self, size_bytes: int) -> bool:
        now_s = time.monotonic()
        seconds, self.refilled_s = now_s - self.refilled_s, now_s
        self.records = min(
            self.records + seconds * self.records_per_second, self.records_per_second
        )
        self.bytes = min(self.bytes + seconds * self.bytes_per_second, self.bytes_per_second)
        if self.records < 1 or self.bytes < size_bytes:
            return False
        self.records -= 1
        self.bytes -= size_bytes
        return True


class KinesisLimits:
    """Off until a test turns one of its two switches; then it answers PutRecords.

    Attributes:
        requests: how many records each request had that was answered here.
    """

    target = _TARGET

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self.close()

    def close(self) -> None:
        """Switch off."""
        self.operations: frozenset[str] = frozenset()
        self.requests: list[int] = []
        self._refused: Callable[[int], bool] | None = None
        self._code = ""
        self._times = 0
        self._per_second: tuple[float, float] | None = None
        self._shards: dict[str, list[tuple[int, str, _Capacity]]] = {}

    def refuse(
        self, refused: Callable[[int], bool], *, code: str = THROTTLED, times: int = 1
    ) -> None:
        """Refuse records by their place in a request, in the next `times` requests."""
        self._refused, self._code, self._times = refused, code, times
        self.operations = frozenset({"PutRecords"})

    def limit_shards(
        self, records_per_second: float = 1000, bytes_per_second: float = 1_000_000
    ) -> None:
        """Let each shard take no more than that; AWS's own limits if not given."""
        self._per_second = (records_per_second, bytes_per_second)
        self.operations = frozenset({"PutRecords"})

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Let the emulator have what is taken, and say of the rest why it is not."""
        records: list[dict[str, Any]] = request["Records"]
        # One request at a time: a test counts on which is the next.
        with self._lock:
            self.requests.append(len(records))
            errors = self._errors(request["StreamName"], records)
            taken = [item for item, error in zip(records, errors, strict=True) if not error]
            results: list[dict[str, Any]] = []
            if taken:
                results = self._forward(operation, {**request, "Records": taken})["Records"]
        left = iter(results)
        return {
            "FailedRecordCount": len(records) - len(taken),
            "Records": [error or next(left) for error in errors],
        }

    def _errors(self, stream: str, records: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        if self._refused is not None and self._times > 0:
            self._times -= 1
            refused = self._refused
            return [_error(self._code, stream) if refused(n) else None for n in range(len(records))]
        if self._per_second is not None:
            return [self._error_of_shard(stream, record) for record in records]
        return [None] * len(records)

    def _error_of_shard(self, stream: str, record: dict[str, Any]) -> dict[str, Any] | None:
        shards = self._shards_of(stream)
        key = int(record.get("ExplicitHashKey") or hash_key(record["PartitionKey"]))
        place = bisect_right(shards, key, key=lambda shard: shard[0]) - 1
        _, shard_id, capacity = shards[place]
        size_bytes = len(base64.b64decode(record["Data"])) + len(record["PartitionKey"].encode())
        return None if capacity.takes(size_bytes) else _error(THROTTLED, stream, shard_id)

    def _shards_of(self, stream: str) -> list[tuple[int, str, _Capacity]]:
        assert self._per_second is not None
        if stream not in self._shards:
            listed = self._forward("ListShards", {"StreamName": stream})["Shards"]
            self._shards[stream] = sorted(
                (
                    (
                        int(shard["HashKeyRange"]["StartingHashKey"]),
                        str(shard["ShardId"]),
                        _Capacity(*self._per_second),
                    )
                    for shard in listed
                ),
                key=lambda shard: shard[0],
            )
        return self._shards[stream]

    def _forward(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{_TARGET}.{operation}",
        }
        status, _, body = self._gateway.forward("POST", "/", headers, json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(body)
        if status != _OK:
            raise RefusalError(
                str(answer.get("__type", "")), str(answer.get("message", "")), status
            )
        return answer


def kinesis_limits(gateway: Gateway) -> KinesisLimits:
    """Those of a gateway."""
    return next(service for service in gateway.services if isinstance(service, KinesisLimits))


def _error(code: str, stream: str, shard_id: str = "shardId-000000000000") -> dict[str, Any]:
    said = (
        f"Rate exceeded for shard {shard_id} in stream {stream} under account {ACCOUNT}."
        if code == THROTTLED
        else "Internal service failure."
    )
    return {"ErrorCode": code, "ErrorMessage": said}
