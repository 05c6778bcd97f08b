"""Which objects of a projected Parquet table lie in a range of event time, from S3's listing alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tick_pipeline.event_time import EPOCH, MAX_EVENT_US, MIN_EVENT_US, US_PER_SECOND
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.s3_objects import list_keys, list_objects
from tick_pipeline.resources.data_files import DataFile
from tick_pipeline.storage import (
    PARTITION_KEYS,
    StorageMode,
    hour_partition,
    landed_instant,
    partition_hour,
    table_location,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.queries.pruning import TimeRange
    from tick_pipeline.resources.aws.clients import AwsClients

_PAST = "\U0010ffff"


@dataclass(frozen=True)
class S3File(DataFile):
    """One data file in S3; `modified_us` is when its newest rows came into the table, microseconds since the epoch."""

    modified_us: int


def warehouse_uri(bucket: str) -> str:
    """`s3://<bucket>/warehouse`: where the tables of the AWS deployment lie."""
    return f"s3://{bucket}/warehouse"


def list_parquet_files(
    clients: AwsClients, warehouse: str, table: str, times: TimeRange
) -> list[S3File]:
    """The objects of a projected table's hours that the range touches, in order of their keys.

    The keys sort as the hours do, so one listing runs from the first hour to the last: a request for each
    1,000 objects (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html). Names that begin
    with `_` or `.`, folders included, are no data (https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html).

    Args:
        clients: of AWS.
        warehouse: `s3://<bucket>/warehouse`.
        table: its name, as `raw`.
        times: the range; without a bound the whole table is listed.

    Raises:
        AwsError: the listing failed.
    """
    location = urlsplit(table_location(warehouse, StorageMode.PARQUET_PROJECTION, table))
    root = f"{location.path.strip('/')}/"
    with aws_errors(f"listing s3://{location.netloc}/{root}"):
        return [
            file
            for entry in _entries(clients, location.netloc, root, times)
            if (file := _data_file(location.netloc, root, entry)) is not None
            and times.touches_hour(file.hour_us)
        ]


def has_files_outside(clients: AwsClients, warehouse: str, table: str, times: TimeRange) -> bool:
    """Whether a projected table has objects of hours that the range does not touch: two requests at most.

    Args:
        clients: of AWS.
        warehouse: `s3://<bucket>/warehouse`.
        table: its name, as `raw`.
        times: the range.

    Raises:
        AwsError: the listing failed.
    """
    location = urlsplit(table_location(warehouse, StorageMode.PARQUET_PROJECTION, table))
    root = f"{location.path.strip('/')}/"
    # Hidden names sort before the keys' own.
    after = [root + PARTITION_KEYS[0]] if times.start_us is not None else []
    after += [_last(root, times.end_us)] if times.end_us is not None else []
    with aws_errors(f"listing s3://{location.netloc}/{root}"):
        for name in after:
            one = {"StartAfter": name, "PaginationConfig": {"MaxItems": 1, "PageSize": 1}}
            for key in list_keys(clients, location.netloc, root, **one):
                hour_us = partition_hour(key)
                if hour_us is not None and not times.touches_hour(hour_us):
                    return True
    return False


def _entries(clients: AwsClients, bucket: str, root: str, times: TimeRange) -> Iterator[Any]:
    after = root + hour_partition(_legal(times.start_us)) if times.start_us is not None else ""
    last = _last(root, times.end_us)
    for entry in list_objects(clients, bucket, root, StartAfter=after):
        if entry["Key"] > last:
            return
        yield entry


def _last(root: str, end_us: int | None) -> str:
    """After every key of the hours before `end_us`, and before those of the hours after it."""
    return root + (hour_partition(_legal(end_us - 1)) if end_us is not None else "") + _PAST


def _data_file(bucket: str, root: str, entry: dict[str, Any]) -> S3File | None:
    key = str(entry["Key"])
    hour_us = partition_hour(key)
    hidden = any(part.startswith(("_", ".")) for part in key[len(root) :].split("/"))
    if hour_us is None or hidden or key.endswith("/"):
        return None
    modified_us = round((entry["LastModified"] - EPOCH).total_seconds() * US_PER_SECOND)
    landed_us = landed_instant(key.rpartition("/")[2], modified_us)
    return S3File(f"s3://{bucket}/{key}", int(entry["Size"]), hour_us, landed_us)


def _legal(us: int) -> int:
    return min(max(us, MIN_EVENT_US), MAX_EVENT_US - 1)
