"""Athena's rows as an Arrow table, of the types that the local engine gives."""

# pyarrow has no types
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Athena's names of types as its results say them -> Arrow's; those left out are told by their values.
_TYPES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


def arrow_table(columns: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows with their columns' types.

    Args:
        columns: as the DB API describes them: name, type, None, None, precision, scale, nullable.
        rows: plain values; a null is None, and an empty text is one.
    """
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    arrays = [
        pa.array(list(column), _arrow_type(described))
        for described, column in zip(columns, values, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=[str(described[0]) for described in columns])


def _arrow_type(described: Sequence[Any]) -> pa.DataType | None:
    name = str(described[1])
    if name == "decimal":
        return pa.decimal128(int(described[4]), int(described[5]))
    return _TYPES.get(name)
