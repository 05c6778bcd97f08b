"""The lake on AWS for upkeep: its tables, who else looks after them, and the jobs that read them."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import logging
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from tick_pipeline.errors import BusyError
from tick_pipeline.landing.read_marks import ReadMarks
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.glue_run import GlueJob
from tick_pipeline.resources.aws.s3_files import warehouse_uri
from tick_pipeline.resources.aws.s3_store import S3Store
from tick_pipeline.storage import StorageMode, table_location

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.object_store import StoredFile
    from tick_pipeline.settings import Settings

_LOG = logging.getLogger(__name__)
#: A run over a day takes minutes. So long in all, from the first that is waited for.
_WAIT_SECONDS = 15 * 60.0
_OPTIMIZERS = "table_optimizers"


class GlueLake:
    """The tables in the bucket and the databases that the settings name; see resources/lake.py.

    Args:
        clients: of AWS.
        settings: names, and who looks after the Iceberg tables.
        home: where the sensors' positions are.
    """

    def __init__(self, clients: AwsClients, settings: Settings, home: Home) -> None:
        self._clients = clients
        self._settings = settings
        self._home = home
        self._deadline: float | None = None

    @property
    def left_to(self) -> str | None:
        """Glue's optimizers, unless Terraform made none: two compactions would be in each other's way."""
        glue = self._settings.iceberg_maintainer == _OPTIMIZERS
        return "Glue's table optimizers" if glue else None

    def iceberg(self, table: str) -> Table:
        """See Lake."""
        return load_iceberg_table(self._clients, self._settings, table)

    def store(self, mode: StorageMode, table: str) -> S3Store:
        """See Lake."""
        warehouse = warehouse_uri(str(self._settings.bucket))
        return S3Store(self._clients, table_location(warehouse, mode, table))

    def alone(self) -> AbstractContextManager[object]:
        """See Lake. S3 has no locks: two at once are told apart by Iceberg's commits, see ParquetUpkeep for Parquet."""
        self._deadline = None
        return nullcontext()

    def telling(self, what: str) -> AbstractContextManager[object]:
        """See Lake."""
        return lake_errors(what)

    @contextmanager
    def unread(self, mode: StorageMode) -> Generator[None]:
        """See Lake; a run that starts later may still fail, and is then run again."""
        while (reader := self._reader(mode)) is not None:
            job, run_id = reader
            if self._deadline is None:
                self._deadline = time.monotonic() + _WAIT_SECONDS
            reads = f"the run {run_id} of the Glue job {job.name} reads {mode}.raw"
            _LOG.warning("%s; waiting until it has ended", reads)
            if job.await_end(run_id, max(0.0, self._deadline - time.monotonic())) is None:
                raise BusyError(
                    f"{reads}, still after {_WAIT_SECONDS:g} s; let it end, then run `tick-pipeline maintain run` again"
                )
        yield

    def _reader(self, mode: StorageMode) -> tuple[GlueJob, str] | None:
        """A job's run that reads a mode's raw, and has not ended."""
        for name in (self._settings.glue_job_ohlc, self._settings.glue_job_anomalies):
            job = GlueJob(self._clients, str(name), _LOG)
            for run in job.active_runs():
                modes = run.get("Arguments", {}).get("--STORAGE_MODE", mode.value)
                if mode.value in modes.split(","):
                    return job, run["Id"]
        return None

    def settled(self, mode: StorageMode, files: Sequence[StoredFile]) -> list[StoredFile]:
        """See Lake: Firehose writes no name twice."""
        del mode
        return list(files)

    def read_mark(self) -> int | None:
        """See Lake."""
        return ReadMarks(self._home).smallest(StorageMode.ICEBERG)
