"""What a run of a Spark job reports, and to whom."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tick_pipeline.spark.s3_objects import put_text, s3_client

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence


@dataclass(frozen=True)
class Effort:
    """What Spark spent on one storage mode.

    Attributes:
        tasks: how many ran.
        task_seconds_median: of the tasks' run times.
        task_seconds_max: of the tasks' run times.
        read_seconds: run time of the tasks that read raw, summed over tasks.
        spill_bytes: to memory and disk.
        shuffle_bytes: written.
    """

    tasks: int
    task_seconds_median: float
    task_seconds_max: float
    read_seconds: float
    spill_bytes: int
    shuffle_bytes: int


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """One run for one storage mode: what every job tells.

    Attributes:
        storage_mode: whose table was written.
        load_data_mode: how raw was read.
        start_us: first hour, microseconds.
        end_us: end of the last hour, exclusive.
        rows: raw rows read of these hours.
        invalid: rows that break a rule of the contract.
        duplicates: valid rows beyond the first of a tick.
        files: raw files that hold what was read.
        bytes: their size.
        partitions: hours that hold any.
        requests: list and open calls that reading them takes.
        read_seconds: run time of the tasks that read raw, summed over tasks.
        tasks: Spark tasks.
        task_seconds_median: of their run times.
        task_seconds_max: of their run times.
        spill_bytes: to memory and disk.
        shuffle_bytes: written.
        seconds: wall time of this mode, without the session's start.
        run: what the deployment that ran the job knows of the run, by the names that people read:
            links, size, cost; no part of what the job found.
    """

    storage_mode: str
    load_data_mode: str
    start_us: int
    end_us: int
    rows: int
    invalid: int
    duplicates: int
    files: int
    bytes: int
    partitions: int
    requests: int
    read_seconds: float
    tasks: int
    task_seconds_median: float
    task_seconds_max: float
    spill_bytes: int
    shuffle_bytes: int
    seconds: float
    run: Mapping[str, str | float] = field(default_factory=dict[str, "str | float"], compare=False)


@dataclass(frozen=True, kw_only=True)
class OhlcReport(JobReport):
    """Candles of one storage mode.

    Attributes:
        invalid_by_rule: broken rule -> rows.
        conflicting_duplicates: ticks whose copies differ.
        shared_instants: microseconds of a symbol that several raw rows share.
        candles: timeframe -> candles written.
    """

    invalid_by_rule: dict[str, int]
    conflicting_duplicates: int
    shared_instants: int
    candles: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class AnomalyReport(JobReport):
    """Anomalies of one storage mode.

    Attributes:
        context_rows: raw rows read of the time before the hours, which the first baselines need.
        ticks: ticks of the hours, each once: all were scored that have a baseline.
        anomalies: rows written.
        by_symbol: symbol -> its anomalies, the most first; symbols without any are left out.
        by_metric: metric -> anomalies, 0 where it has none.
        worst_zscore: the largest |zscore|; 0 without an anomaly.
        replaced: rows that were in the hours before.
        differing: those among them that the new rows do not contain equal.
        gone: those among the differing whose key is no anomaly any more.
        added: new rows whose key was not there.
    """

    context_rows: int
    ticks: int
    anomalies: int
    by_symbol: dict[str, int]
    by_metric: dict[str, int]
    worst_zscore: float
    replaced: int
    differing: int
    gone: int
    added: int


_Report = TypeVar("_Report", bound=JobReport)


class Reporter(Protocol):
    """Whoever wants to know what a job did."""

    def report(self, reports: Sequence[JobReport]) -> None:
        """Take the reports of a finished run."""
        ...


@dataclass
class FileReporter:
    """Writes the reports as one JSON list."""

    path: Path

    def report(self, reports: Sequence[JobReport]) -> None:
        """Write them, whole or not at all."""
        temporary = self.path.with_name(f"_{self.path.name}")
        temporary.write_text(_as_json(reports), encoding="utf-8")
        temporary.replace(self.path)


@dataclass
class S3Reporter:
    """Writes the reports as one JSON list into an object, `s3://<bucket>/<key>`."""

    uri: str

    def report(self, reports: Sequence[JobReport]) -> None:
        """Write them, whole or not at all."""
        put_text(self.uri, _as_json(reports))


class LogReporter:
    """Prints each report as one line of JSON, as a Glue job's log keeps it."""

    def report(self, reports: Sequence[JobReport]) -> None:
        """Print them."""
        for report in reports:
            print(json.dumps(asdict(report)), flush=True)  # noqa: T201


def reporter_for(place: str | None) -> Reporter:
    """Who takes a job's reports.

    Args:
        place: a file's path, or an object's URI `s3://<bucket>/<key>`; None: the log.
    """
    if place is None:
        return LogReporter()
    return S3Reporter(place) if place.startswith("s3://") else FileReporter(Path(place))


def _as_json(reports: Sequence[JobReport]) -> str:
    return json.dumps([asdict(report) for report in reports])


@contextmanager
def dagster_log() -> Generator[logging.Logger]:
    """A job's log: that of the Dagster run which started it, or its own where none did.

    An error that ends the job is told to the run, too. The run tells a local process by its environment
    where it listens, and a job on Glue, which has none, by its arguments.
    """
    # Where no run started the job, the package need not be there.
    try:
        import dagster_pipes  # noqa: PLC0415
    except ImportError:
        yield logging.getLogger("tick_pipeline")
        return
    pipes: Any = dagster_pipes
    if pipes.PipesEnvVarParamsLoader().is_dagster_pipes_process():
        opened = pipes.open_dagster_pipes()
    elif (by_arguments := pipes.PipesCliArgsParamsLoader()).is_dagster_pipes_process():
        opened = pipes.open_dagster_pipes(
            params_loader=by_arguments, message_writer=pipes.PipesS3MessageWriter(s3_client())
        )
    else:
        yield logging.getLogger("tick_pipeline")
        return
    with opened as run:
        yield run.log


def parse_reports(text: str, kind: type[_Report]) -> list[_Report]:
    """Reports of a kind as `FileReporter` wrote them."""
    documents: list[dict[str, Any]] = json.loads(text)
    return [kind(**document) for document in documents]
