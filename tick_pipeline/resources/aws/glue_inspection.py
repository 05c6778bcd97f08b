"""What lies in the bucket and the Glue Data Catalog; see resources/inspection.py."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.aws.s3_footers import s3_footers
from tick_pipeline.resources.aws.s3_objects import list_keys
from tick_pipeline.resources.iceberg_landings import dated_files
from tick_pipeline.resources.inspection import TableFile
from tick_pipeline.resources.null_columns import NullColumn, null_columns
from tick_pipeline.resources.snapshot_history import snapshot_facts
from tick_pipeline.resources.stray_objects import Level, find_strays
from tick_pipeline.storage import StorageMode, table_location

if TYPE_CHECKING:
    from tick_pipeline.queries.pruning import TimeRange
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.maintenance_port import SnapshotFacts
    from tick_pipeline.settings import Settings


class GlueInspection:
    """The port on the databases, and the bucket, that the settings name.

    Args:
        clients: of AWS.
        settings: names.
    """

    def __init__(self, clients: AwsClients, settings: Settings) -> None:
        self._clients = clients
        self._settings = settings
        self._warehouse = warehouse_uri(str(settings.bucket))
        self._footers = s3_footers(clients)

    def data_files(self, mode: StorageMode, table: str, times: TimeRange) -> list[TableFile]:
        """See Inspection."""
        if mode is StorageMode.ICEBERG:
            with lake_errors(f"listing the files of {mode}.{table}"):
                stored = load_iceberg_table(self._clients, self._settings, table)
                return [TableFile(*file) for file in dated_files(stored, times)]
        return [
            TableFile(file.path, file.bytes, file.hour_us, file.modified_us)
            for file in list_parquet_files(self._clients, self._warehouse, table, times)
        ]

    def null_columns(self, mode: StorageMode, table: str, times: TimeRange) -> list[NullColumn]:
        """See Inspection."""
        files = self.data_files(mode, table, times)
        footers = self._footers([file.path for file in files])
        return null_columns(table, [(file.hour_us, footers[file.path]) for file in files])

    def strays(self, mode: StorageMode, times: TimeRange) -> list[str]:
        """See Inspection; a request for each folder above the hours, and for each hour."""
        root = table_location(self._warehouse, mode, "")
        with aws_errors(f"listing {root}"):
            return find_strays(mode, times, self._level, root)

    def snapshots(self, table: str) -> list[SnapshotFacts]:
        """See Inspection."""
        with lake_errors(f"reading the snapshots of {StorageMode.ICEBERG}.{table}"):
            return snapshot_facts(load_iceberg_table(self._clients, self._settings, table))

    def _level(self, folder: str) -> Level:
        place = urlsplit(folder)
        prefix = f"{place.path.strip('/')}/"
        keys = list_keys(self._clients, place.netloc, prefix, Delimiter="/")
        names = [key[len(prefix) :] for key in keys if key != prefix]
        return Level(
            [name.rstrip("/") for name in names if name.endswith("/")],
            # What Hadoop puts where a folder would else be gone is no file.
            [name for name in names if not name.endswith(("/", "$folder$"))],
        )
