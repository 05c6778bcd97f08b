"""Running the streaming job of anomalies here: a supervised process.

A supervisor process holds the lease, starts the Spark job, tells the stream how far it has come, and
notes how it ended. Both end when the supervisor is killed; what is wanted stays written, so that
whoever looks after it can start it again. `python -m tick_pipeline.resources.anomaly_stream OPTIONS`
is the supervisor in the background.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import BusyError, SparkJobError
from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.home import write_atomically
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.resources.job_logs import last_error
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.spark_jobs import LocalSparkJobs
from tick_pipeline.resources.spark_runtime import class_archive_options, spark_environment
from tick_pipeline.resources.stream_run import StreamOptions, StreamRunStatus
from tick_pipeline.settings import load_settings, process_environment, scoring_rules
from tick_pipeline.spark.locks import exclusive, is_held
from tick_pipeline.spark.streaming.progress import ControlFolder, Phase, StreamProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

#: The stream keeps what this consumer has not read.
CONSUMER = "anomaly-stream"
_JOB = "tick_pipeline.spark.jobs.anomaly_stream"
_SUPERVISOR = "tick_pipeline.resources.anomaly_stream"
_POLL_SECONDS = 0.2
_START_SECONDS = 120.0
_STOP_SECONDS = 120.0
_WHAT = "the stream of anomalies"
_SECONDS_PER_MINUTE, _SECONDS_PER_HOUR = 60, 3600


class LocalAnomalyStream:
    """The streaming job as a subprocess of this machine.

    Args:
        home: an initialised HOME.
        settings: rules, modes, master and memory.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home = home
        self._settings = settings
        self._folder = home.anomaly_stream
        self._folder.mkdir(exist_ok=True)
        self._control = ControlFolder(self._folder)
        self._lease = home.locks / f"{CONSUMER}.lock"

    def run(
        self,
        options: StreamOptions,
        *,
        stop: threading.Event,
        on_progress: Callable[[StreamProgress], None] = lambda _: None,
        wait_seconds: float = 10.0,
    ) -> StreamProgress:
        """Run the job in the foreground, until it ends or `stop` is set.

        Raises:
            BusyError: it is running already.
            RuntimeMissingError: a jar or the JVM is missing.
            SparkJobError: it failed; names its error and its log.
        """
        with exclusive(self._lease, what=_WHAT, wait_seconds=wait_seconds) as lease:
            if options.new_checkpoint:
                shutil.rmtree(self._checkpoint, ignore_errors=True)
            self._control.forget()
            self._outcome.unlink(missing_ok=True)
            self._write(self._run_file, {"pid": os.getpid(), "started_us": now_us()})
            stream = open_stream(self._home, self._settings)
            stream.register(CONSUMER)
            process = self._spawn(options, lease)
            told = StreamProgress()
            try:
                while (code := process.poll()) is None:
                    told = self._control.progress() or told
                    stream.commit(CONSUMER, told.committed)
                    on_progress(told)
                    if stop.is_set():
                        self._control.ask_to_stop(flush=False)
                    time.sleep(_POLL_SECONDS)
            except BaseException:
                process.terminate()
                process.wait()
                raise
            told = self._control.progress() or told
            if code != 0 or told.phase is not Phase.ENDED:
                error = last_error(self._log)
                self._write(self._outcome, {"ended_us": now_us(), "error": error})
                raise SparkJobError(
                    f"{_WHAT} ended with code {code}: {error}; its log: {self._log}"
                )
            stream.commit(CONSUMER, told.committed)
            on_progress(told)
            self._write(self._outcome, {"ended_us": now_us(), "reason": str(told.end_reason)})
            if not options.drain:
                # Ended as it should: nobody need start it again.
                self._wanted_file.unlink(missing_ok=True)
            return told

    def start(self, options: StreamOptions) -> StreamRunStatus:
        """See AnomalyStream; the process outlives this one, and is up when this returns."""
        if self._is_running():
            self._write(self._wanted_file, asdict(replace(options, new_checkpoint=False)))
            return self.status()
        was_wanted = self._wanted_file.exists()
        for file in (self._outcome, self._run_file):
            file.unlink(missing_ok=True)
        self._control.forget()
        self._write(self._wanted_file, asdict(replace(options, new_checkpoint=False)))
        with self._supervisor_log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", _SUPERVISOR, json.dumps(asdict(options))],
                env=process_environment({"TICK_PIPELINE_HOME": str(self._home.path)}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # A long-lived caller, as Dagster's code server, must not keep its ended children as zombies.
        threading.Thread(target=process.wait, daemon=True).start()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            progress = self._control.progress()
            if progress is not None and progress.phase is not Phase.STARTING:
                return self.status()
            if process.poll() is not None:
                reason = self.status().reason or last_error(self._supervisor_log)
                if not was_wanted:
                    self._wanted_file.unlink(missing_ok=True)
                raise SparkJobError(f"{_WHAT} did not start: {reason}; its log: {self._log}")
            time.sleep(_POLL_SECONDS)
        raise SparkJobError(
            f"{_WHAT} did not come up within {_START_SECONDS:g} s; its log: {self._log}"
        )

    def stop(self, *, flush: bool = False) -> StreamRunStatus:
        """See AnomalyStream. The stream no longer keeps records for it."""
        self._wanted_file.unlink(missing_ok=True)
        if self._is_running():
            self._control.ask_to_stop(flush=flush)
            deadline = time.monotonic() + _STOP_SECONDS
            while self._is_running():
                if time.monotonic() > deadline:
                    raise SparkJobError(
                        f"{_WHAT} did not end within {_STOP_SECONDS:g} s (process "
                        f"{self.status().runner}); its log: {self._log}"
                    )
                time.sleep(_POLL_SECONDS)
        stream = open_stream(self._home, self._settings)
        if CONSUMER in stream.consumers():
            stream.unregister(CONSUMER)
        return self.status()

    def status(self) -> StreamRunStatus:
        """See AnomalyStream."""
        progress = self._control.progress()
        running = self._is_running()
        outcome = None if running else self._read(self._outcome)
        run = self._read(self._run_file)
        if running:
            state = str(progress.phase if progress is not None else Phase.STARTING)
        elif run is None or (outcome is not None and "error" not in outcome):
            state = "stopped"
        else:
            state = "failed"
        killed = "it was killed" if state == "failed" and outcome is None else None
        return StreamRunStatus(
            state=state,
            wanted=self._wanted_file.exists(),
            runner=str(run["pid"]) if running and run else None,
            progress=progress,
            heartbeat_seconds=None
            if progress is None
            else round((now_us() - progress.heartbeat_us) / US_PER_SECOND, 1),
            behind=self._behind(progress),
            ended_us=outcome["ended_us"] if outcome else None,
            reason=(outcome.get("reason") or outcome.get("error")) if outcome else killed,
        )

    def wanted_options(self) -> StreamOptions | None:
        """See AnomalyStream."""
        wanted = self._read(self._wanted_file)
        return None if wanted is None else StreamOptions(**wanted)

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "checkpoint"

    @property
    def _log(self) -> Path:
        return self._folder / "job.log"

    @property
    def _supervisor_log(self) -> Path:
        return self._folder / "supervisor.log"

    @property
    def _run_file(self) -> Path:
        return self._folder / "run.json"

    @property
    def _outcome(self) -> Path:
        return self._folder / "outcome.json"

    @property
    def _wanted_file(self) -> Path:
        return self._folder / "wanted.json"

    def _spawn(self, options: StreamOptions, lease: int) -> subprocess.Popen[bytes]:
        """Start the Spark job; it holds the lease, too, so that it outlives a killed supervisor."""
        home, settings = self._home, self._settings
        scratch = home.path / "spark"
        scratch.mkdir(exist_ok=True)
        arguments = {
            "SOURCE": "segments",
            "STREAM": home.stream,
            "STORAGE_MODE": ",".join(settings.storage_modes),
            "WAREHOUSE": warehouse_uri(home.path),
            "CHECKPOINT": self._checkpoint.as_uri(),
            "RULES": scoring_rules(settings).to_json(),
            "DRAIN": str(options.drain).lower(),
            "FLUSH": str(options.flush).lower(),
            "FILES_PER_BATCH": options.files_per_batch,
            "TRIGGER_SECONDS": options.trigger_seconds,
            "IDLE_SECONDS": options.idle_minutes * _SECONDS_PER_MINUTE,
            "MAX_SECONDS": options.max_hours * _SECONDS_PER_HOUR,
            "LOCKS": home.locks,
            "CONTROL": self._folder,
            "PARENT": os.getpid(),
        }
        # The second compiler pays for itself here: parsing takes three times as long without it.
        submit = LocalSparkJobs(home, settings).submit_arguments(class_archive_options(settings))
        with self._log.open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    _JOB,
                    *(f"--{name}={value}" for name, value in arguments.items()),
                ],
                env={**spark_environment(), "PYSPARK_SUBMIT_ARGS": submit},
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[lease],
            )

    def _is_running(self) -> bool:
        return is_held(self._lease)

    def _behind(self, progress: StreamProgress | None) -> int:
        """Records that the stream can still give and the job has not scored."""
        stream = open_stream(self._home, self._settings)
        scored = progress.positions if progress is not None else {}
        return sum(
            max(0, int(shard.latest) - max(int(scored.get(shard.shard_id, "0")), first - 1))
            for shard in stream.shards()
            if shard.latest is not None and (first := int(shard.earliest or shard.latest))
        )

    @staticmethod
    def _write(path: Path, document: dict[str, Any]) -> None:
        write_atomically(path, json.dumps(document))

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None


def main() -> None:
    """The supervisor in the background."""
    from tick_pipeline.resources.local import open_home  # noqa: PLC0415

    settings = load_settings()
    stream = LocalAnomalyStream(open_home(settings), settings)
    options = StreamOptions(**json.loads(sys.argv[1]))
    try:
        stream.run(options, stop=threading.Event())
    except (BusyError, SparkJobError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
