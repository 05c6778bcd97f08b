"""`anomalies start`, `stop`, `status`: the streaming job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import AsJson, deployment_of, local_home, local_settings
from tick_pipeline.cli.output import progress_bar, say, show_json, show_table
from tick_pipeline.cli.signals import stop_on_signals
from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import format_short
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.resources.stream_run import AnomalyStream, StreamOptions, StreamRunStatus
    from tick_pipeline.spark.streaming.progress import StreamProgress


def start(
    drain: Annotated[
        bool, typer.Option("--drain", help="Score what is there, in the foreground, then end.")
    ] = False,
    flush: Annotated[
        bool, typer.Option("--flush", help="With --drain: score the open seconds, too.")
    ] = False,
    new_checkpoint: Annotated[
        bool,
        typer.Option("--new-checkpoint", help="Score the whole stream anew; no row doubles."),
    ] = False,
    trigger_seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="How often to look for records.")
    ] = 2.0,
    idle_minutes: Annotated[
        float, typer.Option(min=0, help="End after so long without a record; 0 never.")
    ] = 30.0,
    max_hours: Annotated[
        float, typer.Option(min=0, help="End after so long in any case; 0 never.")
    ] = 12.0,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay with it; Ctrl-C stops it, flushed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score the stream: in the background until stopped, or with --drain what is there."""
    from tick_pipeline.resources.stream_run import StreamOptions

    if flush and not drain:
        raise InputError("--flush belongs to --drain; a running stream is flushed by stop --flush")
    if follow and drain:
        raise InputError(
            "--follow and --drain do not go together: a drain is in the foreground anyway"
        )
    options = StreamOptions(
        drain=drain,
        flush=flush,
        new_checkpoint=new_checkpoint,
        trigger_seconds=trigger_seconds,
        idle_minutes=idle_minutes,
        max_hours=max_hours,
    )
    if drain:
        _drain(options, as_json=as_json)
        return
    if follow:
        _follow(options, as_json=as_json)
        return
    status = _stream().start(options)
    _show_status(status, as_json=as_json)
    if idle_minutes or max_hours:
        limits = [f"{idle_minutes:g} min without a record"] if idle_minutes else []
        limits += [f"{max_hours:g} h in any case"] if max_hours else []
        say(f"it ends after {' or '.join(limits)}, or sooner where the deployment allows it less")
    say("next: tick-pipeline anomalies status, then tick-pipeline anomalies stop")


def stop(
    flush: Annotated[
        bool, typer.Option("--flush", help="Score the open seconds before the end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """End the streaming job after its micro-batch; the stream keeps no records for it any more."""
    _show_status(_stream().stop(flush=flush), as_json=as_json)


def status(as_json: AsJson = False) -> None:
    """How the streaming job stands: process, heartbeat, lag, rows."""
    _show_status(_stream().status(), as_json=as_json)


def progress_rows(progress: StreamProgress) -> list[tuple[Any, ...]]:
    """A run of the streaming job, for people."""
    watermark_us = min(progress.watermarks_us.values(), default=None)
    return [
        ("records taken", progress.records),
        *((f"anomalies added to {mode}", rows) for mode, rows in progress.written.items()),
        ("ticks scored", progress.scored),
        ("duplicates", progress.duplicates),
        ("late, left to the batch job", progress.late),
        ("dropped by the stream unread", progress.lost),
        ("waiting for the watermark", progress.pending),
        ("scored up to", "-" if watermark_us is None else format_short(watermark_us)),
        ("last micro-batch", f"{progress.batch}, {progress.batch_seconds:g} s"),
        ("its lag (seconds)", progress.lag_seconds),
    ]


def _stream() -> AnomalyStream:
    return deployment_of(load_settings()).anomaly_stream()


def _follow(options: StreamOptions, *, as_json: bool) -> None:
    """Keep it running until Ctrl-C, then stop it, with what it has open scored."""
    deployment = deployment_of(load_settings())
    stream = deployment.anomaly_stream()
    with stop_on_signals() as stop:
        state = ""
        while not stop.is_set():
            status = stream.status()
            if status.runner is None:
                status = _started(stream, options)
            if status.state != state:
                say(f"the stream of anomalies: {status.state}, as {status.runner or 'nothing yet'}")
                state = status.state
            stop.wait(deployment.look_seconds)
        _show_status(stream.stop(flush=True), as_json=as_json)


def _started(stream: AnomalyStream, options: StreamOptions) -> StreamRunStatus:
    """How it stands after a start, by this process or by another that came first, as the sensor may."""
    try:
        return stream.start(options)
    except WorkError:
        status = stream.status()
        if status.runner is None:
            raise
        return status


def _drain(options: StreamOptions, *, as_json: bool) -> None:
    """Score what is there, in the foreground."""
    from tick_pipeline.resources.anomaly_stream import LocalAnomalyStream

    settings = local_settings(
        "anomalies start --drain",
        instead="start it without, and it ends after --idle-minutes without a record",
    )
    stream = LocalAnomalyStream(local_home(settings), settings)
    with stop_on_signals() as stop, progress_bar("score the stream") as bar:
        behind = stream.status().behind
        progress = stream.run(
            options, stop=stop, on_progress=lambda told: bar.update(told.records, behind)
        )
    _show_progress(progress, as_json=as_json)


def _show_progress(progress: StreamProgress, *, as_json: bool) -> None:
    if as_json:
        show_json(progress)
        return
    show_table(("what", "the stream of anomalies"), progress_rows(progress))
    say("next: tick-pipeline query --file anomalies_today, or tick-pipeline anomalies plot")


def _show_status(status: StreamRunStatus, *, as_json: bool) -> None:
    if as_json:
        show_json(status)
        return
    rows: list[tuple[Any, ...]] = [("state", status.state), ("wanted", status.wanted)]
    if status.runner is not None:
        rows.append(("runs as", status.runner))
    if status.reason is not None:
        rows.append(("ended", status.reason))
    if status.ended_us is not None:
        rows.append(("ended at", format_short(status.ended_us)))
    if status.runner is not None and status.heartbeat_seconds is not None:
        rows.append(("heartbeat (seconds ago)", status.heartbeat_seconds))
    if status.behind is not None:
        rows.append(("records behind", status.behind))
    if status.progress is not None:
        rows += progress_rows(status.progress)
    show_table(("what", "the stream of anomalies"), rows)
