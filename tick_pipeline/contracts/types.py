"""A contract in each engine's types: Spark, Arrow, DuckDB, Iceberg and JSON Schema."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import StructType

    from tick_pipeline.contracts.contract import Contract, Field

_DUCKDB = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
_ICEBERG = {"string": "string", "int64": "long", "double": "double", "timestamp": "timestamptz"}
_JSON = {"string": "string", "int64": "integer", "double": "number", "timestamp": "string"}


def logical_type(column: Field, mode: StorageMode) -> str:
    """The field's type in one storage mode: `event_ts` is a timestamp in Iceberg's raw."""
    if mode is StorageMode.ICEBERG and column.iceberg_type == "timestamptz":
        return "timestamp"
    return column.type


def arrow_schema(contract: Contract, mode: StorageMode) -> pa.Schema:
    """Arrow schema of the stored table; every column is nullable, since raw keeps invalid records."""
    import pyarrow as pa  # noqa: PLC0415

    types: dict[str, pa.DataType] = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema(
        [pa.field(column.name, types[logical_type(column, mode)]) for column in contract.fields]
    )


def spark_schema(contract: Contract, mode: StorageMode) -> StructType:
    """Spark schema of the stored table, without partition keys; every column is nullable."""
    from pyspark.sql.types import (  # noqa: PLC0415
        DoubleType,
        LongType,
        StringType,
        StructField,
        StructType,
        TimestampType,
    )

    types = {
        "string": StringType(),
        "int64": LongType(),
        "double": DoubleType(),
        "timestamp": TimestampType(),
    }
    return StructType(
        [StructField(column.name, types[logical_type(column, mode)]) for column in contract.fields]
    )


def duckdb_columns(contract: Contract, mode: StorageMode) -> dict[str, str]:
    """Column name -> DuckDB type of the stored table."""
    return {column.name: _DUCKDB[logical_type(column, mode)] for column in contract.fields}


def iceberg_schema(contract: Contract) -> dict[str, Any]:
    """The table's schema in Iceberg's own JSON form, field ids from 1 in the contract's order.

    Source: https://iceberg.apache.org/spec/#schemas (appendix C, JSON serialization).
    """
    return {
        "type": "struct",
        "schema-id": 0,
        "fields": [
            {
                "id": position,
                "name": column.name,
                "required": False,
                "type": column.iceberg_type or _ICEBERG[column.type],
                "doc": column.description,
            }
            for position, column in enumerate(contract.fields, start=1)
        ],
    }


def json_schema(contract: Contract) -> dict[str, Any]:
    """JSON Schema (draft 07, the newest that Glue's Schema Registry takes) of one record on the wire.

    `iso_of` ties two fields, which JSON Schema cannot say: its shape stands as a pattern.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": contract.name,
        "description": contract.grain,
        "type": "object",
        "properties": {column.name: _json_property(column) for column in contract.fields},
        "required": [column.name for column in contract.fields if column.required],
        "additionalProperties": False,
    }


def _json_property(column: Field) -> dict[str, Any]:
    members: dict[str, Any] = {
        "type": _JSON[column.type] if column.required else [_JSON[column.type], "null"],
        "description": column.description,
    }
    if column.type == "int64":
        members |= {"minimum": -(2**63), "maximum": 2**63 - 1}
    if column.convertible:
        members |= {"minimum": column.convertible[0], "exclusiveMaximum": column.convertible[1]}
    names = {
        "min_length": "minLength",
        "minimum": "minimum",
        "exclusive_minimum": "exclusiveMinimum",
        "pattern": "pattern",
    }
    for rule in column.rules:
        if rule.name in names:
            members[names[rule.name]] = rule.value
        elif rule.name == "iso_of":
            members["pattern"] = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$"
    if column.default is not None:
        members["default"] = column.default
    return members
