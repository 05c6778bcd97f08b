"""What CreateDeliveryStream asks for: what of it is refused, and how DescribeDeliveryStream tells it."""

from __future__ import annotations

from typing import Any

from tick_pipeline_tests.twin.gateway import RefusalError

_LEAST_MIB = 64


def check_conversion(extended: dict[str, Any], conversion: dict[str, Any]) -> None:
    """Refuse what AWS refuses, and what the twin does not do.

    Source: https://docs.aws.amazon.com/firehose/latest/APIReference/API_DataFormatConversionConfiguration.html
    """
    hints = extended.get("BufferingHints", {"SizeInMBs": 128})
    deserializer = conversion["InputFormatConfiguration"]["Deserializer"]
    refused = {
        "BufferingHints.SizeInMBs must be at least 64 with data format conversion": hints[
            "SizeInMBs"
        ]
        < _LEAST_MIB,
        "CompressionFormat must be UNCOMPRESSED with data format conversion": extended.get(
            "CompressionFormat", "UNCOMPRESSED"
        )
        != "UNCOMPRESSED",
        "the twin converts by OpenXJsonSerDe with CaseInsensitive=false": deserializer.get(
            "OpenXJsonSerDe", {}
        ).get("CaseInsensitive", True),
    }
    for message, is_so in refused.items():
        if is_so:
            raise RefusalError("InvalidArgumentException", message)


def describe_destination(request: dict[str, Any]) -> dict[str, Any]:
    """A destination as DescribeDeliveryStream tells it: what was asked for, under other names."""
    described: dict[str, Any] = {"DestinationId": "destinationId-000000000001"}
    if iceberg := request.get("IcebergDestinationConfiguration"):
        told = {name: value for name, value in iceberg.items() if name != "S3Configuration"}
        told["S3DestinationDescription"] = iceberg["S3Configuration"]
        return {**described, "IcebergDestinationDescription": told}
    extended = request["ExtendedS3DestinationConfiguration"]
    members = ("RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints")
    plain = {name: extended[name] for name in members if name in extended}
    return {
        **described,
        "S3DestinationDescription": plain,
        "ExtendedS3DestinationDescription": extended,
    }
