"""Records that no table can hold, kept beside the tables as Firehose keeps them: written and read.

One object is lines of JSON. The members are Firehose's for the error type: format conversion says
`lastErrorCode` and `sequenceNumber`, the others `errorCode`. `shardId`, and `sequenceNumber` where
Firehose has none, are ours: with them a record can be found in the stream and redriven once.
Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
and https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, as_datetime, parse_instant
from tick_pipeline.landing.raw_files import publish
from tick_pipeline.storage import ErrorType, error_location, error_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tick_pipeline.storage import StorageMode

#: Members in which Firehose's destinations and its revisions put the code, and the message.
CODE_MEMBERS = ("errorCode", "lastErrorCode", "ErrorCode")
MESSAGE_MEMBERS = ("errorMessage", "lastErrorMessage", "ErrorMessage")
#: Code of a line that is no error record: it is told, not skipped.
UNREADABLE = "unreadable_error_record"

#: Firehose names an object's hour by its oldest record; others of it arrived up to this much later.
#: Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html and, for its longest
#: buffering, https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html
_BUFFERED_US = 900 * US_PER_SECOND
_ARRIVAL_SPAN = re.compile(r"(?:^|/)(\d{4}(?:/\d{2}){0,3})$")
_ARRIVAL_HOUR = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/(\d{2})/[^/]+$")


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


def read_errors(warehouse: str, mode: StorageMode) -> Iterator[ErrorRecord]:
    """Every record of a mode's error prefix, by object; none is skipped, whatever its type or form."""
    root = Path(error_root(warehouse, mode))
    for path in error_objects(root):
        yield from read_object(path, root)


def error_objects(root: Path, since_us: int = 0) -> Iterator[Path]:
    """The objects below an error root that may hold records which arrived at `since_us` or later.

    Folders of older hours are not entered; what lies outside the folders of hours is always listed.
    """
    oldest = as_datetime(max(since_us - _BUFFERED_US, 0)).strftime("%Y/%m/%d/%H")
    return _walk(root, root, oldest)


def read_object(path: Path, root: Path) -> Iterator[ErrorRecord]:
    """Every line of an error object below that root, also those that are no error record.

    Raises:
        OSError: the object cannot be read, or is not there any more.
    """
    for line in path.read_bytes().split(b"\n"):
        if line.strip():
            yield _parse_line(line, path.relative_to(root))


def _walk(folder: Path, root: Path, oldest: str) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return  # no error yet, or redriven since its parent was listed
    for path in entries:
        if path.is_dir():
            span = _ARRIVAL_SPAN.search(path.relative_to(root).as_posix())
            if span is None or span[1] >= oldest[: len(span[1])]:
                yield from _walk(path, root, oldest)
        # Ours while being written, never Firehose's.
        elif path.is_file() and not (path.name.startswith("_") and path.name.endswith(".tmp")):
            yield path


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


def _parse_line(line: bytes, path: Path) -> ErrorRecord:
    error_type = path.parts[0]
    path_hour_us = _arrival_of_path(path)
    try:
        document: Any = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004, TRY301  (one handler for both)
        members = cast("dict[str, Any]", document)
        data = base64.b64decode(members["rawData"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        message = f"the line is no error record: {error!r}"
        return ErrorRecord(error_type, path.as_posix(), UNREADABLE, message, path_hour_us, line)
    arrival_ms = members.get("arrivalTimestamp")
    return ErrorRecord(
        error_type=error_type,
        path=path.as_posix(),
        code=_first(members, CODE_MEMBERS) or "unknown",
        message=_first(members, MESSAGE_MEMBERS) or "",
        arrival_us=arrival_ms * 1000 if isinstance(arrival_ms, int) else path_hour_us,
        data=data,
        shard_id=_first(members, ("shardId",)),
        sequence_number=_first(members, ("sequenceNumber",)),
    )


def _arrival_of_path(path: Path) -> int | None:
    match = _ARRIVAL_HOUR.search(path.as_posix())
    if match is None:
        return None
    year, month, day, hour = match.groups()
    try:
        return parse_instant(f"{year}-{month}-{day}T{hour}:00:00Z")
    except ValueError:
        return None


def _first(members: dict[str, Any], names: Sequence[str]) -> str | None:
    return next((str(members[name]) for name in names if members.get(name) is not None), None)
