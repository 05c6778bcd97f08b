"""Rows as Athena hands them out: as texts, in pages, and as a CSV object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: DuckDB's types -> Athena's name, precision and scale.
_TYPES = {
    "BOOLEAN": ("boolean", 0, 0),
    "TINYINT": ("tinyint", 3, 0),
    "SMALLINT": ("smallint", 5, 0),
    "INTEGER": ("integer", 10, 0),
    "BIGINT": ("bigint", 19, 0),
    "UBIGINT": ("bigint", 19, 0),
    "HUGEINT": ("bigint", 19, 0),
    "FLOAT": ("float", 17, 0),
    "DOUBLE": ("double", 17, 0),
    "VARCHAR": ("varchar", 2147483647, 0),
    "BLOB": ("varbinary", 1073741824, 0),
    "DATE": ("date", 0, 0),
    "TIMESTAMP": ("timestamp", 3, 0),
    "TIMESTAMP WITH TIME ZONE": ("timestamp with time zone", 3, 0),
}
#: Beyond these Java prints a double with an exponent.
_PLAIN = (1e-3, 1e7)
_MILLISECOND_US = 1000


@dataclass(frozen=True)
class Answer:
    """A query's rows.

    Attributes:
        names: of the columns.
        types: Athena's, with precision and scale.
        rows: of texts; None is null.
        labelled: whether the first row that is handed out names the columns.
    """

    names: list[str]
    types: list[tuple[str, int, int]]
    rows: list[list[str | None]]
    labelled: bool = True

    @property
    def csv(self) -> str:
        """The object in the output location: every value in quotes, a null nothing at all."""
        lines = [self.names, *self.rows] if self.labelled else self.rows
        return "".join(",".join(_quoted(value) for value in line) + "\n" for line in lines)

    def page(self, begin: int, count: int) -> dict[str, Any]:
        """GetQueryResults' answer from a row on, the row of labels counted."""
        lines: list[Sequence[str | None]] = [
            *([self.names] if self.labelled else []),
            *self.rows,
        ]
        found: dict[str, Any] = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if value is None else {"VarCharValue": value} for value in line]}
                    for line in lines[begin : begin + count]
                ],
                "ResultSetMetadata": {"ColumnInfo": self._column_info()},
            },
        }
        if begin + count < len(lines):
            found["NextToken"] = str(begin + count)
        return found

    def _column_info(self) -> list[dict[str, Any]]:
        return [
            {
                "CatalogName": "hive",
                "SchemaName": "",
                "TableName": "",
                "Name": name,
                "Label": name,
                "Type": kind,
                "Precision": precision,
                "Scale": scale,
                "Nullable": "UNKNOWN",
                "CaseSensitive": kind == "varchar",
            }
            for name, (kind, precision, scale) in zip(self.names, self.types, strict=True)
        ]


def answer(description: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]) -> Answer:
    """DuckDB's rows as Athena's."""
    types = [_type(str(column[1])) for column in description]
    columns = [[row[number] for row in rows] for number in range(len(types))]
    texts = [_texts(column) for column in columns]
    return Answer(
        [str(column[0]) for column in description],
        types,
        [list(line) for line in zip(*texts, strict=True)],
    )


def _type(duckdb_type: str) -> tuple[str, int, int]:
    if duckdb_type.startswith("DECIMAL("):
        precision, scale = duckdb_type[len("DECIMAL(") : -1].split(",")
        return "decimal", int(precision), int(scale)
    return _TYPES[duckdb_type]


def _texts(values: list[Any]) -> list[str | None]:
    """A column's values; a timestamp's digits are the column's: six where any needs them, else three."""
    digits = 3
    if any(isinstance(value, datetime) and value.microsecond % _MILLISECOND_US for value in values):
        digits = 6
    return [_text(value, digits) for value in values]


def _text(value: Any, digits: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S.%f}"[: digits - 6 or None]
        return f"{text} UTC" if value.tzinfo else text
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, (int, Decimal, date, str)):
        return str(value)
    raise TypeError(f"Athena's text of {value!r} is not known here")


def java_double(value: float) -> str:
    """A double as Java prints it: 1.0E10, 1.5E-5, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    least, most = _PLAIN
    if value == 0 or least <= abs(value) < most:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(str(digit) for digit in digits)
    return f"{'-' * sign}{text[0]}.{text[1:] or '0'}E{len(text) - 1 + int(exponent)}"


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'
