"""A load: what is sent, for how long, and how the deployment is set. All that an estimate needs. Pure.

A field that is a variable of terraform/variables.tf has its name and its default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from tick_pipeline.costs.glue import DPUS
from tick_pipeline.costs.units import HOURS_A_DAY, HOURS_A_MONTH, SECONDS_AN_HOUR
from tick_pipeline.errors import InputError
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

StreamMode = Literal["ON_DEMAND", "PROVISIONED"]
#: Period -> its hours.
PERIODS = {"hour": 1, "day": HOURS_A_DAY, "month": HOURS_A_MONTH}
STREAM_MODES = ("ON_DEMAND", "PROVISIONED")
#: Beyond it a figure means nothing, and decimals lose digits.
_MOST = 10**12
#: Field -> (least, most), where these are not 0 and _MOST.
_BOUNDS: dict[str, tuple[int, int]] = {
    "hours": (0, 100 * 366 * HOURS_A_DAY),
    "headroom": (0, 100),
    "stored_fraction": (0, 10),
    "stored_bytes": (0, 10**18),
    "stream_shards": (1, 10**6),
    "stream_retention_hours": (24, 8760),
    "firehose_buffer_seconds": (1, 900),
    "firehose_buffer_mib": (1, 128),
    "active_partitions": (1, 5000),
    "glue_max_workers": (2, 1000),
    "anomaly_stream_hours_per_day": (0, HOURS_A_DAY),
    "query_bytes": (0, 10**18),
}
#: Field -> what it may say.
_CHOICES = {
    "stream_mode": STREAM_MODES,
    "iceberg_maintainer": ("table_optimizers", "table_maintenance"),
    "glue_worker_type": tuple(DPUS),
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load on AWS.

    Attributes:
        hours: length of the period that is billed.
        records_per_second: into the stream, on the average of the period.
        record_bytes: of one record.
        peak_records_per_second: what shards must carry; None: the average.
        headroom: of shards, above the peak, as a fraction of it.
        readers: that share a shard's 2 MB/s; None: each Firehose, and the streaming job.
        storage_modes: that are enabled.
        stored_fraction: bytes in a raw table for each byte in the stream.
        stored_bytes: that lie in the bucket already, beside what the period brings.
        stream_mode: ON_DEMAND or PROVISIONED.
        stream_shards: of a PROVISIONED stream; None: as many as the load needs.
        stream_retention_hours: how long the stream keeps records.
        fan_out_consumers: with enhanced fan-out; enhanced_fan_out_enabled is one, the streaming job's.
        firehose_buffer_seconds: when a buffer is written at the latest.
        firehose_buffer_mib: at which size it is written earlier.
        active_partitions: event hours that are written at a time.
        raw_archive_enabled: a third Firehose keeps records as they came.
        glue_worker_type: of the batch jobs.
        glue_max_workers: of a batch job.
        glue_flex_enabled: batch jobs may take spare capacity.
        batch_runs_per_hour: of both batch jobs, for each storage mode.
        batch_run_seconds: of a run whose workers read their share, start included.
        anomaly_stream_hours_per_day: that the streaming job runs.
        iceberg_maintainer: who compacts and expires, `table_optimizers` or `table_maintenance`.
        optimizer_runs_per_day: of all table optimizers together, a minute of two DPUs each.
        queries_per_hour: of Athena, those of checks and reports included.
        query_bytes: that a query scans; None: an hour of raw of one storage mode.
        log_bytes_per_hour: that Firehose and Glue write.
        log_retention_days: how long CloudWatch keeps them.
        alarms_enabled: whether alarms are made.
        alarms: how many then.
        metrics: of Glue and of the jobs' own, billed as custom ones.
        kms_key_enabled: a customer managed key encrypts all.
        kms_requests_per_hour: of stream and Firehoses, with AWS's own key, too.
    """

    hours: Decimal
    records_per_second: Decimal
    record_bytes: int
    peak_records_per_second: Decimal | None = None
    headroom: Decimal = Decimal(0)
    readers: int | None = None
    storage_modes: tuple[StorageMode, ...] = tuple(StorageMode)
    stored_fraction: Decimal = Decimal("0.25")
    stored_bytes: int = 0

    stream_mode: StreamMode = "ON_DEMAND"
    stream_shards: int | None = None
    stream_retention_hours: int = 24
    fan_out_consumers: int = 0

    firehose_buffer_seconds: int = 60
    firehose_buffer_mib: int = 64
    active_partitions: int = 1
    raw_archive_enabled: bool = False

    glue_worker_type: str = "G.1X"
    glue_max_workers: int = 4
    glue_flex_enabled: bool = False
    batch_runs_per_hour: Decimal = Decimal(1)
    batch_run_seconds: Decimal = Decimal(180)
    anomaly_stream_hours_per_day: Decimal = Decimal(24)
    iceberg_maintainer: str = "table_optimizers"
    optimizer_runs_per_day: int = 36

    queries_per_hour: Decimal = Decimal(130)
    query_bytes: int | None = None

    log_bytes_per_hour: int = 35_000_000
    log_retention_days: int = 7
    alarms_enabled: bool = True
    alarms: int = 30
    metrics: int = 50
    kms_key_enabled: bool = False
    kms_requests_per_hour: int = 1_000

    def __post_init__(self) -> None:
        """Refuse what no deployment has.

        Raises:
            InputError: a number is out of its bounds, or a text none of the known ones.
        """
        for name, legal in _CHOICES.items():
            if getattr(self, name) not in legal:
                raise InputError(
                    f"{name} must be one of {', '.join(legal)}; given: {getattr(self, name)}"
                )
        if not self.storage_modes:
            raise InputError(f"storage_modes must name one or both of {', '.join(StorageMode)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                continue
            least, most = _BOUNDS.get(field.name, (0, _MOST))
            if not Decimal(value).is_finite() or not least <= value <= most:
                raise InputError(f"{field.name} must be from {least:,} to {most:,}; given: {value}")

    @property
    def peak(self) -> Decimal:
        """Records per second that shards must carry, without headroom."""
        return max(self.peak_records_per_second or Decimal(0), self.records_per_second)

    @property
    def seconds(self) -> Decimal:
        """Length of the period."""
        return self.hours * SECONDS_AN_HOUR

    @property
    def records(self) -> Decimal:
        """Of the period."""
        return self.records_per_second * self.seconds

    @property
    def stream_bytes(self) -> Decimal:
        """Of the period's records, as they are."""
        return self.records * self.record_bytes

    @property
    def raw_bytes_per_second(self) -> Decimal:
        """Into the raw table of one storage mode."""
        return self.records_per_second * self.record_bytes * self.stored_fraction

    @property
    def polling_readers(self) -> int:
        """Readers that share a shard's 2 MB/s; with enhanced fan-out the streaming job is none."""
        if self.readers is not None:
            return self.readers
        streaming = self.anomaly_stream_hours_per_day > 0 and not self.fan_out_consumers
        return len(self.storage_modes) + self.raw_archive_enabled + streaming

    @property
    def bytes_per_query(self) -> int:
        """Bytes that a query scans."""
        if self.query_bytes is not None:
            return self.query_bytes
        return ceil(self.raw_bytes_per_second * SECONDS_AN_HOUR)


def parse_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Fields of a load from `name=value` texts.

    Raises:
        InputError: there is no such field, or the text is no value of it.
    """
    return {
        name.strip(): _parse(name.strip(), text)
        for name, _, text in (item.partition("=") for item in texts)
    }


def _parse(name: str, text: str) -> Any:
    kinds = {field.name: str(field.type) for field in fields(Load)}
    if name not in kinds:
        raise InputError(f"{name} is no part of a load; there are {', '.join(kinds)}")
    try:
        return _PARSERS[kinds[name]](text.strip())
    except (ValueError, InvalidOperation, KeyError) as error:
        raise InputError(
            f"{name}={text} cannot be used: it takes {_EXPLAINED[kinds[name]]}"
        ) from error


def _parse_modes(text: str) -> tuple[StorageMode, ...]:
    return tuple(StorageMode(name.strip()) for name in text.split(","))


_NUMBER, _WHOLE = "a number", "a whole number"
_PARSERS: dict[str, Callable[[str], Any]] = {
    "Decimal": Decimal,
    "Decimal | None": Decimal,
    "int": int,
    "int | None": int,
    "bool": {"true": True, "false": False}.__getitem__,
    "str": str,
    "StreamMode": str,
    "tuple[StorageMode, ...]": _parse_modes,
}
_EXPLAINED = {
    "Decimal": _NUMBER,
    "Decimal | None": _NUMBER,
    "int": _WHOLE,
    "int | None": _WHOLE,
    "bool": "true or false",
    "tuple[StorageMode, ...]": f"one or both of {', '.join(StorageMode)}",
}
