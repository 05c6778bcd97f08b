"""Records that no table can hold, kept beside the tables as Firehose keeps them: written and read.

One object is lines of JSON. The members are Firehose's for the error type: format conversion says
`lastErrorCode` and `sequenceNumber`, the others `errorCode`. `shardId`, and `sequenceNumber` where
Firehose has none, are ours: with them a record can be found in the stream.
Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
and https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
A Firehose that compresses what it writes (https://docs.aws.amazon.com/firehose/latest/APIReference/API_S3DestinationConfiguration.html)
may compress these objects, too; ours does not.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tick_pipeline.event_time import US_PER_HOUR, as_datetime, hour_of_parts
from tick_pipeline.landing.error_store import Arrivals
from tick_pipeline.landing.raw_files import publish
from tick_pipeline.storage import ErrorType, error_location

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tick_pipeline.landing.error_store import ErrorObject, ErrorStore
    from tick_pipeline.storage import StorageMode

#: Members in which Firehose's destinations and its revisions put the code, and the message.
CODE_MEMBERS = ("errorCode", "lastErrorCode", "ErrorCode")
MESSAGE_MEMBERS = ("errorMessage", "lastErrorMessage", "ErrorMessage")
#: Code of a line that is no error record: it is told, not skipped.
UNREADABLE = "unreadable_error_record"

_ARRIVAL_HOUR = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/(\d{2})/[^/]+$")
#: How GZIP begins, and no JSON. Source: https://www.rfc-editor.org/rfc/rfc1952#section-2.3
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class ErrorRecord:
    """One record of an error prefix.

    Attributes:
        error_type: the folder it lies in; a name that ErrorType does not have is kept as it is.
        path: its object, relative to the mode's error root.
        code: why, as `decode.REASONS` or Firehose's own; UNREADABLE where the line is no record.
        message: what exactly.
        arrival_us: when the stream took it; from the object's path where the line does not say.
        data: the record's bytes; those of the line itself where it is no error record.
        shard_id: its shard; None where the line does not say.
        sequence_number: its sequence number there; None where the line does not say.
    """

    error_type: str
    path: str
    code: str
    message: str
    arrival_us: int | None
    data: bytes
    shard_id: str | None = None
    sequence_number: str | None = None


def write_errors(
    warehouse: str,
    mode: StorageMode,
    error_type: ErrorType,
    name: str,
    records: Sequence[ErrorRecord],
    *,
    ended_us: int,
) -> tuple[int, int]:
    """Write one object per hour of arrival, over those of the same name; objects and bytes written.

    Args:
        warehouse: its path.
        mode: whose error prefix.
        error_type: which folder there.
        name: the objects' name, in each hour's folder.
        records: with their arrival; `error_type` and `path` in them are not looked at.
        ended_us: when the attempt ended.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    by_hour: dict[int, list[str]] = {}
    for record in records:
        arrival_us = record.arrival_us or 0
        line = json.dumps(_document(record, error_type, arrival_us, ended_us))
        by_hour.setdefault(arrival_us // US_PER_HOUR, []).append(line + "\n")
    size_bytes = 0
    for hour, lines in sorted(by_hour.items()):
        folder = as_datetime(hour * US_PER_HOUR).strftime("%Y/%m/%d/%H")
        path = Path(error_location(warehouse, mode, error_type), folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"_{name}.tmp")
        temporary.write_text("".join(lines), encoding="utf-8")
        size_bytes += publish(temporary, path)
    return len(by_hour), size_bytes


def read_errors(
    store: ErrorStore, mode: StorageMode, arrivals: Arrivals | None = None
) -> Iterator[ErrorRecord]:
    """Every record of a mode's error objects; none is skipped, whatever its type or form.

    Args:
        store: of the objects.
        mode: whose error prefix.
        arrivals: objects that hold none of that range are left out; every object if not given.

    Raises:
        OSError: a folder cannot be listed.
        AwsError: the bucket cannot be listed, or does not answer.
    """
    for item in store.read(mode, arrivals or Arrivals()):
        yield from _records_of(item)


def _records_of(item: ErrorObject) -> Iterator[ErrorRecord]:
    """Every line of an error object, also those that are no error record."""
    data, fault = item.data or b"", item.fault
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            fault = f"not GZIP, as it begins ({error})"
    if item.data is None or fault:
        # How old it is, only its path could say, and it shall be told until somebody has looked.
        message = f"the object cannot be read: {fault}"
        yield ErrorRecord(_error_type(item.name), item.name, UNREADABLE, message, None, data)
        return
    for line in data.split(b"\n"):
        if line.strip():
            yield _parse_line(line, item.name)


def _document(
    record: ErrorRecord, error_type: ErrorType, arrival_us: int, ended_us: int
) -> dict[str, Any]:
    conversion = error_type is ErrorType.FORMAT_CONVERSION_FAILED
    return {
        "attemptsMade": 1,
        "arrivalTimestamp": arrival_us // 1000,
        "lastErrorCode" if conversion else "errorCode": record.code,
        "lastErrorMessage" if conversion else "errorMessage": record.message,
        "attemptEndingTimestamp": ended_us // 1000,
        "rawData": base64.b64encode(record.data).decode("ascii"),
        "sequenceNumber": record.sequence_number,
        "shardId": record.shard_id,
    }


def _parse_line(line: bytes, path: str) -> ErrorRecord:
    error_type = _error_type(path)
    path_hour_us = _arrival_of_path(path)
    try:
        document: Any = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004, TRY301  (one handler for both)
        members = cast("dict[str, Any]", document)
        data = base64.b64decode(members["rawData"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        message = f"the line is no error record: {error!r}"
        return ErrorRecord(error_type, path, UNREADABLE, message, path_hour_us, line)
    arrival_ms = members.get("arrivalTimestamp")
    return ErrorRecord(
        error_type=error_type,
        path=path,
        code=_first(members, CODE_MEMBERS) or "unknown",
        message=_first(members, MESSAGE_MEMBERS) or "",
        arrival_us=arrival_ms * 1000 if isinstance(arrival_ms, int) else path_hour_us,
        data=data,
        shard_id=_first(members, ("shardId",)),
        sequence_number=_first(members, ("sequenceNumber",)),
    )


def _error_type(path: str) -> str:
    return path.partition("/")[0]


def _arrival_of_path(path: str) -> int | None:
    match = _ARRIVAL_HOUR.search(path)
    return None if match is None else hour_of_parts(*match.groups())


def _first(members: dict[str, Any], names: Sequence[str]) -> str | None:
    return next((str(members[name]) for name in names if members.get(name) is not None), None)
