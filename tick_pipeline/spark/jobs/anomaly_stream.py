"""The streaming job: anomalies from the stream, on a laptop as on Glue.

    --SOURCE            segments (the local stream) or kinesis
    --STREAM            the stream's folder, or its name
    --ENDPOINT          kinesis: URL of the service
    --SHARDS            kinesis: JSON, shard id -> first hash key, 32 hexadecimal digits
    --PINNED            kinesis: JSON, partition key -> id of the shard that an explicit hash key puts it into
    --CONSUMER          kinesis: ARN of the consumer registered for this job; none if not given
    --STORAGE_MODE      iceberg, parquet_projection, or both with a comma
    --WAREHOUSE         root of both modes' tables, a URI
    --CATALOG           Spark's name of the Iceberg catalog
    --DATABASE          database of the Iceberg tables in it; iceberg if not given
    --CHECKPOINT        folder of the checkpoint, a URI
    --RULES             JSON of the scoring rules
    --DRAIN, --FLUSH    true or false: end when all is read; score the open seconds at the end
    --TRIGGER_SECONDS   how often to look for records
    --FILES_PER_BATCH   segments: files in a micro-batch, at most
    --IDLE_SECONDS      end after so long without a record; 0 never
    --MAX_SECONDS       end after so long in any case; 0 never
    --LOCKS             folder of the table locks; none if not given
    --CONTROL           folder of the progress and of the wish to stop, a path or a URI; none if not given
    --PARENT            id of the process to end with; none if not given

Spark's configuration comes from outside, as on Glue; what only streams need is set here.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import TickPipelineError
from tick_pipeline.spark.entry import end_with_parent, send_glue_metrics
from tick_pipeline.spark.report import dagster_log
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.session import STREAM_CONF
from tick_pipeline.spark.streaming.checkpoint import open_states
from tick_pipeline.spark.streaming.progress import open_control
from tick_pipeline.spark.streaming.run import Schedule, StreamRun
from tick_pipeline.spark.streaming.sinks import AnomalySink, IcebergSink, ParquetSink
from tick_pipeline.spark.streaming.source import KinesisSource, SegmentSource, StreamSource
from tick_pipeline.storage import CATALOG, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession


def parse_arguments(texts: Sequence[str]) -> argparse.Namespace:
    """Read the job's arguments; others, as Glue adds them, are ignored.

    Raises:
        SystemExit: one is missing or wrong (argparse says which).
    """
    parser = argparse.ArgumentParser(prog="anomaly_stream", allow_abbrev=False)
    parser.add_argument("--SOURCE", choices=("segments", "kinesis"), required=True)
    for name in ("STREAM", "STORAGE_MODE", "WAREHOUSE", "CHECKPOINT", "RULES"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("ENDPOINT", "CONSUMER"):
        parser.add_argument(f"--{name}", default="")
    for name in ("SHARDS", "PINNED"):
        parser.add_argument(f"--{name}", type=json.loads, default={})
    parser.add_argument("--CATALOG", default=CATALOG)
    parser.add_argument("--DATABASE", default=StorageMode.ICEBERG.value)
    for name in ("DRAIN", "FLUSH"):
        parser.add_argument(f"--{name}", choices=("true", "false"), default="false")
    for name, default in (("TRIGGER", 2.0), ("IDLE", 0.0), ("MAX", 0.0)):
        parser.add_argument(f"--{name}_SECONDS", type=float, default=default)
    parser.add_argument("--FILES_PER_BATCH", type=int, default=40)
    parser.add_argument("--LOCKS", type=Path)
    parser.add_argument("--CONTROL")
    parser.add_argument("--PARENT", type=int)
    given, _ = parser.parse_known_args(texts)
    return given


def run(spark: SparkSession, given: argparse.Namespace) -> StreamRun:
    """Follow the stream to the end of the schedule; returns what was done."""
    for name, value in STREAM_CONF.items():
        spark.conf.set(name, value)
    with dagster_log() as log:
        job = StreamRun(
            rules=ScoringRules.from_json(given.RULES),
            source=_source(given),
            states=open_states(spark, given.CHECKPOINT),
            sinks=_sinks(spark, given),
            control=open_control(given.CONTROL, spark) if given.CONTROL else None,
            log=log,
        )
        job.check_state()
        schedule = Schedule(
            drain=given.DRAIN == "true",
            flush=given.FLUSH == "true",
            trigger_seconds=given.TRIGGER_SECONDS,
            idle_seconds=given.IDLE_SECONDS,
            max_seconds=given.MAX_SECONDS,
        )
        job.follow(spark, given.CHECKPOINT, schedule)
        return job


def _source(given: argparse.Namespace) -> StreamSource:
    if given.SOURCE == "segments":
        return SegmentSource(Path(given.STREAM), given.FILES_PER_BATCH)
    return KinesisSource(
        given.STREAM,
        given.ENDPOINT,
        tuple(given.SHARDS.items()),
        consumer=given.CONSUMER,
        pinned=given.PINNED,
    )


def _sinks(spark: SparkSession, given: argparse.Namespace) -> dict[StorageMode, AnomalySink]:
    modes = [StorageMode(name) for name in given.STORAGE_MODE.split(",")]
    return {
        mode: IcebergSink(spark, given.CATALOG, given.LOCKS, given.DATABASE)
        if mode is StorageMode.ICEBERG
        else ParquetSink(given.WAREHOUSE, given.LOCKS, spark)
        for mode in modes
    }


def main() -> None:
    """The script's entry."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    given = parse_arguments(sys.argv[1:])
    if given.PARENT is not None:
        end_with_parent(given.PARENT)
        # Ctrl-C is the parent's: it asks for the end of the micro-batch. Spark sets a handler of its own.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    builder: Any = SparkSession.builder
    spark = builder.appName("tick_pipeline anomaly_stream").getOrCreate()
    send_glue_metrics(spark)
    if given.PARENT is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(spark, given)
    except TickPipelineError as error:
        # One line, for people and for whoever reads the log; Spark's stack says no more.
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
