"""What reads a stream for one delivery stream, gathers records, and has them delivered when it is time."""

from __future__ import annotations

import http.client
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from tick_pipeline_tests.twin.emulator import REGION
from tick_pipeline_tests.twin.firehose_records import Arrived

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tick_pipeline_tests.twin.firehose_delivery import Destination, Metrics

NAMESPACE = "AWS/Firehose"

_REQUEST_SECONDS = 30.0
_READ_RECORDS = 10_000
#: AWS reads each shard once a second; a test has no time for that.
_IDLE_SECONDS = (0.02, 0.25)
_RETRY_SECONDS = 0.2
_RESHARD_SECONDS = 2.0
#: Between metrics while records wait, and while nothing comes. AWS sends them each minute.
_REPORT_SECONDS = (1.0, 5.0)
_CLOSE_SECONDS = 120.0


@dataclass
class Switches:
    """What real Firehoses do at times: all off, until a test wants it.

    Attributes:
        duplicate_every: deliver each record of this number twice; 0 for none.
        flush_delay_seconds: flush so much later than BufferingHints say.
        schema_cached: converting streams keep the columns that they read first.
        released: cleared while no delivery may begin.
    """

    duplicate_every: int = 0
    flush_delay_seconds: float = 0.0
    schema_cached: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """All off."""
        self.duplicate_every, self.flush_delay_seconds, self.schema_cached = 0, 0.0, False
        self.released.set()


class _Record(msgspec.Struct, rename="pascal"):
    data: bytes
    sequence_number: str
    approximate_arrival_timestamp: float


class _Records(msgspec.Struct, rename="pascal"):
    records: list[_Record]
    millis_behind_latest: int = 0
    next_shard_iterator: str | None = None


