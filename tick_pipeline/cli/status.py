"""`status`: what the stream, the deliveries and the tables hold now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tick_pipeline.cli.dashboard.layout import TWO_COLUMNS, draw
from tick_pipeline.cli.dashboard.looker import Looker
from tick_pipeline.cli.dashboard.screen import Screen, can_draw
from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import human_bytes, show, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_short, now_us
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode, error_root

if TYPE_CHECKING:
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.resources.landing import DeliveryPosition
    from tick_pipeline.resources.table_stats import TableStats
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.port import Shard
    from tick_pipeline.stream.status import StreamStatus

_REFRESH_SECONDS = 0.2


@dataclass(frozen=True)
class Status:
    """What a deployment holds at one moment.

    Attributes:
        deployment: which.
        home: path of HOME.
        warehouse: where the tables lie.
        partitions_start_us: first hour of the partitions, microseconds.
        shards: of the stream.
        stream: how its consumers stand; None where it has no consumers of ours.
        deliveries: mode -> how far its delivery is.
        tables: every enabled mode's tables.
        error_objects: mode -> objects under its error prefix.
    """

    deployment: str
    home: str
    warehouse: str
    partitions_start_us: int
    shards: list[Shard]
    stream: StreamStatus | None
    deliveries: dict[str, DeliveryPosition]
    tables: list[TableStats]
    error_objects: dict[str, int]


def status(
    watch: Annotated[
        bool,
        typer.Option("--watch", help="A dashboard until Ctrl-C: rates, lags, candles, alerts."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stream, how far each delivery is behind, and what each table holds."""
    if watch and as_json:
        raise InputError("--watch and --json do not go together: call status --json again instead")
    settings = load_settings()
    deployment = deployment_of(settings)
    if watch:
        _watch(deployment, settings)
        return
    current = collect(deployment, settings)
    if as_json:
        show_json(current)
    else:
        _show(current)


def _watch(deployment: Deployment, settings: Settings) -> None:
    """The dashboard: in place on a terminal that can, else one after the other."""
    looker, console = Looker(deployment, settings), Console(highlight=False)
    with stop_on_signals() as stop:
        if can_draw(console):
            with Screen(looker, console, deployment.look_seconds) as screen:
                while not stop.wait(_REFRESH_SECONDS):
                    screen.refresh()
            return
        while not stop.is_set():
            plain = Console(highlight=False, width=max(TWO_COLUMNS, console.width))
            plain.print(draw(looker.look(), now_us(), width=plain.width, height=None))
            stop.wait(deployment.look_seconds)


def collect(deployment: Deployment, settings: Settings) -> Status:
    """Read the status from names, footers, snapshot summaries and metrics; no data is read."""
    from tick_pipeline.stream.segments import LocalStream

    tables, stream, home = deployment.tables(), deployment.stream(), deployment.home
    return Status(
        deployment=settings.deployment,
        home=str(home.path),
        warehouse=deployment.warehouse,
        partitions_start_us=home.partitions_start_us,
        shards=stream.shards(),
        stream=stream.status(now_us()) if isinstance(stream, LocalStream) else None,
        deliveries={
            mode.value: position for mode, position in deployment.landing().positions().items()
        },
        tables=[tables.stats(mode, table) for mode in settings.storage_modes for table in TABLES],
        error_objects={mode.value: tables.error_objects(mode) for mode in settings.storage_modes},
    )


def _show(current: Status) -> None:
    start = format_short(current.partitions_start_us)
    show(f"{current.deployment}: HOME {current.home}, {current.warehouse}, partitions from {start}")
    show_table(
        ("shard", "records", "bytes", "newest arrival"),
        [
            (
                shard.shard_id if shard.is_open else f"{shard.shard_id} (closed)",
                shard.records,
                None if shard.bytes is None else human_bytes(shard.bytes),
                None if shard.newest_arrival_us is None else format_short(shard.newest_arrival_us),
            )
            for shard in current.shards
        ],
        title="stream",
    )
    if current.stream is None:
        _show_deliveries(current)
    else:
        _show_consumers(current.stream)
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
            folder = error_root(current.warehouse, StorageMode(mode))
            show(f"{mode}: {count} error objects under {folder}")


def _show_deliveries(current: Status) -> None:
    show_table(
        ("storage mode", "caught up", "how far"),
        [
            (mode, "yes" if position.caught_up else "no", position.description)
            for mode, position in current.deliveries.items()
        ],
        title="deliveries",
    )


def _show_consumers(stream: StreamStatus) -> None:
    show_table(
        ("consumer", "unread records", "behind, seconds", "oldest unread expires"),
        [
            (
                consumer.name,
                consumer.lag_records,
                round(consumer.lag_seconds, 1),
                None if consumer.expires_us is None else format_short(consumer.expires_us),
            )
            for consumer in stream.consumers
        ],
        title="deliveries",
    )
