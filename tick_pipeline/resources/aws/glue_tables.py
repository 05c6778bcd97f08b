"""How tables are stored on AWS: the Glue Data Catalog, Iceberg's metadata and the objects in S3."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import AwsError
from tick_pipeline.event_time import as_datetime, now_us, parse_instant
from tick_pipeline.landing.error_store import Arrivals
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.glue_evolution import (
    NO_ENTITY,
    GlueView,
    ProjectedTable,
    read_glue_table,
)
from tick_pipeline.resources.aws.projected_tables import Projection, projected_drift
from tick_pipeline.resources.aws.s3_error_store import S3ErrorStore
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.aws.s3_footers import s3_footers
from tick_pipeline.resources.data_files import iceberg_files
from tick_pipeline.resources.footers import count_rows
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.resources.schema_evolution import Evolution, IcebergTable, evolve
from tick_pipeline.resources.table_schema import NO_TABLE, files_drift, iceberg_drift
from tick_pipeline.resources.table_stats import TableStats, iceberg_stats
from tick_pipeline.storage import TABLES, StorageMode, glue_database, table_location

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.schema_evolution import Stored
    from tick_pipeline.settings import Settings

#: Each footer is a request: more of them, and `status` would wait.
_COUNTED_FILES = 100
_SCHEMA_CACHE = (
    "Firehose goes on with a table's old columns for up to 15 minutes: let producers send new fields only then. "
    "Until then Iceberg's sends such records to the error prefix, and Parquet's lands them without the new fields"
)


class GlueTables:
    """The port on the databases, and the bucket, that the settings name; see resources/tables.py.

    Args:
        clients: of AWS.
        settings: names, enabled modes, and where the partitions begin.
    """

    def __init__(self, clients: AwsClients, settings: Settings) -> None:
        self._clients = clients
        self._settings = settings
        self._project = str(settings.project)
        self._warehouse = warehouse_uri(str(settings.bucket))
        self._footers = s3_footers(clients)
        self._errors = S3ErrorStore(clients, self._warehouse)

    def schema_drift(self, mode: StorageMode, table: str, start_us: int, end_us: int) -> list[str]:
        """See Tables. Compared are the catalog with its projection or partitioning, and the objects' footers."""
        times = TimeRange(start_us, end_us)
        try:
            lines = (
                self._iceberg_drift(table, times)
                if mode is StorageMode.ICEBERG
                else self._projected_drift(table, times)
            )
        except AwsError as error:
            if error.code != NO_ENTITY:
                raise
            lines = [NO_TABLE]
        return [f"{mode}.{table}: {line}" for line in lines]

    def stats(self, mode: StorageMode, table: str) -> TableStats:
        """See Tables."""
        if mode is StorageMode.ICEBERG:
            with lake_errors(f"counting {mode}.{table}"):
                return iceberg_stats(self._load(table), table)
        files = list_parquet_files(self._clients, self._warehouse, table, TimeRange())
        paths = [file.path for file in files]
        return TableStats(
            mode,
            table,
            rows=count_rows(self._footers(paths)) if len(paths) <= _COUNTED_FILES else None,
            files=len(files),
            bytes=sum(file.bytes for file in files),
            hours=len({file.hour_us for file in files}),
        )

    def newest_hour(self, mode: StorageMode, table: str, since_us: int) -> int | None:
        """See Tables."""
        times = TimeRange(since_us)
        if mode is StorageMode.ICEBERG:
            with lake_errors(f"looking for the newest hour of {mode}.{table}"):
                files = iceberg_files(self._load(table), partition_column(table), times)
                return max((file.hour_us for file in files), default=None)
        listed = list_parquet_files(self._clients, self._warehouse, table, times)
        return max((file.hour_us for file in listed), default=None)

    def error_objects(self, mode: StorageMode) -> int:
        """See Tables."""
        return sum(1 for _ in self._errors.names(mode, Arrivals()))

    def evolve(self, *, dry_run: bool) -> Evolution:
        """See Tables. Tables first, so that no view asks for a column that is not there yet."""
        with lake_errors("evolving the tables"):
            steps = evolve(self._stored(), dry_run=dry_run)
        return Evolution(steps, [_SCHEMA_CACHE] if steps else [])

    def _stored(self) -> list[Stored]:
        found: list[Stored] = []
        modes = self._settings.storage_modes
        if StorageMode.ICEBERG in modes:
            found += [IcebergTable(table, self._load) for table in TABLES]
        if StorageMode.PARQUET_PROJECTION in modes:
            found += [ProjectedTable(self._clients, self._project, table) for table in TABLES]
        views = [(mode, view) for mode in modes for view in VIEWS]
        return [*found, *(GlueView(self._clients, self._project, *place) for place in views)]

    def _load(self, table: str) -> Table:
        return load_iceberg_table(self._clients, self._settings, table)

    def _iceberg_drift(self, table: str, times: TimeRange) -> list[str]:
        with lake_errors(f"reading {StorageMode.ICEBERG}.{table}"):
            return list(iceberg_drift(self._load(table), table, times, self._footers))

    def _projected_drift(self, table: str, times: TimeRange) -> list[str]:
        mode = StorageMode.PARQUET_PROJECTION
        stored = read_glue_table(self._clients, glue_database(self._project, mode), table)
        start_us = parse_instant(str(self._settings.partitions_start))
        projection = Projection(
            table_location(self._warehouse, mode, table),
            first_year=as_datetime(start_us).year,
            last_year=as_datetime(now_us()).year,
        )

        def list_paths() -> list[str]:
            found = list_parquet_files(self._clients, self._warehouse, table, times)
            return [file.path for file in found]

        return [
            *projected_drift(stored, table, projection),
            *files_drift(mode, table, list_paths, self._footers),
        ]
