"""Firehose of the twin: delivery streams that read the emulator's Kinesis and really deliver.

The emulator keeps one object per record and delivers nothing to Iceberg. What AWS documents is in
firehose_delivery.py and firehose_records.py; what happens only at times is a switch here.
"""

# boto3 has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

from tick_pipeline_tests.twin.emulator import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY
from tick_pipeline_tests.twin.firehose_delivery import (
    Destination,
    IcebergDestination,
    Lake,
    ParquetDestination,
    PlainDestination,
)
from tick_pipeline_tests.twin.firehose_pump import Pump, StreamReader, Switches
from tick_pipeline_tests.twin.firehose_requests import check_conversion, describe_destination
from tick_pipeline_tests.twin.gateway import Gateway, RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable

_MIB = 1 << 20
_DRAIN_SECONDS = 120.0
_LIST_STREAMS = 10
_OPERATIONS = frozenset(
    {
        "CreateDeliveryStream",
        "DescribeDeliveryStream",
        "ListDeliveryStreams",
        "DeleteDeliveryStream",
        "TagDeliveryStream",
        "UntagDeliveryStream",
        "ListTagsForDeliveryStream",
    }
)


@dataclass
class _DeliveryStream:
    """One delivery stream: as it was asked for, since when, its tags, and its pump."""

    request: dict[str, Any]
    created: float
    tags: dict[str, str]
    pump: Pump

    @property
    def name(self) -> str:
        return str(self.request["DeliveryStreamName"])

    @property
    def arn(self) -> str:
        return f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{self.name}"


