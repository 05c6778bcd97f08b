"""What the entry scripts of all jobs share: their common arguments, and the frame around the work.

    --START, --END     ISO 8601, UTC; widened to whole hours
    --STORAGE_MODE     iceberg, parquet_projection, or both with a comma
    --LOAD_DATA_MODE   parquet, spark or iceberg; each storage mode's own if not given
    --WAREHOUSE        root of both modes' tables, a URI
    --CATALOG          Spark's name of the Iceberg catalog
    --DATABASE         database of the Iceberg tables in it; iceberg if not given
    --REPORT           file for the report, or URI of an object in S3; the log if not given
    --PARENT           id of the process to end with; none if not given

Spark's configuration comes from outside, as on Glue.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from tick_pipeline.event_time import parse_instant, widen_to_hours
from tick_pipeline.spark.report import dagster_log, reporter_for
from tick_pipeline.storage import CATALOG, LoadDataMode, StorageMode

if TYPE_CHECKING:
    import logging
    import subprocess
    from collections.abc import Callable, Sequence

    from pyspark.sql import SparkSession

    from tick_pipeline.spark.report import JobReport

_PARENT_WATCH_SECONDS = 0.2
#: Time for the error of a JVM that ended to be told, and for a session to be closed in good order.
_WITHOUT_JVM_SECONDS = 10.0
#: Small jobs: more than a laptop's cores would be mostly overhead; large ones shuffle as they read.
_LEAST_PARTITIONS = 2
_BYTES_A_PARTITION = 64 << 20


@dataclass(frozen=True, kw_only=True)
class JobArguments:
    """The common arguments, as values."""

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None
    warehouse: str
    catalog: str
    report: str | None
    parent: int | None = None
    database: str = StorageMode.ICEBERG.value


class CommonValues(TypedDict):
    """What `common_values` gives: the fields of JobArguments."""

    start_us: int
    end_us: int
    storage_modes: tuple[StorageMode, ...]
    load_data_mode: LoadDataMode | None
    warehouse: str
    catalog: str
    report: str | None
    parent: int | None
    database: str


Arguments = TypeVar("Arguments", bound=JobArguments)


def common_parser(name: str) -> argparse.ArgumentParser:
    """A parser of the common arguments, for a job to add its own."""
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    for required in ("START", "END", "STORAGE_MODE", "WAREHOUSE"):
        parser.add_argument(f"--{required}", required=True)
    parser.add_argument("--LOAD_DATA_MODE", choices=[mode.value for mode in LoadDataMode])
    parser.add_argument("--CATALOG", default=CATALOG)
    parser.add_argument("--DATABASE", default=StorageMode.ICEBERG.value)
    parser.add_argument("--REPORT")
    parser.add_argument("--PARENT", type=int)
    return parser


def common_values(parser: argparse.ArgumentParser, given: argparse.Namespace) -> CommonValues:
    """The common arguments as values.

    Raises:
        SystemExit: one is wrong (argparse says which).
    """
    try:
        start_us, end_us = widen_to_hours(parse_instant(given.START), parse_instant(given.END))
        modes = tuple(StorageMode(name) for name in given.STORAGE_MODE.split(","))
    except ValueError as error:
        parser.error(str(error))
    return CommonValues(
        start_us=start_us,
        end_us=end_us,
        storage_modes=modes,
        load_data_mode=LoadDataMode(given.LOAD_DATA_MODE) if given.LOAD_DATA_MODE else None,
        warehouse=given.WAREHOUSE,
        catalog=given.CATALOG,
        report=given.REPORT or None,
        parent=given.PARENT,
        database=given.DATABASE,
    )


def shuffle_partitions(read_bytes: int) -> int:
    """Into how many parts so many bytes of raw files are shuffled."""
    return max(_LEAST_PARTITIONS, read_bytes // _BYTES_A_PARTITION)


def run_as_job(
    name: str,
    arguments: Arguments,
    work: Callable[[SparkSession, Arguments, logging.Logger], Sequence[JobReport]],
) -> None:
    """Do a job's work in a Spark session of its own, and report it.

    Args:
        name: of the job, for Spark.
        arguments: its own, with the common ones.
        work: what it does.
    """
    from pyspark.sql import SparkSession  # noqa: PLC0415

    if arguments.parent is not None:
        end_with_parent(arguments.parent)
    with dagster_log() as log:
        builder: Any = SparkSession.builder
        spark = builder.appName(f"tick_pipeline {name}").getOrCreate()
        log.info("Spark %s on %s", spark.version, spark.sparkContext.master)
        send_glue_metrics(spark)
        reporter_for(arguments.report).report(work(spark, arguments, log))
        spark.stop()


def send_glue_metrics(spark: SparkSession) -> None:
    """On Glue, let the job's metrics begin: it sends those of `--enable-metrics` only with a context of its own.

    Source: https://docs.aws.amazon.com/glue/latest/dg/monitor-profile-glue-job-cloudwatch-metrics.html
    """
    if importlib.util.find_spec("awsglue") is None:
        return
    context: Any = importlib.import_module("awsglue.context")
    context.GlueContext(spark.sparkContext)


def end_with_parent(parent: int) -> None:
    """End this process, and with it its JVM, once the process that started it has gone.

    It ends without its JVM, too: calls that were under way when a JVM was killed may wait for ever.

    Args:
        parent: its id, as it told: it may have gone before this process could look.
    """

    def watch() -> None:
        without_jvm_since: float | None = None
        while os.getppid() == parent:
            time.sleep(_PARENT_WATCH_SECONDS)
            jvm = _jvm()
            if jvm is None or jvm.poll() is None:
                without_jvm_since = None
                continue
            without_jvm_since = without_jvm_since or time.monotonic()
            if time.monotonic() - without_jvm_since > _WITHOUT_JVM_SECONDS:
                break
        if (jvm := _jvm()) is not None:
            jvm.kill()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _jvm() -> subprocess.Popen[bytes] | None:
    import pyspark  # noqa: PLC0415

    context: Any = pyspark.SparkContext
    return None if context._gateway is None else context._gateway.proc  # noqa: SLF001
