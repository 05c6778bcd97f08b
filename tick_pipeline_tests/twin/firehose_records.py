"""A record on its way through Firehose: where JQ says it belongs, and what becomes of it if it cannot be delivered.

Written from AWS's documentation and from nothing of our own landing: the twin is to witness against it. Where AWS
publishes nothing, golden/README.md says what stands here instead.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Folders of errors, in place of `!{firehose:error-output-type}`.
#: Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
PROCESSING_FAILED = "processing-failed"
CONVERSION_FAILED = "format-conversion-failed"
ICEBERG_FAILED = "iceberg-failed"

_EXTRACTION = "DynamicPartitioning.MetadataExtractionFailed"
_NO_KEYS = "partitionKeys values must not be null or empty"
_BULK_RECORDS = 5000


class Arrived(msgspec.Struct, frozen=True):
    """A record of the stream.

    Attributes:
        data: its bytes.
        sequence_number: in its shard.
        arrival_ms: when the stream took it, milliseconds since the epoch.
    """

    data: bytes
    sequence_number: str
    arrival_ms: int


class RecordError(Exception):
    """A record that cannot be delivered, as Firehose names the reason."""

    def __init__(self, error_type: str, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.error_type, self.code, self.message = error_type, code, message


@dataclass(frozen=True)
class Failed:
    """A record and why it was not delivered."""

    record: Arrived
    error: RecordError


def extract_keys(program: Any, records: Sequence[Arrived]) -> list[dict[str, str] | RecordError]:
    """The partition keys of each record, by a compiled JQ program.

    Args:
        program: of `compile_query`.
        records: any bytes.
    """
    results: list[dict[str, str] | RecordError] = []
    for start in range(0, len(records), _BULK_RECORDS):
        texts = [
            record.data.decode("utf-8", "replace")
            for record in records[start : start + _BULK_RECORDS]
        ]
        results.extend(_extract_all(program, texts) or [_extract(program, text) for text in texts])
    return results


def compile_query(query: str) -> Any:
    """A JQ program of a configuration, changed so that an error in one record is a value like others.

    Raises:
        ValueError: JQ 1.6 refuses it.
    """
    # Wheels of jq 1.6 are for Linux alone.
    import jq

    untyped: Any = jq
    return untyped.compile(f"try [true, ({query})] catch [false, .]")


def _extract_all(program: Any, texts: list[str]) -> list[dict[str, str] | RecordError] | None:
    """All at once: nothing unless each text is one JSON document that gives one result."""
    if not all(text.startswith("{") for text in texts):
        return None
    try:
        for text in texts:
            msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        results = program.input(text="\n".join(texts)).all()
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None
    return [_keys_of(result) for result in results] if len(results) == len(texts) else None


def _extract(program: Any, text: str) -> dict[str, str] | RecordError:
    try:
        results: list[Any] = program.input(text=text).all()
    except ValueError as error:
        return RecordError(PROCESSING_FAILED, _EXTRACTION, str(error))
    if len(results) != 1:
        return RecordError(PROCESSING_FAILED, _EXTRACTION, _NO_KEYS)
    return _keys_of(results[0])


def _keys_of(result: list[Any]) -> dict[str, str] | RecordError:
    succeeded, value = result
    if not succeeded:
        return RecordError(PROCESSING_FAILED, _EXTRACTION, str(value))
    keys = cast("dict[str, Any]", value) if isinstance(value, dict) else {"": None}
    if any(found in (None, "") for found in keys.values()):
        return RecordError(PROCESSING_FAILED, _EXTRACTION, _NO_KEYS)
    return {
        name: found if isinstance(found, str) else json.dumps(found) for name, found in keys.items()
    }


def error_line(failed: Failed, ended_ms: int, catalog_table: Mapping[str, str]) -> bytes:
    """A line of an error object, in the form of its type; the forms are those of golden/.

    Args:
        failed: the record.
        ended_ms: when the attempt ended, milliseconds since the epoch.
        catalog_table: the table of Glue to convert for.
    """
    record, error = failed.record, failed.error
    conversion = error.error_type == CONVERSION_FAILED
    line: dict[str, Any] = {
        "attemptsMade": 1,
        "arrivalTimestamp": record.arrival_ms,
        "lastErrorCode" if conversion else "errorCode": error.code,
        "lastErrorMessage" if conversion else "errorMessage": error.message,
        "attemptEndingTimestamp": ended_ms,
        "rawData": base64.b64encode(record.data).decode(),
    }
    if conversion:
        line |= {
            "sequenceNumber": record.sequence_number,
            "subSequenceNumber": None,
            "dataCatalogTable": dict(catalog_table),
        }
    elif error.error_type == ICEBERG_FAILED:
        line["EventId"] = f"{record.sequence_number}.0"
    return json.dumps(line).encode() + b"\n"
