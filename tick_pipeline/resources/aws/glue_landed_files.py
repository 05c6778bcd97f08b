"""What came into raw on AWS: by the snapshots in the Glue Data Catalog, and by S3's listing."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from pyiceberg.io.pyarrow import PyArrowFileIO

from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.glue_catalog import (
    lake_errors,
    load_iceberg_table,
    open_glue_catalog,
)
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.landed import (
    Lateness,
    iceberg_landed,
    iceberg_mark,
    look_back_us,
    parquet_landed,
    parquet_mark,
    read_lateness,
)
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.home import Home
    from tick_pipeline.landing.read_marks import Mark
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.landed import Landed, LandedFile
    from tick_pipeline.settings import Settings

#: An object's time has whole seconds, and of one that is uploaded in parts it is the begin of that
#: (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
_SETTLE_SECONDS = 60


class GlueLandedFiles:
    """The port on the databases, and the bucket, that the settings name; see resources/landed_files.py.

    Args:
        clients: of AWS.
        settings: names, and how far Parquet is looked back.
        home: keeps how far each reader is, for `maintain`, which alone expires snapshots here.
        settle_seconds: how much later than its time an object may be seen first.
    """

    def __init__(
        self,
        clients: AwsClients,
        settings: Settings,
        home: Home,
        *,
        settle_seconds: int = _SETTLE_SECONDS,
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._home = home
        self._warehouse = warehouse_uri(str(settings.bucket))
        self._settle_us = settle_seconds * US_PER_SECOND

    def mark(self, mode: StorageMode) -> Mark:
        """See LandedFiles."""
        if mode is StorageMode.PARQUET_PROJECTION:
            return parquet_mark(self._s3_now_us())
        return iceberg_mark(load_iceberg_table(self._clients, self._settings, RAW))

    def since(self, mode: StorageMode, mark: Mark | None, *, reader: str | None = None) -> Landed:
        """See LandedFiles."""
        from_us = look_back_us(now_us(), self._settings.late_lookback_hours)
        if mode is StorageMode.PARQUET_PROJECTION:
            now = self._s3_now_us()
            found = list_parquet_files(self._clients, self._warehouse, RAW, TimeRange(from_us))
            files = ((file, file.modified_us) for file in found)
            return parquet_landed(files, mark, settle_us=self._settle_us, now_us=now)
        if reader is not None and mark is not None:
            ReadMarks(self._home).keep(reader, mode, mark.number)
        with lake_errors(f"reading what landed in {mode}.{RAW}"):
            table = load_iceberg_table(self._clients, self._settings, RAW)
            return iceberg_landed(table, mark, from_us)

    def lateness(self, files: Sequence[LandedFile], over_us: int) -> Lateness:
        """See LandedFiles."""
        if not files:
            return Lateness(0, 0, 0)
        with lake_errors(f"reading what landed late in {self._warehouse}"):
            properties = open_glue_catalog(self._clients, self._settings).properties
            return read_lateness(PyArrowFileIO(properties), files, over_us)

    def _s3_now_us(self) -> int:
        """The time by the clock that dates objects: this machine's may be minutes ahead, and hide what lands."""
        with aws_errors(f"asking S3 of {self._warehouse} for the time"):
            answer = self._clients.client("s3").get_bucket_location(Bucket=self._settings.bucket)
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return int(parsedate_to_datetime(headers["date"]).timestamp()) * US_PER_SECOND
