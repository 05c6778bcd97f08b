"""Running Spark jobs: the port, and its local adapter, a subprocess that never outlives its caller."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import uuid
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from tick_pipeline.errors import BusyError, SparkJobError
from tick_pipeline.event_time import format_short
from tick_pipeline.home import exclusive
from tick_pipeline.resources.aws.glue_facts import COST, LOG
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.resources.job_logs import busy_reason, last_error, lines_of, tail_of
from tick_pipeline.resources.spark_runtime import (
    class_archive_options,
    jar_paths,
    spark_environment,
)
from tick_pipeline.resources.table_stats import raw_bytes
from tick_pipeline.spark.report import AnomalyReport, JobReport, OhlcReport, parse_reports
from tick_pipeline.spark.session import local_conf
from tick_pipeline.storage import ANOMALIES, candle_table

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    import dagster as dg

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings
    from tick_pipeline.spark.request import AnomalyRequest, HoursRequest, OhlcRequest

_JOBS_PACKAGE = "tick_pipeline.spark.jobs"
_LOCK_WAIT_SECONDS = 10.0
_REPORT_FILES_KEPT = 200
#: Up to about two million ticks the JVM's second compiler costs more than it saves.
_SMALL_BYTES = 40 << 20
_Report = TypeVar("_Report", bound=JobReport)


class SparkJobs(Protocol):
    """Where Spark jobs run."""

    def run_ohlc(
        self, request: OhlcRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[OhlcReport]:
        """Recompute and overwrite the candles of the hours; one report per storage mode.

        Args:
            request: which.
            run: the Dagster run that the job's log goes to, line by line.

        Raises:
            BusyError: another run writes one of the tables.
            SparkJobError: the job failed.
        """
        ...

    def run_anomalies(
        self, request: AnomalyRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[AnomalyReport]:
        """Recompute and overwrite the anomalies of the hours; one report per storage mode.

        Args:
            request: which.
            run: the Dagster run that the job's log goes to, line by line.

        Raises:
            BusyError: another run writes one of the tables.
            SparkJobError: the job failed.
        """
        ...


class LocalSparkJobs:
    """Jobs as subprocesses, on local Spark or any master.

    Args:
        home: an initialised HOME.
        settings: master and memory.
        java_options: JVM options in place of the ones chosen by class archive and size of the input.
    """

    def __init__(
        self, home: Home, settings: Settings, *, java_options: list[str] | None = None
    ) -> None:
        self._home = home
        self._settings = settings
        self._java_options = java_options

    def run_ohlc(
        self, request: OhlcRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[OhlcReport]:
        """Run the job for all storage modes of the request in one JVM.

        Raises:
            BusyError: another run writes one of the tables.
            RuntimeMissingError: a jar or the JVM is missing.
            SparkJobError: the job failed; names its error and its log.
        """
        return self._run_hours(
            "ohlc",
            request,
            [f"--TIMEFRAMES={','.join(request.timeframes)}"],
            [candle_table(timeframe) for timeframe in request.timeframes],
            OhlcReport,
            run,
        )

    def run_anomalies(
        self, request: AnomalyRequest, *, run: dg.AssetExecutionContext | None = None
    ) -> list[AnomalyReport]:
        """Run the job for all storage modes of the request in one JVM.

        Two runs exclude each other from start to end; the streaming job, which writes the same
        tables, only while this one looks at the stored rows and replaces them.

        Raises:
            BusyError: another run, or for too long the streaming job, writes one of the tables.
            RuntimeMissingError: a jar or the JVM is missing.
            SparkJobError: the job failed; names its error and its log.
        """
        return self._run_hours(
            "anomalies",
            request,
            [f"--RULES={request.rules.to_json()}", f"--LOCKS={self._home.locks}"],
            [f"{ANOMALIES}-batch"],
            AnomalyReport,
            run,
        )

    def _run_hours(
        self,
        job: str,
        request: HoursRequest,
        own_arguments: Sequence[str],
        writes: Sequence[str],
        kind: type[_Report],
        run: dg.AssetExecutionContext | None,
    ) -> list[_Report]:
        """Run a job of whole hours, alone among those that write the same.

        Args:
            job: its module and the name of its reports.
            request: the hours.
            own_arguments: its arguments beside the common ones.
            writes: names of what is locked in each storage mode while it runs.
            kind: of its reports.
            run: the Dagster run that its log goes to.
        """
        report = self._home.reports / f"{job}-{uuid.uuid4().hex}.json"
        arguments = [
            f"--START={format_short(request.start_us)}",
            f"--END={format_short(request.end_us)}",
            f"--STORAGE_MODE={','.join(request.storage_modes)}",
            f"--WAREHOUSE={warehouse_uri(self._home.path)}",
            f"--REPORT={report}",
            f"--PARENT={os.getpid()}",
            *own_arguments,
        ]
        if request.load_data_mode is not None:
            arguments.append(f"--LOAD_DATA_MODE={request.load_data_mode}")
        with ExitStack() as locks:
            handles = [
                locks.enter_context(
                    exclusive(
                        self._home.locks / f"{mode}-{name}.lock",
                        what=f"the writing of {mode}.{name}",
                        wait_seconds=_LOCK_WAIT_SECONDS,
                    )
                )
                for mode in sorted(request.storage_modes)
                for name in sorted(writes)
            ]
            command = [sys.executable, "-m", f"{_JOBS_PACKAGE}.{job}", *arguments]
            pipes = locks.enter_context(_pipes_environment(run))
            self._run(command, self._options_for(request), report, handles, pipes)
        _forget_old_files(self._home.reports, job)
        facts = self._facts(report.with_suffix(".log"))
        reports = parse_reports(report.read_text(encoding="utf-8"), kind)
        return [replace(told, run=facts) for told in reports]

    def _options_for(self, request: HoursRequest) -> list[str]:
        if self._java_options is not None:
            return self._java_options
        size_bytes = sum(
            raw_bytes(self._home, mode, request.start_us, request.end_us)
            for mode in request.storage_modes
        )
        first_compiler_only = ["-XX:TieredStopAtLevel=1"] if size_bytes < _SMALL_BYTES else []
        return [*class_archive_options(self._settings), *first_compiler_only]

    def _run(
        self,
        command: list[str],
        java_options: list[str],
        report: Path,
        locks: list[int],
        environment: Mapping[str, str],
    ) -> None:
        """Run a job until it ends; it holds the locks, too, so that they outlive a killed caller."""
        log = report.with_suffix(".log")
        scratch = self._home.path / "spark"
        scratch.mkdir(exist_ok=True)
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command,
                env={
                    **spark_environment(),
                    **environment,
                    "PYSPARK_SUBMIT_ARGS": self.submit_arguments(java_options),
                },
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=locks,
            )
            try:
                code = process.wait()
            except BaseException:
                # Ctrl-C reached the job, too: it is in our process group.
                process.terminate()
                process.wait()
                raise
        if code != 0 or not report.is_file():
            error = last_error(log)
            if (busy := busy_reason(error)) is not None:
                raise BusyError(busy)
            raise SparkJobError(
                f"the Spark job ended with code {code}: {error}; its log: {log}",
                log_tail=tail_of(lines_of(log)),
                run=self._facts(log),
            )

    @staticmethod
    def _facts(log: Path) -> dict[str, str | float]:
        """What there is to know of a run here, by the names that a run on AWS has."""
        return {LOG: str(log), COST: 0.0}

    def submit_arguments(self, java_options: list[str]) -> str:
        """What pyspark hands to spark-submit: master, memory, jars and configuration."""
        home, settings = self._home, self._settings
        jars = ":".join(str(path) for path in jar_paths(settings))
        conf = {
            **local_conf(
                catalog_file=str(home.catalog),
                warehouse=warehouse_uri(home.path),
                scratch=str(home.path / "spark"),
            ),
            "spark.driver.extraClassPath": jars,
            "spark.executor.extraClassPath": jars,
            "spark.driver.extraJavaOptions": " ".join(["-XX:+UseSerialGC", *java_options]),
        }
        parts = ["--master", settings.spark_master, "--driver-memory", settings.spark_driver_memory]
        for name, value in conf.items():
            parts += ["--conf", f"{name}={value}"]
        return shlex.join([*parts, "pyspark-shell"])


@contextmanager
def _pipes_environment(run: dg.AssetExecutionContext | None) -> Generator[Mapping[str, str]]:
    """What a job's environment needs for its log to appear in a Dagster run; empty without one."""
    if run is None:
        yield {}
        return
    import dagster as dg  # noqa: PLC0415  (the command line starts Spark without it)

    with ExitStack() as session_of_run:
        with warnings.catch_warnings():
            # Dagster warns of what only Dagster itself uses here.
            warnings.simplefilter("ignore", dg.PreviewWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            session = session_of_run.enter_context(
                dg.open_pipes_session(
                    run, dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader()
                )
            )
        yield session.get_bootstrap_env_vars()


def _forget_old_files(folder: Path, job: str) -> None:
    files = sorted(folder.glob(f"{job}-*"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_REPORT_FILES_KEPT]:
        path.unlink(missing_ok=True)
