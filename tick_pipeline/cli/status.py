"""`status`: what the stream, the deliveries and the tables hold now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tick_pipeline.cli.options import AsJson, local_home, local_settings, local_stream
from tick_pipeline.cli.output import human_bytes, show, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_short, now_us
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from threading import Event

    from tick_pipeline.home import Home
    from tick_pipeline.resources.table_stats import TableStats
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.status import StreamStatus

WATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Status:
    """What a HOME holds at one moment.

    Attributes:
        home: its path.
        partitions_start_us: first hour of the partitions, microseconds.
        stream: shards and consumers.
        tables: every enabled mode's tables.
        error_objects: mode -> objects under its error prefix.
    """

    home: str
    partitions_start_us: int
    stream: StreamStatus
    tables: list[TableStats]
    error_objects: dict[str, int]


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stream, how far each delivery is behind, and what each table holds."""
    if watch and as_json:
        raise InputError("--watch and --json do not go together: call status --json again instead")
    settings = local_settings()
    home = local_home(settings)
    with stop_on_signals() as stop:
        _look(home, settings, watch=watch, as_json=as_json, stop=stop)


def _look(home: Home, settings: Settings, *, watch: bool, as_json: bool, stop: Event) -> None:
    while True:
        current = collect(home, settings)
        if watch:
            Console().clear()
        if as_json:
            show_json(current)
        else:
            _show(current)
        if not watch or stop.wait(WATCH_SECONDS):
            return


def collect(home: Home, settings: Settings) -> Status:
    """Read the status from names, footers and snapshot summaries; no data is read."""
    from tick_pipeline.resources.table_stats import error_objects, table_stats

    return Status(
        home=str(home.path),
        partitions_start_us=home.partitions_start_us,
        stream=local_stream(home, settings).status(now_us()),
        tables=[
            table_stats(home, mode, table) for mode in settings.storage_modes for table in TABLES
        ],
        error_objects={mode.value: error_objects(home, mode) for mode in settings.storage_modes},
    )


def _show(current: Status) -> None:
    show(f"HOME {current.home}, partitions from {format_short(current.partitions_start_us)}")
    show_table(
        ("shard", "records", "bytes", "newest arrival"),
        [
            (
                shard.shard_id,
                shard.records,
                human_bytes(shard.bytes),
                None if shard.newest_arrival_us is None else format_short(shard.newest_arrival_us),
            )
            for shard in current.stream.shards
        ],
        title="stream",
    )
    show_table(
        ("consumer", "unread records", "behind, seconds", "oldest unread expires"),
        [
            (
                consumer.name,
                consumer.lag_records,
                round(consumer.lag_seconds, 1),
                None if consumer.expires_us is None else format_short(consumer.expires_us),
            )
            for consumer in current.stream.consumers
        ],
        title="deliveries",
    )
    show_table(
        ("storage mode", "table", "rows", "files", "bytes", "hours"),
        [
            (
                table.mode.value,
                table.table,
                table.rows,
                table.files,
                human_bytes(table.bytes),
                table.hours,
            )
            for table in current.tables
        ],
        title="tables",
    )
    for mode, count in current.error_objects.items():
        if count:
            folder = f"{current.home}/warehouse/{StorageMode(mode)}/_firehose_errors"
            show(f"{mode}: {count} error objects under {folder}")
