"""The streaming job of anomalies on AWS: a run of a Glue streaming job, watched through objects in S3.

What is wanted lies beside the job's progress, below one prefix, so that whoever looks after the stream
knows it, on whatever machine.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import TickPipelineError
from tick_pipeline.event_time import EPOCH, US_PER_HOUR, US_PER_SECOND, now_us
from tick_pipeline.resources.aws.glue_pace import Pace
from tick_pipeline.resources.aws.glue_run import ENDED, SUCCEEDED, GlueJob, told_reason
from tick_pipeline.resources.aws.s3_folder import S3Folder
from tick_pipeline.resources.stream_run import StreamOptions, StreamRunStatus
from tick_pipeline.settings import scoring_rules
from tick_pipeline.spark.streaming.progress import (
    PROGRESS_FILE,
    STOP_FILE,
    EndReason,
    Phase,
    StreamProgress,
    stop_wish,
)
from tick_pipeline.stream.kinesis_shards import list_shards, open_shards, pinned_shards

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.settings import Settings

_CONTROL = "checkpoints/anomaly-stream-control"
_WANTED_FILE = "wanted.json"
_SECONDS_A_MINUTE, _SECONDS_AN_HOUR = 60, 3600


@dataclass(frozen=True)
class _Wanted:
    """What is wanted.

    Attributes:
        options: of the run, as they were asked for.
        since_us: when that was, microseconds since the epoch.
        after: the run that had ended by then, Glue's id; None where there was none.
    """

    options: StreamOptions
    since_us: int
    after: str | None

    def left_seconds(self) -> float:
        """Of the longest that was asked for; 0 for ever, as the job has it."""
        if not self.options.max_hours:
            return 0.0
        end_us = self.since_us + self.options.max_hours * US_PER_HOUR
        return max(1.0, (end_us - now_us()) / US_PER_SECOND)

    def is_over(self) -> bool:
        """Whether it has lasted as long as was asked for."""
        hours = self.options.max_hours
        return hours > 0 and now_us() >= self.since_us + hours * US_PER_HOUR


class GlueAnomalyStream:
    """The streaming job as a run of Glue; of its job, Glue starts one at a time.

    Args:
        clients: of AWS.
        settings: rules, modes, stream, bucket and the job's name.
        pace: how long runs are waited for.
    """

    def __init__(
        self, clients: AwsClients, settings: Settings, *, pace: Pace | None = None
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._pace = pace or Pace()
        name = str(settings.glue_job_anomaly_stream)
        self._job = GlueJob(clients, name, logging.getLogger(__name__), self._pace)
        self._control = S3Folder(clients, f"s3://{settings.bucket}/{_CONTROL}")

    def start(self, options: StreamOptions) -> StreamRunStatus:
        """See AnomalyStream; it is on its way when this returns: Glue takes minutes for workers.

        Raises:
            AwsError: AWS refused a call, or did not answer.
            BusyError: another one starts it.
            StreamError: there is no such stream.
        """
        newest, before = self._newest_run(), self._wanted()
        if _is_active(newest):
            # Whatever it was started for, it is what is wanted now.
            self._want(_Wanted(_once(options), now_us(), after=None))
            return self.status()
        wanted = _Wanted(options, now_us(), after=newest["Id"] if newest else None)
        if before is not None and before.options == options and not before.is_over():
            # It ended before its time and is started again; the time goes on.
            wanted = replace(wanted, since_us=before.since_us)
        if options.new_checkpoint:
            S3Folder(self._clients, self._default("--CHECKPOINT")).clear()
        self._control.delete(PROGRESS_FILE, STOP_FILE)
        self._want(replace(wanted, options=_once(options)))
        try:
            self._job.start(uuid.uuid4().hex, self._arguments(wanted))
        except TickPipelineError:
            if before is None:
                self._control.delete(_WANTED_FILE)
            raise
        return self.status()

    def stop(self, *, flush: bool = False) -> StreamRunStatus:
        """See AnomalyStream. A run that does not end in time is ended by Glue, and so is one without workers.

        Raises:
            AwsError: AWS refused a call, or did not answer.
            SparkJobError: even so it did not end in time.
        """
        self._control.delete(_WANTED_FILE)
        run = self._newest_run()
        if run is not None and _is_active(run):
            # A wish that is there is not taken back: the watch may stop what a person stopped with a flush.
            if flush or self._control.read(STOP_FILE) is None:
                self._control.write(STOP_FILE, stop_wish(flush=flush))
            limit_seconds = self._pace.stop if run["JobRunState"] == "RUNNING" else 0
            if self._job.await_end(run["Id"], limit_seconds) is None:
                self._job.stop(run["Id"])
        return self.status()

    def status(self) -> StreamRunStatus:
        """See AnomalyStream.

        Raises:
            AwsError: AWS refused a call, or did not answer.
        """
        run, progress = self._newest_run(), self._progress()
        told = progress if run is not None and _is_of(progress, run) else None
        active = _is_active(run)
        ended_at = None if active or run is None else run.get("CompletedOn")
        return StreamRunStatus(
            state=_state(run, told),
            wanted=self._still_wanted(run, told) is not None,
            runner=run["Id"] if run is not None and active else None,
            progress=progress,
            heartbeat_seconds=None
            if told is None
            else round((now_us() - told.heartbeat_us) / US_PER_SECOND, 1),
            # Kinesis numbers its records with gaps.
            behind=None,
            ended_us=None if ended_at is None else _us(ended_at),
            reason=None if active or run is None else _reason(run, told),
        )

    def wanted_options(self) -> StreamOptions | None:
        """See AnomalyStream.

        Raises:
            AwsError: AWS refused a call, or did not answer.
        """
        run, progress = self._newest_run(), self._progress()
        told = progress if run is not None and _is_of(progress, run) else None
        wanted = self._still_wanted(run, told)
        return None if wanted is None else wanted.options

    def _arguments(self, wanted: _Wanted) -> dict[str, str]:
        settings, options = self._settings, wanted.options
        shards = list_shards(self._clients.client("kinesis"), str(settings.stream))
        first_hashes = {shard.shard_id: f"{shard.first_hash:032x}" for shard in open_shards(shards)}
        return {
            "--SHARDS": json.dumps(first_hashes),
            "--PINNED": json.dumps(pinned_shards(settings.stream_pinned_symbols, shards)),
            "--STORAGE_MODE": ",".join(settings.storage_modes),
            "--RULES": scoring_rules(settings).to_json(),
            "--CONTROL": self._control.uri,
            "--DRAIN": str(options.drain).lower(),
            "--FLUSH": str(options.flush).lower(),
            "--TRIGGER_SECONDS": str(options.trigger_seconds),
            "--IDLE_SECONDS": self._at_most(
                "--IDLE_SECONDS", options.idle_minutes * _SECONDS_A_MINUTE
            ),
            "--MAX_SECONDS": self._at_most("--MAX_SECONDS", wanted.left_seconds()),
        }

    def _at_most(self, argument: str, seconds: float) -> str:
        """What was asked for, but no more than Terraform allows: it is what a run may cost; 0 is for ever."""
        limits = (seconds, float(self._default(argument) or 0))
        return str(min((limit for limit in limits if limit), default=0.0))

    def _default(self, argument: str) -> str:
        """An argument as Terraform set it; empty where it did not."""
        return str(self._job.definition.get("DefaultArguments", {}).get(argument, ""))

    def _newest_run(self) -> dict[str, Any] | None:
        return next(iter(self._job.runs()), None)

    def _progress(self) -> StreamProgress | None:
        text = self._control.read(PROGRESS_FILE)
        return None if text is None else StreamProgress.from_json(text)

    def _want(self, wanted: _Wanted) -> None:
        self._control.write(_WANTED_FILE, json.dumps(asdict(wanted)))

    def _wanted(self) -> _Wanted | None:
        text = self._control.read(_WANTED_FILE)
        if text is None:
            return None
        document: dict[str, Any] = json.loads(text)
        # Perhaps of another version, which has other options.
        known = {item.name for item in fields(StreamOptions)}
        told: dict[str, Any] = document.pop("options")
        options = StreamOptions(**{name: told[name] for name in told if name in known})
        return _Wanted(options=options, **document)

    def _still_wanted(
        self, run: Mapping[str, Any] | None, told: StreamProgress | None
    ) -> _Wanted | None:
        """What is wanted, unless a run that was started for it ended as it should.

        One whose time was up did not, if Terraform gave it less time than was asked for.
        """
        wanted = self._wanted()
        if wanted is None or run is None or run["JobRunState"] != SUCCEEDED:
            return wanted
        time_up = told is not None and told.end_reason is EndReason.TIME_UP
        if run["Id"] == wanted.after or (time_up and not wanted.is_over()):
            return wanted
        return None


def _once(options: StreamOptions) -> StreamOptions:
    """The options of each start that follows: a checkpoint is new once."""
    return replace(options, new_checkpoint=False)


def _is_active(run: Mapping[str, Any] | None) -> bool:
    return run is not None and run["JobRunState"] not in ENDED


def _is_of(progress: StreamProgress | None, run: Mapping[str, Any]) -> bool:
    """Whether a run told the progress, and not one before it."""
    return progress is not None and progress.started_us >= _us(run["StartedOn"])


def _state(run: Mapping[str, Any] | None, told: StreamProgress | None) -> str:
    if run is None or run["JobRunState"] in (SUCCEEDED, "STOPPED"):
        return "stopped"
    if not _is_active(run):
        return "failed"
    if run["JobRunState"] == "STOPPING":
        return "stopping"
    phase = told.phase if told is not None else Phase.STARTING
    # Its workers are still there.
    return "stopping" if phase is Phase.ENDED else phase.value


def _reason(run: Mapping[str, Any], told: StreamProgress | None) -> str | None:
    if run["JobRunState"] == SUCCEEDED:
        return str(told.end_reason) if told is not None and told.end_reason else None
    return told_reason(run)


def _us(at: datetime) -> int:
    return round((at - EPOCH).total_seconds() * US_PER_SECOND)
