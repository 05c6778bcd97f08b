"""What each station of the pipeline is billed for a load, at list prices. Pure."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING

from tick_pipeline.costs.capacity import deliveries_of, stream_shards, workers_of
from tick_pipeline.costs.glue import LEAST_BILLED_SECONDS, SECONDS_A_SHARE, takes_flex
from tick_pipeline.costs.units import (
    BYTES_A_GB,
    BYTES_A_KB,
    BYTES_A_MB,
    BYTES_A_TB,
    HOURS_A_DAY,
    HOURS_A_MONTH,
    PUT_UNIT_BYTES,
    SECONDS_AN_HOUR,
    begun_hours,
    in_steps,
)
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from tick_pipeline.costs.bill import Bill
    from tick_pipeline.costs.load import Load

KINESIS, FIREHOSE, GLUE, ATHENA = "Kinesis", "Firehose", "Glue", "Athena"
S3, CLOUDWATCH, KMS = "S3", "CloudWatch", "KMS"

ON_DEMAND_STEP_BYTES = BYTES_A_KB
FIREHOSE_STEP_BYTES = 5 * BYTES_A_KB
_ATHENA_LEAST_BYTES = 10 * BYTES_A_MB
#: The hours that a stream keeps for nothing, and those after which keeping is billed by the GB in both modes.
_FREE_HOURS, _EXTENDED_HOURS = 24, 7 * 24
_MILLION = 1_000_000
#: The streaming job's two workers are G.1X (terraform/glue_jobs.tf).
_STREAMING_DPUS = 2
_OPTIMIZER_DPUS = 2
#: Objects that a run of a batch job writes and removes, and those of a commit to an Iceberg table beside the data:
#: manifest, manifest list, metadata.
_PUTS_PER_RUN = 20
_PUTS_PER_COMMIT = 3
_JOBS = 2
_MODES = ("storage_modes", "TICK_PIPELINE_STORAGE_MODES")


def add_kinesis(bill: Bill, load: Load) -> None:
    """The stream, in the mode that it has."""
    if load.stream_mode == "PROVISIONED":
        _add_provisioned(bill, load)
    else:
        _add_on_demand(bill, load)


def _add_provisioned(bill: Bill, load: Load) -> None:
    shards = load.stream_shards or stream_shards(load).needed
    shard_hours = Decimal(shards * begun_hours(load.hours))
    units = load.records * -(-load.record_bytes // PUT_UNIT_BYTES)
    read = load.stream_bytes / BYTES_A_GB * load.fan_out_consumers
    bill.add(
        *(KINESIS, "shards", ("kinesis", "shard_hour"), shard_hours, "stream_shards"),
        standing=True,
        note=f"{shards:,} shards",
    )
    bill.add(
        *(KINESIS, "PUT units", ("kinesis", "put_units"), units / _MILLION, "stream_mode"),
        note=_told_steps(load, PUT_UNIT_BYTES),
    )
    if load.stream_retention_hours > _FREE_HOURS:
        item = ("kinesis", "extended_retention")
        bill.add(
            *(KINESIS, "retention to 7 days", item, shard_hours, "stream_retention_hours"),
            standing=True,
        )
    kept = _gb_months(load.stream_bytes, _EXTENDED_HOURS, load.stream_retention_hours)
    item = ("kinesis", "long_term_retention")
    bill.add(KINESIS, "retention beyond 7 days", item, kept, "stream_retention_hours")
    item = ("kinesis", "fan_out_consumer")
    bill.add(
        *(KINESIS, "fan-out consumers", item, shard_hours * load.fan_out_consumers),
        "enhanced_fan_out_enabled",
        standing=True,
    )
    item = ("kinesis", "fan_out_read")
    bill.add(KINESIS, "fan-out reading", item, read, "enhanced_fan_out_enabled")


def _add_on_demand(bill: Bill, load: Load) -> None:
    written = load.records * in_steps(load.record_bytes, ON_DEMAND_STEP_BYTES)
    read = load.stream_bytes / BYTES_A_GB
    hours = Decimal(begun_hours(load.hours))
    item = ("kinesis", "on_demand_stream")
    bill.add(KINESIS, "stream", item, hours, "stream_mode", standing=True)
    bill.add(
        *(KINESIS, "writing", ("kinesis", "on_demand_write"), written / BYTES_A_GB, "stream_mode"),
        note=_told_steps(load, ON_DEMAND_STEP_BYTES),
    )
    bill.add(
        *(KINESIS, "reading", ("kinesis", "on_demand_read"), read * load.polling_readers),
        *("stream_mode", *_MODES),
        note=f"{load.polling_readers} readers",
    )
    item = ("kinesis", "on_demand_fan_out_read")
    fanned = read * load.fan_out_consumers
    bill.add(KINESIS, "fan-out reading", item, fanned, "enhanced_fan_out_enabled")
    retention = load.stream_retention_hours
    extended = _gb_months(written, _FREE_HOURS, min(retention, _EXTENDED_HOURS))
    item = ("kinesis", "on_demand_extended_retention")
    bill.add(KINESIS, "retention to 7 days", item, extended, "stream_retention_hours")
    item = ("kinesis", "on_demand_long_term_retention")
    kept = _gb_months(written, _EXTENDED_HOURS, retention)
    bill.add(KINESIS, "retention beyond 7 days", item, kept, "stream_retention_hours")


def add_firehose(bill: Bill, load: Load) -> None:
    """Each Firehose: Iceberg by the GB as it is, the others by records of 5 KB."""
    counted = load.records * in_steps(load.record_bytes, FIREHOSE_STEP_BYTES) / BYTES_A_GB
    note = _told_steps(load, FIREHOSE_STEP_BYTES)
    if StorageMode.ICEBERG in load.storage_modes:
        gigabytes = load.stream_bytes / BYTES_A_GB
        bill.add(FIREHOSE, "into Iceberg", ("firehose", "iceberg"), gigabytes, *_MODES)
    if StorageMode.PARQUET_PROJECTION in load.storage_modes:
        for what, item in (
            ("into Parquet", "ingestion"),
            ("conversion to Parquet", "conversion"),
            ("partitioning", "partitioning"),
        ):
            bill.add(FIREHOSE, what, ("firehose", item), counted, *_MODES, note=note)
        objects = _objects(load, StorageMode.PARQUET_PROJECTION.value) / 1000
        buffer = ("firehose_buffer_seconds", "firehose_buffer_mib")
        bill.add(FIREHOSE, "objects of partitions", ("firehose", "objects"), objects, *buffer)
        # How the hours of JQ are counted is not known: every one with records is the most that it can be.
        hours = Decimal(begun_hours(load.hours) if load.records else 0)
        bill.add(FIREHOSE, "JQ for partitions", ("firehose", "jq"), hours, *_MODES)
    if load.raw_archive_enabled:
        item = ("firehose", "ingestion")
        bill.add(FIREHOSE, "into the archive", item, counted, "raw_archive_enabled", note=note)


def add_glue(bill: Bill, load: Load) -> None:
    """Batch runs, the streaming job, and the optimizers of Iceberg's tables."""
    runs = load.batch_runs_per_hour * load.hours * len(load.storage_modes)
    for run in workers_of(load):
        # Workers that are too few for their input read several shares one after the other.
        more = ceil((run.wanted - 1) / (run.workers - 1)) - 1
        seconds = max(
            load.batch_run_seconds + more * SECONDS_A_SHARE, Decimal(LEAST_BILLED_SECONDS)
        )
        flex = takes_flex(run.wanted, allowed=load.glue_flex_enabled)
        bill.add(
            *(GLUE, f"runs for {run.job}", ("glue", "dpu_flex" if flex else "dpu")),
            runs * seconds * Decimal(run.dpus) / SECONDS_AN_HOUR,
            *("glue_worker_type", "glue_max_workers", "glue_flex_enabled"),
            standing=True,
            note=f"{runs:,.0f} runs of {seconds:.0f} s on {run.dpus:g} DPUs",
        )
    streaming = load.anomaly_stream_hours_per_day / HOURS_A_DAY * load.hours
    bill.add(
        *(GLUE, "anomalies from the stream", ("glue", "dpu"), streaming * _STREAMING_DPUS),
        *("anomaly_stream_max_hours", "anomaly_stream_idle_minutes"),
        standing=True,
        note=f"{streaming:,.0f} hours on {_STREAMING_DPUS} DPUs",
    )
    if StorageMode.ICEBERG in load.storage_modes and load.iceberg_maintainer == "table_optimizers":
        minutes = load.optimizer_runs_per_day * load.hours / HOURS_A_DAY * _OPTIMIZER_DPUS
        item = ("glue", "optimizer_dpu")
        bill.add(
            *(GLUE, "optimizers of Iceberg", item, minutes / 60, "iceberg_maintainer"),
            standing=True,
        )


