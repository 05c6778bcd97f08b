"""`maintain`: upkeep of the stored tables, an Iceberg table's history, and going back in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import (
    AsJson,
    StorageModeOption,
    chosen_modes,
    deployment_of,
    instant,
)
from tick_pipeline.cli.output import human_bytes, progress_bar, say, show_json, show_table
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import format_short
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.resources.maintenance_port import SnapshotFacts, TableUpkeep
    from tick_pipeline.settings import Settings

app = typer.Typer(help="Look after the stored tables.", no_args_is_help=True)
TableArgument = Annotated[str, typer.Argument(help="Of iceberg: raw, aggregated_1m, ...")]


@app.command("run")
def run(
    table: Annotated[
        list[str] | None, typer.Option(help="One table; may be repeated. All if not given.")
    ] = None,
    storage_mode: StorageModeOption = None,
    start: Annotated[
        str | None, typer.Option(help="Merge files of hours from here on; ISO 8601, UTC.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="... up to here, exclusive.")] = None,
    retain_hours: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Drop older hours of event time, in both modes; RETAIN_HOURS if not given.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Merge small files of closed hours, expire snapshots, remove orphans, drop hours that retention ends."""
    from tick_pipeline.orchestration.reports import report_upkeep
    from tick_pipeline.resources.maintenance_port import UpkeepRequest

    settings = load_settings()
    modes = chosen_modes(settings, storage_mode)
    request = UpkeepRequest(
        modes,
        tuple(_known(name) for name in table or TABLES),
        None if start is None else instant(start, "--start"),
        None if end is None else instant(end, "--end"),
        _retention(settings, modes, retain_hours),
        dry_run,
    )
    deployment = deployment_of(settings)
    done: list[TableUpkeep] = []
    try:
        with progress_bar("maintain"):
            deployment.maintenance().run(request, done.append)
    finally:
        # Also where other tables could not be looked after.
        if done:
            _show(done, as_json=as_json, title="would be done" if dry_run else "done")
            report_upkeep(deployment.home, settings, done)


@app.command("history")
def history(table: TableArgument, as_json: AsJson = False) -> None:
    """The snapshots of an Iceberg table, newest first: when, what, how many rows and files, by whom."""
    found = deployment_of(load_settings()).maintenance().history(_iceberg_table(table))
    if as_json:
        show_json(found)
        return
    columns = (
        "snapshot",
        "when",
        "operation",
        "rows +",
        "rows -",
        "files +",
        "files -",
        "files",
        "rows",
        "by",
        "",
    )
    show_table(columns, [_snapshot_row(item) for item in found])


@app.command("rollback")
def rollback(
    table: TableArgument,
    to: Annotated[
        str, typer.Option(help="A snapshot's id, or an instant, ISO 8601: what readers saw then.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let readers of an Iceberg table see an earlier snapshot; of raw only over what upkeep did."""
    done = deployment_of(load_settings()).maintenance().rollback(_iceberg_table(table), to)
    if as_json:
        show_json(done)
        return
    show_table(
        ("what", "value"),
        [
            ("table", f"{StorageMode.ICEBERG}.{done.table}"),
            ("was at snapshot", done.from_snapshot),
            ("is at snapshot", done.to_snapshot),
            ("made", format_short(done.made_us)),
        ],
    )
    say(done.follows)
    say(f"to undo it: tick-pipeline maintain rollback {done.table} --to {done.from_snapshot}")


def _show(done: Sequence[TableUpkeep], *, as_json: bool, title: str) -> None:
    if as_json:
        show_json(done)
        return
    for item in done:
        for note in item.notes:
            say(f"{item.storage_mode}.{item.table}: {note}")
    show_table(_COLUMNS, [_row(item) for item in done], title=title)


def _retention(settings: Settings, modes: Sequence[StorageMode], given: int | None) -> int | None:
    """Hours that stay. Of one mode alone none is dropped: the modes would differ."""
    hours = settings.retain_hours if given is None else given
    if hours is None or set(modes) == set(settings.storage_modes):
        return hours
    if given is not None:
        raise InputError(
            "--retain-hours drops the hours of both storage modes; leave out --storage-mode"
        )
    say("no hour is dropped: retention is the same in both storage modes, and one was named")
    return None


def _iceberg_table(name: str) -> str:
    mode, _, table = name.rpartition(".")
    if mode == StorageMode.PARQUET_PROJECTION.value:
        raise InputError(f"{name} is a Parquet table: it has no snapshots; name one of iceberg")
    return _known(table if mode == StorageMode.ICEBERG.value else name)


def _known(name: str) -> str:
    if name not in TABLES:
        raise InputError(f"there is no stored table {name!r}; there are {', '.join(TABLES)}")
    return name


_COLUMNS = (
    "table",
    "hours dropped",
    "files merged",
    "into",
    "snapshots expired",
    "files removed",
    "files",
    "bytes",
    "snapshots",
    "manifests",
    "query seconds",
    "seconds",
)


def _row(item: TableUpkeep) -> tuple[Any, ...]:
    before, after = item.before, item.after or item.before
    return (
        f"{item.storage_mode}.{item.table}",
        item.dropped_hours,
        item.merged_files,
        item.merged_into,
        item.expired_snapshots,
        item.removed_files,
        _change(before.files, after.files),
        _change(human_bytes(before.bytes), human_bytes(after.bytes)),
        _change(before.snapshots, after.snapshots),
        _change(before.manifests, after.manifests),
        _change(before.query_seconds, after.query_seconds),
        round(item.seconds, 2),
    )


def _change(before: Any, after: Any) -> str:
    if before is None:
        return ""
    return str(before) if before == after else f"{before} -> {after}"


def _snapshot_row(item: SnapshotFacts) -> tuple[Any, ...]:
    state = "current" if item.is_current else "" if item.is_read else "rolled back"
    return (
        item.snapshot,
        format_short(item.made_us),
        item.operation,
        item.rows_added,
        item.rows_removed,
        item.files_added,
        item.files_removed,
        item.files,
        item.rows,
        item.by,
        state,
    )
