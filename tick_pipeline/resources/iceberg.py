"""The Iceberg catalog of the local deployment: one SQLite file that PyIceberg, Spark and DuckDB share."""

# PyIceberg's schemas may be pyarrow's, which has no types
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import HourTransform
from sqlalchemy.exc import SQLAlchemyError

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import iceberg_schema
from tick_pipeline.errors import HomeError
from tick_pipeline.storage import (
    ANOMALIES,
    CATALOG,
    RAW,
    TABLES,
    StorageMode,
    iceberg_identifier,
    table_location,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

#: Iceberg numbers partition fields from 1000. Source: https://iceberg.apache.org/spec/#partition-specs
_PARTITION_FIELD_ID = 1000
TABLE_PROPERTIES = {
    # PyIceberg cannot write version 3.
    "format-version": "2",
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "20",
    # Landing commits often: without these, planning and the metadata folder grow with each commit.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
}


_ANEW = "restore the file, or begin anew with `tick-pipeline reset`"


def partition_column(table: str) -> str:
    """The column whose UTC hour partitions the Iceberg table."""
    return {RAW: "event_ts", ANOMALIES: "event_at"}.get(table, "bucket_start")


def catalog_uri(home_path: Path) -> str:
    """SQLAlchemy's name of the catalog file."""
    return f"sqlite:///{home_path / 'catalog.db'}?timeout=30"


def warehouse_uri(home_path: Path) -> str:
    """The warehouse as a URI, as Iceberg writes it into its metadata.

    Not percent-encoded: PyIceberg and Hadoop take a file's URI as it stands (see home.py for the
    characters that would then mean something else).
    """
    return f"file://{home_path / 'warehouse'}"


def open_catalog(home_path: Path) -> SqlCatalog:
    """The catalog of a HOME, created where it is absent.

    PyIceberg must create its tables, not Spark: Spark's own creation leaves every later write of
    Spark's failing with SQLITE_BUSY_SNAPSHOT after a commit of PyIceberg's.
    """
    return SqlCatalog(
        CATALOG,
        uri=catalog_uri(home_path),
        warehouse=warehouse_uri(home_path),
        schema_version="v1",
    )


def load_table(home_path: Path, table: str) -> Table:
    """An Iceberg table of a HOME as it is now.

    Raises:
        HomeError: the catalog has no such table, or it cannot be read.
    """
    name = iceberg_identifier(table)
    catalog = home_path / "catalog.db"
    try:
        return open_catalog(home_path).load_table(name)
    except NoSuchTableError as error:
        raise HomeError(f"{catalog} has no table {name}; {_ANEW}") from error
    except (SQLAlchemyError, OSError) as error:
        said = " ".join(str(error).split())
        raise HomeError(f"{name} cannot be read from {catalog} ({said}); {_ANEW}") from error


def create_tables(home_path: Path) -> None:
    """Create the catalog and every Iceberg table that is not there yet, empty."""
    catalog = open_catalog(home_path)
    with closing(sqlite3.connect(home_path / "catalog.db")) as connection:
        # Readers and one writer at a time then never wait for one another.
        connection.execute("pragma journal_mode=wal")
    catalog.create_namespace_if_not_exists(StorageMode.ICEBERG.value)
    for table in TABLES:
        schema = Schema.model_validate(iceberg_schema(table_contract(table)))
        column = schema.find_field(partition_column(table))
        catalog.create_table_if_not_exists(
            iceberg_identifier(table),
            schema,
            location=table_location(warehouse_uri(home_path), StorageMode.ICEBERG, table),
            partition_spec=PartitionSpec(
                PartitionField(
                    source_id=column.field_id,
                    field_id=_PARTITION_FIELD_ID,
                    transform=HourTransform(),
                    name=f"{column.name}_hour",
                )
            ),
            properties=TABLE_PROPERTIES,
        )