def add_athena(bill: Bill, load: Load) -> None:
    """Queries, each of 10 MB at least."""
    scanned = max(in_steps(load.bytes_per_query, BYTES_A_MB), _ATHENA_LEAST_BYTES)
    queries = load.queries_per_hour * load.hours
    bill.add(
        *(ATHENA, "queries", ("athena", "scan"), queries * scanned / BYTES_A_TB),
        *("athena_workgroups", *_MODES),
        standing=True,
        note=f"{queries:,.0f} queries of {scanned / BYTES_A_MB:,.0f} MB",
    )


def add_s3(bill: Bill, load: Load) -> None:
    """What lies in the bucket, as if all of the period lay there from its beginning, and requests."""
    modes, months = len(load.storage_modes), load.hours / HOURS_A_MONTH
    raw = load.raw_bytes_per_second * load.seconds * (modes + load.raw_archive_enabled)
    new, old = raw / BYTES_A_GB * months, Decimal(load.stored_bytes) / BYTES_A_GB * months
    bill.add(S3, "storage of the period", ("s3", "storage"), new, *_MODES, "raw_archive_enabled")
    item, days = ("s3", "storage"), "noncurrent_version_days"
    bill.add(S3, "storage of what was there", item, old, *_MODES, days, standing=True)
    puts = _objects(load) + _objects(load, StorageMode.ICEBERG.value) * _PUTS_PER_COMMIT
    bill.add(
        *(S3, "puts of Firehose", ("s3", "put"), puts / 1000),
        *("firehose_buffer_seconds", "firehose_buffer_mib"),
    )
    runs = load.batch_runs_per_hour * load.hours * modes * _JOBS
    item = ("s3", "put")
    bill.add(S3, "puts of jobs", item, runs * _PUTS_PER_RUN / 1000, *_MODES, standing=True)
    # An hour of one mode is what a check or a run reads.
    files = _objects(load) / max(load.hours * modes, Decimal(1))
    gets = (runs + load.queries_per_hour * load.hours) * files
    bill.add(
        *(S3, "gets of queries and jobs", ("s3", "get"), gets / 1000),
        *("firehose_buffer_seconds", "iceberg_maintainer"),
    )


