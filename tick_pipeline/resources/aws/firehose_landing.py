"""Landing on AWS: two Firehoses deliver by themselves, and what they did is observed."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pyiceberg.table.snapshots import Operation

from tick_pipeline.errors import LandingError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MS, format_short, now_us
from tick_pipeline.landing.error_store import Arrivals
from tick_pipeline.landing.error_summary import arrived_errors, recent_errors
from tick_pipeline.landing.redrive_memory import recall
from tick_pipeline.landing.summary import DeliverySummary
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.aws.clients import aws_errors, error_code
from tick_pipeline.resources.aws.firehose_freshness import (
    FRESHNESS,
    judge,
    oldest_waiting_us,
    read_signals,
)
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.s3_error_store import S3ErrorStore
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.aws.s3_footers import s3_footers
from tick_pipeline.resources.aws.s3_redrive_memory import S3MemoryFolder
from tick_pipeline.resources.data_files import time_filter
from tick_pipeline.resources.footers import count_rows
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.resources.landing import Backlog
from tick_pipeline.storage import RAW, StorageMode
from tick_pipeline.stream.kinesis_shards import stream_retention_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from tick_pipeline.landing.error_records import ErrorRecord
    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.aws.firehose_freshness import Signals
    from tick_pipeline.resources.landing import DeliveryPosition
    from tick_pipeline.settings import Settings

_ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class _Landed:
    """What raw holds of some hours; `newest` tells when the newest of it landed, for people."""

    rows: int
    files: int
    bytes: int
    hours: list[int]
    newest: str


class FirehoseLanding:
    """The port on the Firehoses that the settings name; see resources/landing.py.

    Args:
        clients: of AWS.
        settings: names, enabled modes, and when an hour closes.
    """

    def __init__(self, clients: AwsClients, settings: Settings) -> None:
        self._clients = clients
        self._settings = settings
        self._warehouse = warehouse_uri(str(settings.bucket))
        self._errors = S3ErrorStore(clients, self._warehouse)
        self._memory = S3MemoryFolder(clients, str(settings.bucket))
        self._firehoses = settings.firehoses

    def land(self, mode: StorageMode, start_us: int, end_us: int) -> DeliverySummary:
        """See Landing. Nothing is delivered here: told are the rows of the hours, and their error records."""
        begin = time.monotonic()
        self._require_active(mode)
        times = TimeRange(start_us, end_us)
        landed = self._iceberg(times) if mode is StorageMode.ICEBERG else self._parquet(times)
        # Error records have no event hour: those that arrived in the hours.
        errors = recent_errors(self._errors, mode, start_us, end_us)
        position = self.positions()[mode]
        return DeliverySummary(
            delivery=f"by Firehose {self._firehoses[mode]}, which is {_ACTIVE}; {landed.newest}; delivered: "
            f"{position.description}",
            records=landed.rows + errors.count,
            landed=landed.rows,
            malformed=errors.by_reason,
            files=landed.files,
            error_objects=errors.objects,
            bytes=landed.bytes,
            hours=landed.hours,
            seconds=time.monotonic() - begin,
        )

    def positions(self) -> dict[StorageMode, DeliveryPosition]:
        """See Landing."""
        now = now_us()
        return self._positions(self._signals(now), now)

    def backlog(self) -> dict[StorageMode, Backlog]:
        """See Landing. How many records wait, Firehose does not tell."""
        now = now_us()
        signals = self._signals(now)
        retention_us = stream_retention_us(
            self._clients.client("kinesis"), str(self._settings.stream)
        )
        found: dict[StorageMode, Backlog] = {}
        for mode, position in self._positions(signals, now).items():
            fault = self._fault(mode)
            name = self._firehoses[mode]
            oldest_us = oldest_waiting_us(signals[mode]) if not position.caught_up else None
            found[mode] = Backlog(
                position=position,
                running=fault is None,
                runner=fault or f"Firehose {name} is {_ACTIVE}",
                always_runs=True,
                waiting_records=None,
                lost_records=None,
                oldest_us=oldest_us,
                expires_us=None if oldest_us is None else oldest_us + retention_us,
                due_seconds=self._settings.close_after_seconds,
            )
        return found

    def recent_errors(self, mode: StorageMode, since_us: int) -> ErrorSummary:
        """See Landing."""
        # Written down by another clock than that of the stream.
        memory = recall(self._memory, since_us - US_PER_HOUR)
        return recent_errors(self._errors, mode, since_us, redriven=memory.redriven)

    def error_records(
        self, mode: StorageMode, since_us: int, until_us: int | None = None
    ) -> Iterator[ErrorRecord]:
        """See Landing."""
        return arrived_errors(self._errors, mode, Arrivals(since_us, until_us))

    def _signals(self, now: int) -> dict[StorageMode, Signals]:
        return read_signals(self._clients, str(self._settings.stream), self._firehoses, now)

    def _positions(
        self, signals: dict[StorageMode, Signals], now: int
    ) -> dict[StorageMode, DeliveryPosition]:
        return {
            mode: judge(
                FRESHNESS[mode],
                found,
                now_us=now,
                close_after_seconds=self._settings.close_after_seconds,
            )
            for mode, found in signals.items()
        }

    def _require_active(self, mode: StorageMode) -> None:
        fault = self._fault(mode)
        if fault is not None:
            raise LandingError(f"{mode}: {fault}")

    def _fault(self, mode: StorageMode) -> str | None:
        """Why a mode's Firehose does not deliver; None where it is active."""
        name = self._firehoses[mode]
        with aws_errors(f"looking at Firehose {name}"):
            try:
                answer: Any = self._clients.client("firehose").describe_delivery_stream(
                    DeliveryStreamName=name
                )
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return (
                    f"there is no Firehose {name} in {self._settings.aws_region}, so nothing lands; "
                    "`terraform apply` makes it, `make env` writes its name into .env"
                )
        found = answer["DeliveryStreamDescription"]
        status = found["DeliveryStreamStatus"]
        if status == _ACTIVE:
            return None
        failure = found.get("FailureDescription", {})
        why = f" ({failure.get('Type')}: {failure.get('Details')})" if failure else ""
        return (
            f"Firehose {name} is {status}, not {_ACTIVE}{why}, so nothing lands; what came meanwhile "
            "waits in the stream for as long as that keeps it"
        )

    def _iceberg(self, times: TimeRange) -> _Landed:
        with lake_errors("reading what landed in iceberg.raw"):
            table = load_iceberg_table(self._clients, self._settings, RAW)
            row_filter = time_filter(partition_column(RAW), times)
            files = [task.file for task in table.scan(row_filter=row_filter).plan_files()]
            return _Landed(
                rows=sum(file.record_count for file in files),
                files=len(files),
                bytes=sum(file.file_size_in_bytes for file in files),
                hours=sorted({int(file.partition[0]) * US_PER_HOUR for file in files}),
                newest=_newest_append(table),
            )

    def _parquet(self, times: TimeRange) -> _Landed:
        files = list_parquet_files(self._clients, self._warehouse, RAW, times)
        newest_us = max((file.modified_us for file in files), default=None)
        footers = s3_footers(self._clients)([file.path for file in files])
        unread = sum(isinstance(footer, str) for footer in footers.values())
        return _Landed(
            rows=count_rows(footers),
            files=len(files),
            bytes=sum(file.bytes for file in files),
            hours=sorted({file.hour_us for file in files}),
            newest="no object of these hours"
            if newest_us is None
            else f"newest object of these hours {format_short(newest_us)}"
            + (
                f", rows of {unread} objects not counted: their footers cannot be read"
                if unread
                else ""
            ),
        )


def _newest_append(table: Table) -> str:
    """The newest commit that added rows: compactions and expirations are somebody else's."""
    for snapshot in sorted(table.snapshots(), key=lambda item: item.timestamp_ms, reverse=True):
        summary = snapshot.summary
        if summary is not None and summary.operation is Operation.APPEND:
            added = int(summary["added-records"] or 0)
            at = format_short(snapshot.timestamp_ms * US_PER_MS)
            return f"newest commit of the table {at} with {added:,} rows"
    return "no commit of the table that added rows"
