"""Spark jobs on AWS: runs of the Glue jobs that Terraform made."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import logging
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tick_pipeline.costs.glue import ANOMALIES_BYTES_A_DPU, CANDLES_BYTES_A_DPU
from tick_pipeline.errors import AwsError, BusyError, SparkJobError
from tick_pipeline.event_time import format_short
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.aws.glue_capacity import capacity_for
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.glue_facts import COST, LOG, PAGE, log_groups, run_facts
from tick_pipeline.resources.aws.glue_logs import log_tail
from tick_pipeline.resources.aws.glue_pace import Pace
from tick_pipeline.resources.aws.glue_run import SUCCEEDED, GlueJob, told_reason
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.aws.s3_folder import S3Folder
from tick_pipeline.resources.data_files import iceberg_files
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.resources.job_logs import busy_reason, error_of, tail_of
from tick_pipeline.spark.report import AnomalyReport, JobReport, OhlcReport, parse_reports
from tick_pipeline.storage import RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import dagster as dg

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.settings import Settings
    from tick_pipeline.spark.request import AnomalyRequest, HoursRequest, OhlcRequest

#: Below it each run has a folder of its own for its report and its log lines; they are kept for a week.
_PIPES = "pipes"
_REPORT = "report.json"
_ERROR_CHARACTERS = 300
_Report = TypeVar("_Report", bound=JobReport)


class GlueSparkJobs:
    """Jobs as runs of Glue.

    Args:
        clients: of AWS.
        settings: region, bucket and the jobs' names.
        pace: how long runs are waited for.
    """

    def __init__(
        self, clients: AwsClients, settings: Settings, *, pace: Pace | None = None
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._bucket = str(settings.bucket)
        self._region = str(settings.aws_region)
        self._pace = pace or Pace()

    def run_ohlc(
        self, request: OhlcRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[OhlcReport]:
        """Run the job for all storage modes of the request in one run of Glue.

        Raises:
            AwsError: AWS refused a call, or did not answer.
            BusyError: another run writes one of the tables, or the job has all the runs it may have.
            SparkJobError: the run failed; names its error and its log.
        """
        own = {"--TIMEFRAMES": ",".join(request.timeframes)}
        name = str(self._settings.glue_job_ohlc)
        return self._run_hours(name, request, own, CANDLES_BYTES_A_DPU, OhlcReport, run)

    def run_anomalies(
        self, request: AnomalyRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[AnomalyReport]:
        """Run the job for all storage modes of the request in one run of Glue.

        Raises:
            AwsError: AWS refused a call, or did not answer.
            BusyError: another run writes one of the tables, or the job has all the runs it may have.
            SparkJobError: the run failed; names its error and its log.
        """
        own = {"--RULES": request.rules.to_json()}
        name = str(self._settings.glue_job_anomalies)
        return self._run_hours(name, request, own, ANOMALIES_BYTES_A_DPU, AnomalyReport, run)

    def _run_hours(
        self,
        name: str,
        request: HoursRequest,
        own_arguments: Mapping[str, str],
        bytes_a_dpu: int,
        kind: type[_Report],
        run: dg.AssetExecutionContext | None,
    ) -> list[_Report]:
        """Run a job of whole hours.

        Args:
            name: of the job.
            request: the hours.
            own_arguments: its arguments beside the common ones.
            bytes_a_dpu: of its input.
            kind: of its reports.
            run: the Dagster run that its log goes to.
        """
        log = logging.getLogger(__name__) if run is None else run.log
        job = GlueJob(self._clients, name, log, self._pace)
        capacity = capacity_for(job.definition, self._input_bytes(request), bytes_a_dpu)
        self._await_others(job, request)
        request_id = uuid.uuid4().hex
        folder = S3Folder(self._clients, f"s3://{self._bucket}/{_PIPES}/{request_id}")
        arguments = {**_arguments(request), **own_arguments}
        arguments["--REPORT"] = f"{folder.uri}/{_REPORT}"
        log.info("%s: %s", name, capacity.as_request())
        with self._pipes(run, request_id) as pipes:
            ended = job.run(request_id, {**arguments, **pipes}, **capacity.as_request())
        facts = run_facts(job.definition, ended, self._region)
        log.info("%s, %s US dollars: %s", ended["JobRunState"], facts[COST], facts[PAGE])
        if ended["JobRunState"] != SUCCEEDED:
            raise self._failure(job, ended, facts, log)
        reports = self._reports(folder, kind, facts)
        return [replace(report, run=facts) for report in reports]

    @contextmanager
    def _pipes(
        self, run: dg.AssetExecutionContext | None, request_id: str
    ) -> Generator[Mapping[str, str]]:
        """Arguments by which a job's log appears in a Dagster run; none without one."""
        if run is None:
            yield {}
            return
        # The command line starts jobs without Dagster.
        from tick_pipeline.resources.aws.glue_pipes import pipes_arguments  # noqa: PLC0415

        s3, prefix = self._clients.client("s3"), f"{_PIPES}/{request_id}"
        with pipes_arguments(run, s3, self._bucket, prefix) as arguments:
            yield arguments

    def _input_bytes(self, request: HoursRequest) -> int:
        """Size of the raw files of the hours."""
        times = TimeRange(request.start_us, request.end_us)
        return sum(
            file.bytes for mode in request.storage_modes for file in self._raw_files(mode, times)
        )

    def _raw_files(self, mode: StorageMode, times: TimeRange) -> list[Any]:
        if mode is StorageMode.PARQUET_PROJECTION:
            return [*list_parquet_files(self._clients, warehouse_uri(self._bucket), RAW, times)]
        table = load_iceberg_table(self._clients, self._settings, RAW)
        with lake_errors(f"planning the reading of {mode}.{RAW}"):
            return [*iceberg_files(table, partition_column(RAW), times)]

    def _await_others(self, job: GlueJob, request: HoursRequest) -> None:
        """Wait until no run that is going on writes what this one will: Glue locks no tables.

        Such a run may be left of a caller that was killed.
        """
        deadline = time.monotonic() + self._pace.busy
        for seconds in self._pace.waits():
            other = next((run for run in job.active_runs() if _writes(run, request)), None)
            if other is None:
                return
            if time.monotonic() > deadline:
                raise BusyError(
                    f"the run {other['Id']} of the Glue job {job.name} writes the same tables, still "
                    f"after {self._pace.busy:g} s; try again later, or stop it in Glue's console"
                )
            time.sleep(seconds)

    def _failure(
        self, job: GlueJob, run: Mapping[str, Any], facts: Mapping[str, Any], log: logging.Logger
    ) -> BusyError | SparkJobError:
        """Why a run failed, as Glue and the end of its log tell."""
        try:
            lines = log_tail(self._clients, log_groups(job.definition), run["Id"])
        except AwsError as error:
            # The run's own error matters more.
            log.warning("%s", error)
            lines = []
        told = told_reason(run)
        for text in (told, error_of(lines)):
            if (busy := busy_reason(text)) is not None:
                return BusyError(busy)
        error = (told or error_of(lines))[:_ERROR_CHARACTERS]
        return SparkJobError(
            f"the Glue run {run['Id']} of {job.name} ended as {run['JobRunState']}: {error}; "
            f"its log: {facts[LOG]}",
            log_tail=tail_of(lines),
            run=facts,
        )

    def _reports(
        self, folder: S3Folder, kind: type[_Report], facts: Mapping[str, Any]
    ) -> list[_Report]:
        """What a run that succeeded wrote for its caller."""
        text = folder.read(_REPORT)
        place = f"{folder.uri}/{_REPORT}"
        if text is None:
            raise SparkJobError(
                f"the Glue run succeeded without a report at {place}; its log: {facts[LOG]}",
                run=facts,
            )
        try:
            return parse_reports(text, kind)
        except (TypeError, ValueError) as error:
            raise SparkJobError(
                f"the report {place} is none of this version ({error}): the job's wheel is of another; "
                "`terraform apply` deploys this one",
                run=facts,
            ) from error


def _arguments(request: HoursRequest) -> dict[str, str]:
    """The arguments that all jobs of whole hours have; Terraform's defaults say where the tables are."""
    arguments = {
        "--START": format_short(request.start_us),
        "--END": format_short(request.end_us),
        "--STORAGE_MODE": ",".join(request.storage_modes),
    }
    if request.load_data_mode is not None:
        arguments["--LOAD_DATA_MODE"] = request.load_data_mode.value
    return arguments


def _writes(run: Mapping[str, Any], request: HoursRequest) -> bool:
    """Whether a run of the same job writes a storage mode of the request."""
    named = run.get("Arguments", {}).get("--STORAGE_MODE")
    return named is None or not set(named.split(",")).isdisjoint(request.storage_modes)