def add_cloudwatch(bill: Bill, load: Load) -> None:
    """Logs, metrics and alarms; three dashboards are free."""
    months = load.hours / HOURS_A_MONTH
    logs = load.log_bytes_per_hour * load.hours / BYTES_A_GB
    kept_hours = Decimal(load.log_retention_days * HOURS_A_DAY)
    kept = load.log_bytes_per_hour * kept_hours / BYTES_A_GB * months
    alarms = load.alarms if load.alarms_enabled else 0
    for what, item, units, setting in (
        ("logs", "log_ingestion", logs, "anomaly_stream_max_hours"),
        ("logs kept", "log_storage", kept, "log_retention_days"),
        ("metrics", "metric", load.metrics * months, "storage_modes"),
        ("alarms", "alarm", alarms * months, "alarms_enabled"),
    ):
        bill.add(CLOUDWATCH, what, ("cloudwatch", item), units, setting, standing=True)


def add_kms(bill: Bill, load: Load) -> None:
    """The key, where it is the customer's, and requests, in any case."""
    keys = load.hours / HOURS_A_MONTH if load.kms_key_enabled else Decimal(0)
    requests = load.kms_requests_per_hour * load.hours / 10_000
    bill.add(KMS, "key", ("kms", "key"), keys, "kms_key_enabled", standing=True)
    bill.add(KMS, "requests", ("kms", "requests"), requests, "kms_key_enabled", standing=True)


def _objects(load: Load, name: str | None = None) -> Decimal:
    """Objects that Firehose writes in the period: of one delivery, or of all."""
    days = load.hours / HOURS_A_DAY
    return sum(
        (
            delivery.objects_per_day * days
            for delivery in deliveries_of(load)
            if name in (None, delivery.name)
        ),
        Decimal(0),
    )


def _gb_months(size_bytes: Decimal, after_hours: int, until_hours: int) -> Decimal:
    """GB-months of what a stream keeps between two ages, once it has run for so long.

    Args:
        size_bytes: that come in a period; longer than that period they are kept, or less long.
        after_hours: the younger age.
        until_hours: the older age.
    """
    hours = max(0, until_hours - after_hours)
    return size_bytes / BYTES_A_GB * hours / HOURS_A_MONTH


def _told_steps(load: Load, step_bytes: int) -> str:
    """How many times its size a record counts."""
    size = load.record_bytes
    counted = in_steps(size, step_bytes)
    return (
        f"a record of {size:,} bytes counts as {counted:,}: {counted / size:.1f} x" if size else ""
    )