class StreamReader:
    """Reads a Kinesis stream from where it ends now, without boto3: that takes longer than all else."""

    def __init__(self, url: str, stream: str) -> None:
        """Take a position in each shard.

        AWS begins at LATEST, too: https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html

        Args:
            url: of Kinesis.
            stream: its name.
        """
        self._connection = http.client.HTTPConnection(
            urlsplit(url).netloc, timeout=_REQUEST_SECONDS
        )
        self._stream = stream
        self._iterators: dict[str, str | None] = {}
        self._records = msgspec.json.Decoder(_Records)
        self._find_shards("LATEST")
        self.millis_behind = 0

    def read(self) -> Iterator[list[Arrived]]:
        """Read once from each shard, also from those that have come."""
        if time.monotonic() > self._look_again_at:
            self._find_shards("TRIM_HORIZON")
        self.millis_behind = 0
        for shard, iterator in list(self._iterators.items()):
            if iterator is None:
                continue
            request = {"ShardIterator": iterator, "Limit": _READ_RECORDS}
            answer = self._records.decode(self._call("GetRecords", request))
            self._iterators[shard] = answer.next_shard_iterator
            self.millis_behind = max(self.millis_behind, answer.millis_behind_latest)
            yield [
                Arrived(
                    one.data, one.sequence_number, int(one.approximate_arrival_timestamp * 1000)
                )
                for one in answer.records
            ]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _find_shards(self, position: str) -> None:
        self._look_again_at = time.monotonic() + _RESHARD_SECONDS
        shards = msgspec.json.decode(self._call("ListShards", {"StreamName": self._stream}))
        for shard in shards["Shards"]:
            name = shard["ShardId"]
            if name not in self._iterators:
                request = {
                    "StreamName": self._stream,
                    "ShardId": name,
                    "ShardIteratorType": position,
                }
                answer = msgspec.json.decode(self._call("GetShardIterator", request))
                self._iterators[name] = answer["ShardIterator"]

    def _call(self, operation: str, request: dict[str, Any]) -> bytes:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"Kinesis_20131202.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/kinesis/aws4_request",
        }
        try:
            self._connection.request("POST", "/", msgspec.json.encode(request), headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if response.status != http.HTTPStatus.OK:
            raise ConnectionError(f"{operation} of {self._stream}: {body.decode(errors='replace')}")
        return body


@dataclass
class Pump:
    """The thread of one delivery stream.

    Attributes:
        name: of the delivery stream.
        reader: of its source.
        destination: where batches go.
        cloudwatch: boto3's client, for its metrics.
        interval_seconds: how long records are gathered.
        size_bytes: how many.
        switches: of the service.
        failure: what the last delivery or read failed by; empty once one succeeded.
    """

    name: str
    reader: StreamReader
    destination: Destination
    cloudwatch: Any
    interval_seconds: float
    size_bytes: int
    switches: Switches
    failure: str = ""
    _buffer: list[Arrived] = field(default_factory=list[Arrived])
    _buffered_bytes: int = 0
    _buffered_since: float = 0.0
    _count: int = 0
    _asked: int = 0
    _answered: int = 0
    _report_at: float = 0.0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name=f"Firehose {self.name}", daemon=True)
        self._thread.start()

    def ask(self) -> int:
        """Ask for all that is in the stream now; what to wait for."""
        with self._changed:
            self._asked += 1
            return self._asked

    def wait(self, asked: int, deadline: float) -> bool:
        """Wait until it was delivered; whether it was, by then."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._answered >= asked, timeout=max(0.0, deadline - time.monotonic())
            )

    def close(self) -> None:
        """Stop at once, or after the delivery that goes on: the next test must not find it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        self.reader.close()

    def _run(self) -> None:
        idle = _IDLE_SECONDS[0]
        while not self._stop.is_set():
            try:
                moved = self._turn()
            except Exception:  # noqa: BLE001  (told by drain; AWS tries again, too)
                self.failure = traceback.format_exc()
                self._stop.wait(_RETRY_SECONDS)
                continue
            idle = _IDLE_SECONDS[0] if moved else min(idle * 2, _IDLE_SECONDS[1])
            if not moved:
                self._stop.wait(idle)

    def _turn(self) -> bool:
        """Read once, and deliver if it is time; whether there was anything to do."""
        asked = self._asked
        found = 0
        for records in self.reader.read():
            self._take(records)
            found += len(records)
        at_end = found == 0
        hurried = at_end and asked > self._answered
        if self._is_due(hurried=hurried) and self.switches.released.is_set():
            self._deliver()
        elif at_end:
            self._report()
        if hurried and not self._buffer:
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
        return not at_end

    def _take(self, records: Sequence[Arrived]) -> None:
        if records and not self._buffer:
            self._buffered_since = time.monotonic()
        for record in records:
            self._buffer.append(record)
            self._buffered_bytes += len(record.data)
            self._count += 1
            if self.switches.duplicate_every and self._count % self.switches.duplicate_every == 0:
                self._buffer.append(record)

    def _is_due(self, *, hurried: bool) -> bool:
        if not self._buffer:
            return False
        waited = time.monotonic() - self._buffered_since - self.switches.flush_delay_seconds
        full = self._buffered_bytes >= self.size_bytes and waited >= 0
        return full or waited >= (0 if hurried else self.interval_seconds)

    def _deliver(self) -> None:
        metrics = self.destination.deliver(self._buffer)
        metrics[self.destination.freshness] = self._age_seconds()
        metrics["DataReadFromKinesisStream.Records"] = len(self._buffer)
        self._buffer, self._buffered_bytes = [], 0
        self.failure = ""
        self._put(metrics)
        self._report_at = 0.0

    def _report(self) -> None:
        """Tell while nothing is delivered; with no record in it, Firehose tells no freshness.

        Source: https://docs.aws.amazon.com/firehose/latest/dev/data-freshness-metric-not-emitted.html
        """
        now = time.monotonic()
        if now < self._report_at:
            return
        self._report_at = now + _REPORT_SECONDS[0 if self._buffer else 1]
        self._put({self.destination.freshness: self._age_seconds()} if self._buffer else {})

    def _age_seconds(self) -> float:
        return max(0.0, time.time() - min(record.arrival_ms for record in self._buffer) / 1000)

    def _put(self, metrics: Metrics) -> None:
        """Source of the names: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html."""
        metrics = {**metrics, "KinesisMillisBehindLatest": self.reader.millis_behind}
        dimensions = [{"Name": "DeliveryStreamName", "Value": self.name}]
        self.cloudwatch.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": _unit(name)}
                for name, value in metrics.items()
            ],
        )


def _unit(metric: str) -> str:
    units = {"Freshness": "Seconds", "Bytes": "Bytes", "MillisBehindLatest": "Milliseconds"}
    return next((unit for end, unit in units.items() if metric.endswith(end)), "Count")