@dataclass
class Firehose:
    """The service.

    Attributes:
        gateway: whose emulator has the streams, buckets and tables; faults of the gateway are not Firehose's.
        target: of its calls.
        operations: that it answers.
        switches: what it does only at times; off again after each test.
    """

    gateway: Gateway
    target: str = "Firehose_20150804"
    operations: frozenset[str] = _OPERATIONS
    switches: Switches = field(default_factory=Switches)
    _streams: dict[str, _DeliveryStream] = field(default_factory=dict[str, _DeliveryStream])
    _clients: dict[str, Any] = field(default_factory=dict[str, Any])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """All switches off."""
        self.switches.reset()

    def hold(self) -> None:
        """Begin no delivery until `release`; records are read and gathered as before."""
        self.switches.released.clear()

    def release(self) -> None:
        """Deliver again."""
        self.switches.released.set()

    def drain(self, timeout: float = _DRAIN_SECONDS) -> None:
        """Wait until all that is in the streams now was delivered, without regard to BufferingHints.

        Raises:
            TimeoutError: it was not, in so many seconds; the message tells the stream and its last failure.
        """
        deadline = time.monotonic() + timeout
        with self._lock:
            asked = [(stream.pump, stream.pump.ask()) for stream in self._streams.values()]
        for pump, ticket in asked:
            if not pump.wait(ticket, deadline):
                why = pump.failure or (
                    "no delivery failed" if self.switches.released.is_set() else "it is held"
                )
                raise TimeoutError(f"{pump.name} did not deliver all in {timeout:g} s: {why}")

    @property
    def failures(self) -> list[str]:
        """What the last delivery or read of each delivery stream failed by; empty where it did not."""
        with self._lock:
            return [stream.pump.failure for stream in self._streams.values()]

    def close(self) -> None:
        """Stop all delivery streams and forget them; all switches off."""
        with self._lock:
            streams = list(self._streams.values())
            self._streams.clear()
        for stream in streams:
            stream.pump.close()
        self.switches.reset()

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Raises:
            RefusalError: the delivery stream is not there, or was asked for wrongly.
        """
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "CreateDeliveryStream": self._create,
            "DescribeDeliveryStream": self._describe,
            "ListDeliveryStreams": self._list,
            "DeleteDeliveryStream": self._delete,
            "TagDeliveryStream": self._tag,
            "UntagDeliveryStream": self._untag,
            "ListTagsForDeliveryStream": self._list_tags,
        }
        with self._lock:
            return operations[operation](request)

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["DeliveryStreamName"]
        if name in self._streams:
            message = f"Firehose {name} under accountId {ACCOUNT} already exists"
            raise RefusalError("ResourceInUseException", message)
        source = request.get("KinesisStreamSourceConfiguration")
        if source is None:
            raise RefusalError("InvalidArgumentException", "the twin reads Kinesis streams only")
        destination, hints = self._destination(name, request)
        try:
            reader = StreamReader(
                self.gateway.emulator_url, source["KinesisStreamARN"].split("/", 1)[1]
            )
        except ConnectionError as error:
            raise RefusalError("InvalidArgumentException", str(error)) from error
        pump = Pump(
            name=name,
            reader=reader,
            destination=destination,
            cloudwatch=self._client("cloudwatch"),
            interval_seconds=hints.get("IntervalInSeconds", 300),
            size_bytes=hints.get("SizeInMBs", 5) * _MIB,
            switches=self.switches,
        )
        tags = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])}
        stream = _DeliveryStream(request, time.time(), tags, pump)
        self._streams[name] = stream
        pump.start()
        return {"DeliveryStreamARN": stream.arn}

    def _destination(
        self, name: str, request: dict[str, Any]
    ) -> tuple[Destination, dict[str, int]]:
        s3 = self._client("s3")
        if iceberg := request.get("IcebergDestinationConfiguration"):
            lake = Lake(s3, name, iceberg["S3Configuration"])
            glue, url = self._client("glue"), self.gateway.emulator_url
            return IcebergDestination(lake, iceberg, glue, url), iceberg.get("BufferingHints", {})
        extended = request.get("ExtendedS3DestinationConfiguration")
        if extended is None:
            message = "the twin delivers to extended S3 and to Iceberg only"
            raise RefusalError("InvalidArgumentException", message)
        lake, hints = Lake(s3, name, extended), extended.get("BufferingHints", {})
        conversion = extended.get("DataFormatConversionConfiguration", {"Enabled": False})
        if not conversion.get("Enabled", True):
            return PlainDestination(lake), hints
        check_conversion(extended, conversion)
        try:
            return ParquetDestination(
                lake, self._client("glue"), lambda: self.switches.schema_cached
            ), hints
        except ValueError as error:
            raise RefusalError("InvalidArgumentException", f"JQ 1.6: {error}") from error

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        stream = self._find(request)
        source = {
            **stream.request["KinesisStreamSourceConfiguration"],
            "DeliveryStartTimestamp": stream.created,
        }
        return {
            "DeliveryStreamDescription": {
                "DeliveryStreamName": stream.name,
                "DeliveryStreamARN": stream.arn,
                "DeliveryStreamStatus": "ACTIVE",
                "DeliveryStreamEncryptionConfiguration": {"Status": "DISABLED"},
                "DeliveryStreamType": stream.request.get("DeliveryStreamType", "DirectPut"),
                "VersionId": "1",
                "CreateTimestamp": stream.created,
                "Source": {"KinesisStreamSourceDescription": source},
                "Destinations": [describe_destination(stream.request)],
                "HasMoreDestinations": False,
            }
        }

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        after = request.get("ExclusiveStartDeliveryStreamName", "")
        names = sorted(name for name in self._streams if name > after)
        limit = request.get("Limit", _LIST_STREAMS)
        return {
            "DeliveryStreamNames": names[:limit],
            "HasMoreDeliveryStreams": len(names) > limit,
        }

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        stream = self._find(request)
        del self._streams[stream.name]
        stream.pump.close()
        return {}

    def _tag(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._find(request).tags
        tags.update({tag["Key"]: tag.get("Value", "") for tag in request["Tags"]})
        return {}

    def _untag(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._find(request).tags
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = self._find(request).tags
        listed = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        return {"Tags": listed, "HasMoreTags": False}

    def _find(self, request: dict[str, Any]) -> _DeliveryStream:
        name = request["DeliveryStreamName"]
        if name not in self._streams:
            message = f"Firehose {name} under account {ACCOUNT} not found."
            raise RefusalError("ResourceNotFoundException", message)
        return self._streams[name]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            untyped: Any = boto3
            self._clients[service] = untyped.client(
                service,
                endpoint_url=self.gateway.emulator_url,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
            )
        return self._clients[service]


def firehose_of(gateway: Gateway) -> Firehose:
    """The gateway's Firehose, for a test to switch and to drain."""
    return next(service for service in gateway.services if isinstance(service, Firehose))
