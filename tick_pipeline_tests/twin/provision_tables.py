"""The databases, tables and views of terraform/glue_catalog.tf, by AWS's own calls."""

# boto3 makes its clients at run time.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import base64
import json
from typing import Any

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import iceberg_schema
from tick_pipeline.queries.saved import saved_views
from tick_pipeline.resources.iceberg import TABLE_PROPERTIES, partition_column
from tick_pipeline.storage import PARTITION_KEYS, TABLES, StorageMode, glue_database, table_location
from tick_pipeline_tests.twin.stack import FIRST_YEAR, LAST_YEAR, PROJECT, WAREHOUSE

_RANGES = {
    "year": (f"{FIRST_YEAR},{LAST_YEAR}", 4),
    "month": ("1,12", 2),
    "day": ("1,31", 2),
    "hour": ("0,23", 2),
}
_GLUE_TYPES = {"string": "string", "int64": "bigint", "double": "double", "timestamp": "timestamp"}


def create_tables(glue: Any) -> None:
    """Make them."""
    for mode in StorageMode:
        glue.create_database(
            DatabaseInput={
                "Name": glue_database(PROJECT, mode),
                "Description": f"Ticks, candles and anomalies, stored as {mode}",
                "LocationUri": f"{WAREHOUSE}/{mode}",
            }
        )
    for table in TABLES:
        _create_iceberg(glue, table)
        glue.create_table(
            DatabaseName=glue_database(PROJECT, StorageMode.PARQUET_PROJECTION),
            TableInput=_projected(table),
        )
    for mode in StorageMode:
        for name, view in saved_views()[mode.value].items():
            glue.create_table(
                DatabaseName=glue_database(PROJECT, mode), TableInput=_view(mode, name, view)
            )


def _create_iceberg(glue: Any, table: str) -> None:
    schema = iceberg_schema(table_contract(table))
    column = next(one for one in schema["fields"] if one["name"] == partition_column(table))
    by_hour = {
        "SourceId": column["id"],
        "FieldId": 1000,
        "Name": f"{column['name']}_hour",
        "Transform": "hour",
    }
    properties = {
        name: value for name, value in TABLE_PROPERTIES.items() if name != "format-version"
    }
    iceberg = {
        "Location": table_location(WAREHOUSE, StorageMode.ICEBERG, table),
        "Properties": {**properties, "comment": _comment(table)},
        "PartitionSpec": {"SpecId": 0, "Fields": [by_hour]},
        "Schema": {
            "SchemaId": 0,
            "Type": "struct",
            "Fields": [
                {
                    "Id": one["id"],
                    "Name": one["name"],
                    "Type": one["type"],
                    "Required": False,
                    "Doc": one["doc"],
                }
                for one in schema["fields"]
            ],
        },
    }
    glue.create_table(
        DatabaseName=glue_database(PROJECT, StorageMode.ICEBERG),
        TableInput={"Name": table},
        OpenTableFormatInput={
            "IcebergInput": {
                "MetadataOperation": "CREATE",
                "Version": "2",
                "CreateIcebergTableInput": iceberg,
            }
        },
    )


def _comment(table: str) -> str:
    contract = table_contract(table)
    return f"{contract.grain}; key {', '.join(contract.key)}"


def _projected(table: str) -> dict[str, Any]:
    location = table_location(WAREHOUSE, StorageMode.PARQUET_PROJECTION, table)
    template = "/".join([location, *(f"{key}=${{{key}}}" for key in PARTITION_KEYS)])
    parameters = {
        "EXTERNAL": "TRUE",
        "classification": "parquet",
        "projection.enabled": "true",
        "storage.location.template": template,
    }
    for key, (values, digits) in _RANGES.items():
        parameters[f"projection.{key}.type"] = "integer"
        parameters[f"projection.{key}.range"] = values
        parameters[f"projection.{key}.digits"] = str(digits)
    hive = "org.apache.hadoop.hive.ql.io.parquet"
    return {
        "Name": table,
        "Description": _comment(table),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [
            {"Name": key, "Type": "string", "Comment": f"{key} of the event, UTC, zero-padded"}
            for key in PARTITION_KEYS
        ],
        "StorageDescriptor": {
            "Location": f"{location}/",
            "InputFormat": f"{hive}.MapredParquetInputFormat",
            "OutputFormat": f"{hive}.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": f"{hive}.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
            "Columns": [
                {
                    "Name": column.name,
                    "Type": _GLUE_TYPES[column.type],
                    "Comment": column.description,
                }
                for column in table_contract(table).fields
            ],
        },
    }


def _view(mode: StorageMode, name: str, view: dict[str, Any]) -> dict[str, Any]:
    """As Athena itself writes a view: statement, catalog and columns in one JSON text."""
    database = glue_database(PROJECT, mode)
    definition = {
        "originalSql": view["sql"].replace(f"@{mode}@", database),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [
            {"name": item["name"], "type": item["athena_type"]} for item in view["columns"]
        ],
    }
    encoded = base64.b64encode(json.dumps(definition).encode()).decode()
    return {
        "Name": name,
        "Description": "View over raw that reads the same in both storage modes",
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [
                {"Name": item["name"], "Type": item["glue_type"]} for item in view["columns"]
            ],
            "SerdeInfo": {"Name": "-", "SerializationLibrary": "-"},
        },
    }
