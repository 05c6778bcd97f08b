"""Runs of Glue jobs that really execute the script, with Glue's states, limits, messages and logs."""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import shutil
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tick_pipeline.errors import RuntimeMissingError
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.gateway import RefusalError
from tick_pipeline_tests.twin.glue_execution import (
    Execution,
    Switches,
    error_message,
    write_logs,
)

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.gateway import Gateway
    from tick_pipeline_tests.twin.glue_definitions import GlueDefinitions

_ENDED = ("SUCCEEDED", "STOPPED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED")
_DPUS = {"G.1X": 1, "G.2X": 2}
_JOIN_SECONDS = 120.0


@dataclass
class _Run:
    """A run: what GetJobRun answers, its job, and its process."""

    answer: dict[str, Any]
    job: dict[str, Any]
    arguments: dict[str, str]
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    execution: Execution | None = None

    @property
    def state(self) -> str:
        return str(self.answer["JobRunState"])


class GlueRuns:
    """Answers for AWS Glue's job runs; jobs and all else of Glue are the emulator's.

    Args:
        gateway: that it belongs to.
        definitions: of the jobs.
    """

    target = "AWSGlue"
    operations = frozenset({"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun"})

    def __init__(self, gateway: Gateway, definitions: GlueDefinitions) -> None:
        self._gateway = gateway
        self._definitions = definitions
        self._runs: dict[str, _Run] = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.switches = Switches()

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Raises:
            RefusalError: the call is refused.
        """
        answers = {
            "StartJobRun": self._start,
            "GetJobRun": self._get,
            "GetJobRuns": self._list,
            "BatchStopJobRun": self._stop,
        }
        return answers[operation](request)

    def close(self) -> None:
        """Kill what runs, and forget all runs and switches."""
        with self._lock:
            runs, self._runs = [*self._runs.values()], {}
        for run in runs:
            run.stop.set()
        for run in runs:
            if run.thread is not None:
                run.thread.join(_JOIN_SECONDS)
        self.switches = Switches()

    @property
    def process_ids(self) -> list[int]:
        """Processes of the runs that are going on."""
        with self._lock:
            runs = [run for run in self._runs.values() if run.state not in _ENDED]
        return [
            run.execution.process_id
            for run in runs
            if run.execution is not None and run.execution.process_id is not None
        ]

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["JobName"]
        job = self._definitions.definition(name)
        if ("WorkerType" in request) != ("NumberOfWorkers" in request):
            raise RefusalError(
                "InvalidInputException", "Please set both Worker Type and Number of Workers."
            )
        run = _new_run(job, request)
        with self._lock:
            most = job["ExecutionProperty"]["MaxConcurrentRuns"]
            active = [item for item in self._runs.values() if item.state not in _ENDED]
            if sum(item.answer["JobName"] == name for item in active) >= most:
                raise RefusalError(
                    "ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}"
                )
            self._runs[run.answer["Id"]] = run
        run.thread = threading.Thread(target=self._live, args=(run,), name=run.answer["Id"])
        run.thread.start()
        return {"JobRunId": run.answer["Id"]}

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._runs.get(request["RunId"])
        if run is None or run.answer["JobName"] != request["JobName"]:
            raise RefusalError("EntityNotFoundException", f"Job run {request['RunId']} not found")
        return {"JobRun": dict(run.answer)}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Newest first, in pages."""
        found = [
            dict(run.answer)
            for run in [*self._runs.values()][::-1]
            if run.answer["JobName"] == request["JobName"]
        ]
        first, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 200)
        answer: dict[str, Any] = {"JobRuns": found[first : first + size]}
        if first + size < len(found):
            answer["NextToken"] = str(first + size)
        return answer

    def _stop(self, request: dict[str, Any]) -> dict[str, Any]:
        done: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for run_id in request["JobRunIds"]:
            named = {"JobName": request["JobName"], "JobRunId": run_id}
            with self._lock:
                run = self._runs.get(run_id)
                code = (
                    "EntityNotFoundException"
                    if run is None
                    else "JobRunInTerminalStateException"
                    if run.state in _ENDED
                    else "InternalServiceException"
                    if self.switches.ignore_stop
                    else None
                )
                if run is None or code is not None:
                    detail = {"ErrorCode": code, "ErrorMessage": f"{run_id} cannot be stopped"}
                    errors.append({**named, "ErrorDetail": detail})
                    continue
                run.answer["JobRunState"] = "STOPPING"
                run.stop.set()
                done.append(named)
        return {"SuccessfulSubmissions": done, "Errors": errors}

    def _live(self, run: _Run) -> None:
        """A run's life, in a thread of its own: its process ends with that thread."""
        switches = self.switches
        if switches.start_delay_seconds or switches.expire:
            run.answer |= {"JobRunState": "WAITING", "StateDetail": "Resource unavailable"}
            run.stop.wait(switches.start_delay_seconds)
            run.answer.pop("StateDetail")
        state, message = "STOPPED", None
        if run.stop.is_set():
            pass
        elif switches.expire:
            state = "EXPIRED"
        elif switches.error_state is not None:
            state, message = "ERROR", switches.error_state
        else:
            state, message = self._execute(run, switches)
        with self._lock:
            _end(run, state, message)

    def _execute(self, run: _Run, switches: Switches) -> tuple[str, str | None]:
        """Execute the script; how it ended, and Glue's message."""
        folder = Path(tempfile.mkdtemp(prefix="glue-run-"))
        try:
            command, environment = self._command(run, folder, switches)
            with self._lock:
                if not run.stop.is_set():
                    run.answer["JobRunState"] = "RUNNING"
            limit_seconds = run.answer["Timeout"] * switches.minute_seconds
            execution = Execution(command, environment, folder, limit_seconds)
            run.execution = execution
            code = execution.run_until(run.stop)
            _charge(run, execution.seconds)
            write_logs(self._client("logs"), _log_groups(run), run.answer["Id"], folder)
            if run.stop.is_set():
                return "STOPPED", None
            if code is None:
                return "TIMEOUT", f"Job run exceeded its timeout of {run.answer['Timeout']} min"
            return ("SUCCEEDED", None) if code == 0 else ("FAILED", error_message(folder, code))
        except (ClientError, RuntimeMissingError) as error:
            # Of a script, a wheel or a jar that is not there: as Glue says it.
            return "FAILED", f"LAUNCH ERROR | {error}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _command(
        self, run: _Run, folder: Path, switches: Switches
    ) -> tuple[list[str], dict[str, str]]:
        s3 = self._client("s3")

        def fetched(uri: str) -> Path:
            place = urlsplit(uri)
            path = folder / Path(place.path).name
            s3.download_file(place.netloc, place.path.lstrip("/"), str(path))
            return path

        listed = run.arguments.get("--additional-python-modules", "").split(",")
        return switches.launch(
            fetched(run.job["Command"]["ScriptLocation"]),
            [text for pair in run.arguments.items() for text in pair],
            twin_url=self._gateway.url,
            modules=[fetched(item) for item in listed if item.startswith("s3://")],
            folder=folder,
        )

    def _client(self, service: str) -> Any:
        """boto3's client of the emulator itself: a fault of the test is not ours."""
        if service not in self._clients:
            untyped: Any = boto3
            self._clients[service] = untyped.Session().client(
                service,
                endpoint_url=self._gateway.emulator_url,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
                config=Config(s3={"addressing_style": "path"}),
            )
        return self._clients[service]


