"""The two Firehoses of terraform/firehose.tf, as arguments of CreateDeliveryStream."""

from __future__ import annotations

from typing import Any

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.storage import PARTITION_KEYS, RAW, StorageMode, glue_database
from tick_pipeline_tests.twin.emulator import ACCOUNT, REGION
from tick_pipeline_tests.twin.stack import (
    BUCKET,
    FIREHOSES,
    FIRST_YEAR,
    LAST_YEAR,
    PROJECT,
    ROLE,
)

_RETRY = {"DurationInSeconds": 3600}
_STRFTIME = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H"}


def destination(mode: StorageMode, buffer_seconds: int) -> dict[str, Any]:
    errors = (
        f"warehouse/{mode}/_firehose_errors/!{{firehose:error-output-type}}/"
        "!{timestamp:yyyy/MM/dd/HH}/"
    )
    hints = {"IntervalInSeconds": buffer_seconds, "SizeInMBs": 64}
    logging = {
        "Enabled": True,
        "LogGroupName": f"/aws/kinesisfirehose/{FIREHOSES[mode]}",
        "LogStreamName": "delivery",
    }
    lake = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{BUCKET}", "ErrorOutputPrefix": errors}
    if mode is StorageMode.ICEBERG:
        table = {
            "DestinationDatabaseName": glue_database(PROJECT, mode),
            "DestinationTableName": RAW,
        }
        return {
            "IcebergDestinationConfiguration": {
                "RoleARN": ROLE,
                "AppendOnly": True,
                "BufferingHints": hints,
                "CloudWatchLoggingOptions": logging,
                "RetryOptions": _RETRY,
                "CatalogConfiguration": {"CatalogARN": f"arn:aws:glue:{REGION}:{ACCOUNT}:catalog"},
                "DestinationTableConfigurationList": [table],
                "S3BackupMode": "FailedDataOnly",
                "S3Configuration": lake,
            }
        }
    keys = "".join(f"{key}=!{{partitionKeyFromQuery:{key}}}/" for key in PARTITION_KEYS)
    parameters = {"JsonParsingEngine": "JQ-1.6", "MetadataExtractionQuery": event_time_query()}
    return {
        "ExtendedS3DestinationConfiguration": {
            **lake,
            "Prefix": f"warehouse/{mode}/{RAW}/{keys}",
            "BufferingHints": hints,
            "CloudWatchLoggingOptions": logging,
            "CompressionFormat": "UNCOMPRESSED",
            "FileExtension": ".parquet",
            "DynamicPartitioningConfiguration": {"Enabled": True, "RetryOptions": _RETRY},
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [
                    {
                        "Type": "MetadataExtraction",
                        "Parameters": [
                            {"ParameterName": name, "ParameterValue": value}
                            for name, value in parameters.items()
                        ],
                    }
                ],
            },
            "DataFormatConversionConfiguration": {
                "InputFormatConfiguration": {
                    "Deserializer": {"OpenXJsonSerDe": {"CaseInsensitive": False}}
                },
                "OutputFormatConfiguration": {
                    "Serializer": {"ParquetSerDe": {"Compression": "SNAPPY"}}
                },
                "SchemaConfiguration": {
                    "RoleARN": ROLE,
                    "DatabaseName": glue_database(PROJECT, mode),
                    "TableName": RAW,
                    "Region": REGION,
                    "VersionId": "LATEST",
                },
            },
        }
    }


def event_time_query() -> str:
    """The JQ program of terraform/firehose.tf."""
    bounds = load_contract("tick").field("event_ts").convertible
    assert bounds is not None
    is_whole = f'type == "number" and . == floor and . >= {bounds[0]} and . < {bounds[1]}'
    seconds = '. / 1000000 | floor else error("event_ts is no usable time") end'
    is_projected = f'strftime("%Y") | . >= "{FIRST_YEAR}" and . <= "{LAST_YEAR}"'
    outside = f'error("event_ts is not in {FIRST_YEAR} to {LAST_YEAR}")'
    usable = f"if {is_whole} then {seconds}"
    second = f".event_ts | {usable} | if {is_projected} then . else {outside} end"
    keys = (f'{key}: ({second} | strftime("{code}"))' for key, code in _STRFTIME.items())
    return "{" + ", ".join(keys) + "}"
