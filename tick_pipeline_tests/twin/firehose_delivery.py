"""Where Firehose delivers a batch to: objects of S3, converted and partitioned or as they came, or an Iceberg table."""

# boto3, pyarrow and PyIceberg's catalog have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import gzip
import io
import re
import secrets
import string
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchTableError

from tick_pipeline_tests.twin.emulator import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY
from tick_pipeline_tests.twin.firehose_columns import Converted, IcebergColumns, OpenXColumns
from tick_pipeline_tests.twin.firehose_records import (
    CONVERSION_FAILED,
    ICEBERG_FAILED,
    Arrived,
    Failed,
    RecordError,
    compile_query,
    error_line,
    extract_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EXPRESSION = re.compile(r"!\{([A-Za-z]+):([^}]+)\}")
_STRFTIME = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_RANDOM_CHARACTERS = 11

Metrics = dict[str, float]


class Destination(Protocol):
    """Where batches go.

    Attributes:
        freshness: the metric that tells the age of what waits.
    """

    freshness: str

    def deliver(self, records: Sequence[Arrived]) -> Metrics:
        """Write a batch, its failed records to the error prefix; the metrics of it, by name.

        Whatever is raised, the batch may be delivered again.
        """
        ...


@dataclass(frozen=True)
class Lake:
    """The bucket of a delivery stream, and how its objects are named.

    Attributes:
        s3: boto3's client.
        stream_name: of the delivery stream.
        configuration: of S3, in the form of CreateDeliveryStream.
    """

    s3: Any
    stream_name: str
    configuration: dict[str, Any]

    def put(
        self, prefix: str, suffix: str, body: bytes, oldest_ms: int, **expressions: str
    ) -> None:
        """Put an object under the name that Firehose gives it.

        Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html

        Args:
            prefix: with expressions.
            suffix: its file extension.
            body: of it.
            oldest_ms: arrival of its oldest record, from which the name takes its times.
            expressions: values by the name of the expression, as `partitionKeyFromQuery:year`.
        """
        at = datetime.fromtimestamp(oldest_ms / 1000, timezone.utc)
        name = f"{self.stream_name}-1-{at:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{suffix}"
        bucket = self.configuration["BucketARN"].rsplit(":", 1)[1]
        self.s3.put_object(
            Bucket=bucket, Key=evaluate_prefix(prefix, at, expressions) + name, Body=body
        )

    def put_errors(self, failed: Sequence[Failed], catalog_table: dict[str, str]) -> None:
        """Put an error object for each type of error."""
        by_type: dict[str, list[Failed]] = defaultdict(list)
        for one in failed:
            by_type[one.error.error_type].append(one)
        prefix = self.configuration.get("ErrorOutputPrefix") or "!{firehose:error-output-type}/"
        ended_ms = time.time_ns() // 1_000_000
        for error_type, group in by_type.items():
            body = b"".join(error_line(one, ended_ms, catalog_table) for one in group)
            oldest_ms = min(one.record.arrival_ms for one in group)
            self.put(prefix, "", body, oldest_ms, **{"firehose:error-output-type": error_type})


def evaluate_prefix(prefix: str, at: datetime, values: dict[str, str]) -> str:
    """A prefix with its expressions replaced; one without any gets the hour appended.

    Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html

    Args:
        prefix: as configured.
        at: what its timestamps tell.
        values: of the other expressions, by `namespace:name`.
    """

    def replace(match: re.Match[str]) -> str:
        namespace, name = match.groups()
        if namespace == "timestamp":
            return at.strftime(re.sub("|".join(_STRFTIME), lambda found: _STRFTIME[found[0]], name))
        if (namespace, name) == ("firehose", "random-string"):
            letters = string.ascii_letters + string.digits
            return "".join(secrets.choice(letters) for _ in range(_RANDOM_CHARACTERS))
        return values[f"{namespace}:{name}"]

    evaluated = _EXPRESSION.sub(replace, prefix)
    return evaluated if evaluated != prefix else f"{prefix}{at:%Y/%m/%d/%H}/"


class ParquetDestination:
    """Extended S3 with dynamic partitioning by JQ and conversion to Parquet."""

    freshness = "DeliveryToS3.DataFreshness"

    def __init__(self, lake: Lake, glue: Any, schema_cached: Callable[[], bool]) -> None:
        """Take the clients; `schema_cached` tells whether a table's change is still unknown."""
        self._lake, self._glue, self._schema_cached = lake, glue, schema_cached
        self._schema: dict[str, str] = lake.configuration["DataFormatConversionConfiguration"][
            "SchemaConfiguration"
        ]
        extraction = processor(lake.configuration, "MetadataExtraction")
        self._program = compile_query(extraction["MetadataExtractionQuery"]) if extraction else None
        self._columns: OpenXColumns | None = None

    def deliver(self, records: Sequence[Arrived]) -> Metrics:
        """Write an object for each partition."""
        extracted = extract_keys(self._program, records) if self._program else [{} for _ in records]
        kept: list[tuple[Arrived, dict[str, str]]] = []
        failed: list[Failed] = []
        for record, keys in zip(records, extracted, strict=True):
            if isinstance(keys, RecordError):
                failed.append(Failed(record, keys))
            else:
                kept.append((record, keys))
        converted = self._convert([record for record, _ in kept])
        rows_of: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
        for row, index in enumerate(converted.kept):
            rows_of[tuple(kept[index][1].items())].append(row)
        size = 0
        for keys, rows in rows_of.items():
            arrivals = [kept[converted.kept[row]][0].arrival_ms for row in rows]
            size += self._put(converted, dict(keys), rows, min(arrivals))
        self._lake.put_errors([*failed, *converted.failed], self._catalog_table)
        return {
            "DeliveryToS3.Records": len(converted.kept),
            "DeliveryToS3.Bytes": size,
            "DeliveryToS3.Success": 1,
            "SucceedConversion.Records": len(converted.kept),
            "FailedConversion.Records": len(converted.failed),
            "PartitionCount": len(rows_of),
            "PartitionCountExceeded": 0,
        }

    def _put(
        self, converted: Converted, keys: dict[str, str], rows: list[int], oldest_ms: int
    ) -> int:
        whole = len(rows) == converted.table.num_rows
        buffer = io.BytesIO()
        pq.write_table(
            converted.table if whole else converted.table.take(rows), buffer, compression="snappy"
        )
        values = {f"partitionKeyFromQuery:{name}": value for name, value in keys.items()}
        configuration = self._lake.configuration
        suffix = configuration.get("FileExtension") or ".parquet"
        body = buffer.getvalue()
        self._lake.put(configuration.get("Prefix", ""), suffix, body, oldest_ms, **values)
        return len(body)

    def _convert(self, records: Sequence[Arrived]) -> Converted:
        if self._columns is None or not self._schema_cached():
            try:
                table = self._glue.get_table(
                    DatabaseName=self._schema["DatabaseName"], Name=self._schema["TableName"]
                )["Table"]
            except ClientError as error:
                reason = RecordError(
                    CONVERSION_FAILED, "DataFormatConversion.EntityNotFound", str(error)
                )
                return Converted(pa.table({}), [], [Failed(one, reason) for one in records])
            columns = table["StorageDescriptor"]["Columns"]
            self._columns = OpenXColumns({column["Name"]: column["Type"] for column in columns})
        return self._columns.convert(records)

    @property
    def _catalog_table(self) -> dict[str, str]:
        members = {"databaseName": "DatabaseName", "tableName": "TableName", "region": "Region"}
        found = {name: self._schema.get(member, "") for name, member in members.items()}
        version = self._schema.get("VersionId", "LATEST")
        return {"catalogId": ACCOUNT, **found, "versionId": version}


class PlainDestination:
    """Extended S3 that keeps records as they came."""

    freshness = "DeliveryToS3.DataFreshness"

    def __init__(self, lake: Lake) -> None:
        """Take the bucket."""
        self._lake = lake
        append = processor(lake.configuration, "AppendDelimiterToRecord")
        # A new line is written as a backslash and an n.
        delimiter = "" if append is None else append.get("Delimiter", "\\n")
        self._delimiter = delimiter.encode().decode("unicode_escape").encode()

    def deliver(self, records: Sequence[Arrived]) -> Metrics:
        """Write one object."""
        configuration = self._lake.configuration
        body = b"".join(record.data + self._delimiter for record in records)
        suffix = configuration.get("FileExtension", "")
        if configuration.get("CompressionFormat") == "GZIP":
            body, suffix = gzip.compress(body), suffix or ".gz"
        oldest_ms = min(record.arrival_ms for record in records)
        self._lake.put(configuration.get("Prefix", ""), suffix, body, oldest_ms)
        metrics = {"Records": len(records), "Bytes": len(body), "Success": 1}
        return {f"DeliveryToS3.{name}": value for name, value in metrics.items()}


class IcebergDestination:
    """An Iceberg table of the Glue Data Catalog; rows are only added."""

    freshness = "DeliveryToIceberg.DataFreshness"

    def __init__(self, lake: Lake, configuration: dict[str, Any], glue: Any, url: str) -> None:
        """Take the bucket of its errors, its own configuration, Glue's client, and where S3 is."""
        table = configuration["DestinationTableConfigurationList"][0]
        self._identifier = (table["DestinationDatabaseName"], table["DestinationTableName"])
        self._lake = lake
        keys = {
            "s3.access-key-id": ACCESS_KEY,
            "s3.secret-access-key": SECRET_KEY,
            "s3.region": REGION,
        }
        self._catalog = GlueCatalog("firehose", client=glue, **keys, **{"s3.endpoint": url})

    def deliver(self, records: Sequence[Arrived]) -> Metrics:
        """Commit the batch once."""
        try:
            table = self._catalog.load_table(self._identifier)
        except NoSuchTableError as error:
            reason = RecordError(ICEBERG_FAILED, "Iceberg.GlueTableNotFound", str(error))
            failed, rows, size = [Failed(record, reason) for record in records], 0, 0
        else:
            converted = IcebergColumns(table.schema().as_arrow()).convert(records)
            failed, rows, size = converted.failed, len(converted.kept), converted.table.nbytes
            if rows:
                table.append(converted.table)
        self._lake.put_errors(failed, {})
        metrics = {
            "IncomingRowCount": len(records),
            "SuccessfulRowCount": rows,
            "FailedRowCount": len(failed),
            "Bytes": size,
            "Success": 1 if rows else 0,
        }
        return {f"DeliveryToIceberg.{name}": value for name, value in metrics.items()}


def processor(configuration: dict[str, Any], kind: str) -> dict[str, str] | None:
    """Parameters of a processor of a configuration, if it has one of that kind."""
    processing = configuration.get("ProcessingConfiguration") or {}
    for found in processing.get("Processors", []) if processing.get("Enabled") else []:
        if found["Type"] == kind:
            return {
                one["ParameterName"]: one["ParameterValue"] for one in found.get("Parameters", [])
            }
    return None
