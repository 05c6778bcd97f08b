"""What Firehose makes columns of: by the OpenX SerDe's rules for Parquet, by Iceberg's types for Iceberg.

Written from AWS's documentation and the SerDe's source, and from nothing of our own landing: the twin is to
witness against it.
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import pyarrow as pa

from tick_pipeline_tests.twin.firehose_records import (
    CONVERSION_FAILED,
    ICEBERG_FAILED,
    Arrived,
    Failed,
    RecordError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PARSE_ERROR = "DataFormatConversion.ParseError"
_MALFORMED = "DataFormatConversion.MalformedData"
_INT64 = range(-(1 << 63), 1 << 63)
_Int64 = Annotated[int, msgspec.Meta(ge=_INT64.start, le=_INT64.stop - 1)]
#: Microseconds of the years 1 to 9999: PyIceberg names no partition beyond them.
_Microseconds = Annotated[int, msgspec.Meta(ge=-62_135_596_800_000_000, lt=253_402_300_800_000_000)]
#: What Long.parseLong and Double.parseDouble of Java take.
_JAVA_LONG = re.compile(r"[+-]?[0-9]+")
_JAVA_DOUBLE = re.compile(
    r"\s*[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)[dDfF]?\s*"
)


@dataclass(frozen=True)
class Converted:
    """A batch as a table, and what did not fit.

    Attributes:
        table: a row for each record that fits.
        kept: which record each row is, by its place in the batch.
        failed: the others.
    """

    table: pa.Table
    kept: list[int]
    failed: list[Failed]


class OpenXColumns:
    """Rows for the columns of a Glue table, by the rules of the OpenX JSON SerDe.

    A member that is no column is left out, a column that is no member is null, and a value of another type is
    turned into the column's where Java can: `"1.5"` for a double, `"7"` or 7.9 for a bigint, 5 for a string.
    Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html and its object
    inspectors, https://github.com/rcongiu/Hive-JSON-Serde
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        """Take the columns: name -> type of Hive; `string`, `bigint` and `double` are known."""
        self._schema = pa.schema([(name, _HIVE_TYPES[kind][1]) for name, kind in columns.items()])
        self._coerce = {name: _COERCIONS[kind] for name, kind in columns.items()}
        kinds = [(name, _HIVE_TYPES[kind][0]) for name, kind in columns.items()]
        self._row = _row_type(kinds, forbid_unknown_fields=False)
        self._decoder: Any = msgspec.json.Decoder(self._row)

    def convert(self, records: Sequence[Arrived]) -> Converted:
        """Convert a batch."""
        return _convert(records, self._read, self._schema)

    def _read(self, data: bytes) -> Any:
        try:
            # What is skipped is not looked at otherwise.
            data.decode("utf-8")
            return self._decoder.decode(data)
        except (ValueError, RecursionError):
            return self._row(**self._coerced(data))

    def _coerced(self, data: bytes) -> dict[str, Any]:
        if not data.strip():
            raise RecordError(
                CONVERSION_FAILED, _MALFORMED, "The record was empty or contained only whitespace."
            )
        try:
            members = parse_json(data)
        except (ValueError, RecursionError) as error:
            message = f"Encountered malformed JSON. {error}"
            raise RecordError(CONVERSION_FAILED, _PARSE_ERROR, message) from error
        if not isinstance(members, dict):
            message = "The input JSON contained a primitive at the top level. The top level must be an object or array."
            raise RecordError(CONVERSION_FAILED, _MALFORMED, message)
        try:
            return self._values(cast("dict[str, Any]", members))
        except ValueError as error:
            message = f"Data does not match the schema. {error}"
            raise RecordError(CONVERSION_FAILED, _MALFORMED, message) from error

    def _values(self, members: dict[str, Any]) -> dict[str, Any]:
        return {
            name: coerce(members[name])
            for name, coerce in self._coerce.items()
            if members.get(name) is not None
        }