def _new_run(job: dict[str, Any], request: dict[str, Any]) -> _Run:
    run_id = f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
    answer = {
        "Id": run_id,
        "Attempt": 0,
        "JobName": job["Name"],
        "StartedOn": time.time(),
        "JobRunState": "STARTING",
        "Arguments": request.get("Arguments", {}),
        "ExecutionTime": 0,
        "GlueVersion": job.get("GlueVersion"),
        "LogGroupName": "/aws-glue/jobs",
        **{
            name: request.get(name, job.get(name, default))
            for name, default in (
                ("Timeout", 480),
                ("WorkerType", "G.1X"),
                ("NumberOfWorkers", 10),
                ("ExecutionClass", "STANDARD"),
            )
        },
    }
    own = {"--JOB_NAME": job["Name"], "--JOB_RUN_ID": run_id}
    arguments = {**job.get("DefaultArguments", {}), **own, **request.get("Arguments", {})}
    return _Run(answer, job, arguments)


def _log_groups(run: _Run) -> str:
    return run.arguments.get("--custom-logGroup-prefix", "/aws-glue/jobs")


def _charge(run: _Run, seconds: float) -> None:
    run.answer["ExecutionTime"] = max(1, round(seconds))
    scaled = run.arguments.get("--enable-auto-scaling") == "true"
    if scaled or run.answer["ExecutionClass"] == "FLEX":
        workers = run.answer["NumberOfWorkers"] * _DPUS[run.answer["WorkerType"]]
        run.answer["DPUSeconds"] = round(workers * seconds, 3)


def _end(run: _Run, state: str, message: str | None) -> None:
    if message is not None:
        run.answer["ErrorMessage"] = message
    run.answer["CompletedOn"] = time.time()
    # Last: whoever sees it sees all.
    run.answer["JobRunState"] = state