class IcebergColumns:
    """Rows for the columns of an Iceberg table, as Firehose's Iceberg destination takes them.

    Names are matched exactly, a member that is no column fails the record, and nothing is turned into another
    type; a timestamp is a whole number of microseconds.
    Source: https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-considerations.html
    """

    def __init__(self, schema: pa.Schema) -> None:
        """Take the columns of the table, as Arrow has them."""
        self._schema = schema
        kinds = [(field.name, _arrow_kind(field.type)) for field in schema]
        self._decoder: Any = msgspec.json.Decoder(_row_type(kinds, forbid_unknown_fields=True))

    def convert(self, records: Sequence[Arrived]) -> Converted:
        """Convert a batch."""
        return _convert(records, self._read, self._schema)

    def _read(self, data: bytes) -> Any:
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            unknown = "unknown field" in str(error)
            code = "Iceberg.MissingColumnWithinRecord" if unknown else "Iceberg.SchemaTypeMismatch"
            raise RecordError(ICEBERG_FAILED, code, str(error)) from error
        except (ValueError, RecursionError) as error:
            raise RecordError(ICEBERG_FAILED, "Iceberg.InvalidJson", str(error)) from error


def parse_json(data: bytes) -> Any:
    """JSON as Jackson reads it: no NaN, the last of two equal members, a byte order mark passed over.

    Raises:
        ValueError: it is no one JSON document in UTF-8.
    """

    def refuse(literal: str) -> Any:
        raise ValueError(f"Non-standard token '{literal}'")

    text = data.decode("utf-8").removeprefix("\ufeff")
    return json.loads(text, parse_constant=refuse)


def _convert(
    records: Sequence[Arrived], read: Callable[[bytes], Any], schema: pa.Schema
) -> Converted:
    rows: list[Any] = []
    kept: list[int] = []
    failed: list[Failed] = []
    for index, record in enumerate(records):
        try:
            rows.append(read(record.data))
            kept.append(index)
        except RecordError as error:  # noqa: PERF203  (each record fails alone)
            failed.append(Failed(record, error))
    columns = [_column([getattr(row, field.name) for row in rows], field.type) for field in schema]
    return Converted(pa.table(columns, schema=schema), kept, failed)


def _column(values: list[Any], kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)


def _row_type(kinds: Sequence[tuple[str, Any]], *, forbid_unknown_fields: bool) -> Any:
    fields = [(name, kind | None, None) for name, kind in kinds]
    return msgspec.defstruct("Row", fields, forbid_unknown_fields=forbid_unknown_fields, gc=False)


def _arrow_kind(kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return _Microseconds
    if pa.types.is_floating(kind):
        return float
    return _Int64 if pa.types.is_integer(kind) else str


def _as_string(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    # Java writes half a surrogate pair as a question mark.
    return text.encode("utf-8", "replace").decode("utf-8")


def _as_bigint(value: Any) -> int:
    if isinstance(value, float):
        # Java cuts the fraction off, and stops at the ends.
        return min(int(min(max(value, -(2.0**63)), 2.0**63)), _INT64.stop - 1)
    text = _as_string(value)
    if not _JAVA_LONG.fullmatch(text) or int(text) not in _INT64:
        raise ValueError(f'For input string: "{text}"')
    return int(text)


def _as_double(value: Any) -> float:
    text = _as_string(value)
    if not _JAVA_DOUBLE.fullmatch(text):
        raise ValueError(f'For input string: "{text}"')
    return float(text.strip().rstrip("dDfF"))


_HIVE_TYPES: dict[str, tuple[Any, pa.DataType]] = {
    "string": (str, pa.string()),
    "bigint": (_Int64, pa.int64()),
    "double": (float, pa.float64()),
}
_COERCIONS: dict[str, Callable[[Any], Any]] = {
    "string": _as_string,
    "bigint": _as_bigint,
    "double": _as_double,
}
