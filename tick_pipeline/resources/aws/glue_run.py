"""Runs of a Glue job: started once, waited for, and not left running by a caller that goes."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import time
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from tick_pipeline.errors import AwsError, BusyError, SparkJobError
from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.resources.aws.glue_errors import is_unclear, passes
from tick_pipeline.resources.aws.glue_pace import Pace

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from tick_pipeline.resources.aws.clients import AwsClients

SUCCEEDED = "SUCCEEDED"
#: The others are still to end; a state that is not known is one of them, for the deadline ends that wait, too.
#: Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-runs.html#aws-glue-api-jobs-runs-JobRun
ENDED = frozenset({SUCCEEDED, "STOPPED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"})
#: Argument of every run, by which it is known where the answer to its start was lost.
REQUEST_ID = "--REQUEST_ID"
#: Glue keeps runs for 90 days and gives the newest first; the one that is looked for is minutes old.
_MOST_RUNS = 200
#: What a state says where Glue gives no message.
_STATES = {
    "STOPPED": "someone stopped it",
    "TIMEOUT": "it took longer than the job's Timeout",
    "EXPIRED": "it waited too long for its workers, or a maintenance window of Glue's came",
}
#: The job's own limit, and the account's (https://docs.aws.amazon.com/general/latest/gr/glue.html).
_CONCURRENT, _ACCOUNT = "ConcurrentRunsExceededException", "ResourceNumberLimitExceededException"
_SECONDS_A_MINUTE = 60
#: Of a job that names none, from Glue 5.0 on.
_DEFAULT_TIMEOUT_MINUTES = 480


class GlueJob:
    """A job of Glue.

    Args:
        clients: of AWS.
        name: of the job.
        log: takes what happens to runs.
        pace: how long is waited.
    """

    def __init__(
        self, clients: AwsClients, name: str, log: logging.Logger, pace: Pace | None = None
    ) -> None:
        self._clients = clients
        self.name = name
        self._log = log
        self._pace = pace or Pace()
        self._glue = clients.client("glue")

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The job as Terraform made it.

        Raises:
            AwsError: it is not there, or not to be read.
        """
        with aws_errors(f"reading the Glue job {self.name}"):
            return dict(self._glue.get_job(JobName=self.name)["Job"])

    @cached_property
    def _once(self) -> Any:
        """A client that asks once: a second StartJobRun is a second run, and a look has a next look."""
        options = self._clients.options
        once = Config(retries={"mode": "standard", "total_max_attempts": 1})
        options["config"] = options["config"].merge(once)
        return self._clients.session.client("glue", **options)

    def run(self, request_id: str, arguments: Mapping[str, str], **capacity: Any) -> dict[str, Any]:
        """Start a run and wait until it has ended, in whatever state; returns Glue's JobRun.

        Whatever ends this call before that, an interruption as an error, stops the run.

        Args:
            request_id: of this run and no other.
            arguments: of the script, `--NAME` -> value.
            capacity: more of StartJobRun's fields.

        Raises:
            AwsError: Glue refused, or did not answer for too long.
            BusyError: other runs kept it from starting.
            SparkJobError: it did not end in time.
        """
        run_id: str | None = None
        try:
            run_id = self.start(request_id, arguments, **capacity)
            return self.wait(run_id)
        except BaseException as reason:
            if run_id is None and not isinstance(reason, Exception):
                # Interrupted while the start was under way.
                run_id = self._lost_run(request_id)
            if run_id is not None:
                self._abandon(run_id)
            raise

    def start(self, request_id: str, arguments: Mapping[str, str], **capacity: Any) -> str:
        """Start a run, and only one; returns its id.

        StartJobRun takes no token by which Glue would know a second call as the first (its JobRunId
        asks for another run like an earlier one). So where its answer was lost, the run is looked for by
        `request_id`, and started anew only if it is not there.

        Raises:
            AwsError: Glue refused, or did not answer for too long.
            BusyError: the job has all the runs at a time that it may have.
        """
        given = {**arguments, REQUEST_ID: request_id}
        began = time.monotonic()
        for seconds in self._pace.waits():
            try:
                with aws_errors(f"starting the Glue job {self.name}"):
                    answer = self._once.start_job_run(
                        JobName=self.name, Arguments=given, **capacity
                    )
                return str(answer["JobRunId"])
            except AwsError as error:
                if is_unclear(error):
                    self._log.warning("%s; looking whether the run is there", error)
                    if (found := self._lost_run(request_id)) is not None:
                        return found
                elif not (passes(error) or error.code in (_CONCURRENT, _ACCOUNT)):
                    raise
                self._check_patience(error, time.monotonic() - began)
            time.sleep(seconds)
        raise AssertionError

    def wait(self, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended, in whatever state; returns Glue's JobRun.

        Raises:
            AwsError: Glue refused, or did not answer for too long.
            SparkJobError: it did not end in time.
        """
        began = answered = time.monotonic()
        state = None
        for seconds in self._pace.waits():
            try:
                run = self._look(self._once, run_id)
            except AwsError as error:
                if not passes(error) or time.monotonic() - answered > self._pace.outage:
                    raise
                self._log.warning("%s; the run goes on, asking again", error)
            else:
                answered = time.monotonic()
                if run["JobRunState"] != state:
                    state = run["JobRunState"]
                    self._log.info("%s: %s", run_id, _told_state(run))
                if state in ENDED:
                    return run
                self._check_deadline(run, answered - began)
            time.sleep(seconds)
        raise AssertionError

    def look(self, run_id: str) -> dict[str, Any]:
        """A run as it is now, Glue's JobRun.

        Raises:
            AwsError: Glue did not say.
        """
        return self._look(self._glue, run_id)

    def stop(self, run_id: str) -> dict[str, Any]:
        """Stop a run and wait until it has ended; returns Glue's JobRun.

        Raises:
            AwsError: Glue refused.
            SparkJobError: it did not end in time.
        """
        with aws_errors(f"stopping the run {run_id} of the Glue job {self.name}"):
            answer = self._glue.batch_stop_job_run(JobName=self.name, JobRunIds=[run_id])
        refused = [item.get("ErrorDetail", {}) for item in answer.get("Errors", ())]
        run = self.await_end(run_id, 0 if refused else self._pace.stop)
        if run is not None:
            return run
        if refused:
            code, said = (str(refused[0].get(key, "")) for key in ("ErrorCode", "ErrorMessage"))
            raise AwsError(f"the run {run_id} is not to be stopped ({code}: {said})", code=code)
        raise SparkJobError(f"the run {run_id} did not stop within {self._pace.stop:g} s")

    def await_end(self, run_id: str, limit_seconds: float) -> dict[str, Any] | None:
        """Wait so long for a run's end; returns Glue's JobRun, None where it has not ended by then.

        Raises:
            AwsError: Glue did not say.
        """
        deadline = time.monotonic() + limit_seconds
        for seconds in self._pace.waits():
            run = self.look(run_id)
            if run["JobRunState"] in ENDED:
                return run
            if time.monotonic() >= deadline:
                return None
            time.sleep(seconds)
        raise AssertionError

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs, newest first, Glue's JobRun each.

        Raises:
            AwsError: Glue did not say.
        """
        with aws_errors(f"listing the runs of the Glue job {self.name}"):
            pages = self._glue.get_paginator("get_job_runs").paginate(JobName=self.name)
            listed = islice((run for page in pages for run in page["JobRuns"]), _MOST_RUNS)
            return sorted(listed, key=lambda run: run["StartedOn"], reverse=True)

    def active_runs(self) -> list[dict[str, Any]]:
        """Those that have not ended.

        Raises:
            AwsError: Glue did not say.
        """
        return [run for run in self.runs() if run["JobRunState"] not in ENDED]

    def _look(self, glue: Any, run_id: str) -> dict[str, Any]:
        with aws_errors(f"looking at the run {run_id} of the Glue job {self.name}"):
            return dict(glue.get_job_run(JobName=self.name, RunId=run_id)["JobRun"])

    def _lost_run(self, request_id: str) -> str | None:
        """Id of the run that was started with a request id; None where none is there after a while."""
        deadline = time.monotonic() + self._pace.lost
        for seconds in self._pace.waits():
            for run in self.runs():
                if run.get("Arguments", {}).get(REQUEST_ID) == request_id:
                    return str(run["Id"])
            if time.monotonic() > deadline:
                return None
            time.sleep(seconds)
        raise AssertionError

    def _abandon(self, run_id: str) -> None:
        """Stop a run whose caller goes, and tell what came of it: why the caller goes matters more."""
        self._log.warning("stopping the run %s of the Glue job %s", run_id, self.name)
        try:
            self._log.info("%s: %s", run_id, _told_state(self.stop(run_id)))
        except (AwsError, SparkJobError) as error:
            self._log.warning(
                "the run %s of the Glue job %s may still be going on, stop it in Glue's console: %s",
                run_id,
                self.name,
                error,
            )

    def _check_deadline(self, run: dict[str, Any], seconds: float) -> None:
        minutes = run.get("Timeout") or _DEFAULT_TIMEOUT_MINUTES
        if seconds > minutes * _SECONDS_A_MINUTE + self._pace.queue:
            raise SparkJobError(
                f"the run {run['Id']} of the Glue job {self.name} did not end within its {minutes} min "
                f"and {self._pace.queue:g} s for its start; it is {_told_state(run)}"
            )

    def _check_patience(self, error: AwsError, seconds: float) -> None:
        """Give up a start that has been tried for so long."""
        if error.code not in (_CONCURRENT, _ACCOUNT):
            if seconds > self._pace.outage:
                raise error
        elif seconds > self._pace.busy:
            if error.code == _ACCOUNT:
                raise BusyError(
                    f"{error}: the account has all the runs or workers of Glue that it may have, still after "
                    f"{self._pace.busy:g} s; try again later, or raise the limit in Service Quotas"
                ) from error
            most = self.definition.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
            raise BusyError(
                f"the Glue job {self.name} has {most} run{'s' if most > 1 else ''} going on, which is all "
                f"it may have at a time, still after {self._pace.busy:g} s; try again later"
            ) from error


def told_reason(run: Mapping[str, Any]) -> str:
    """Why a run ended, in one line: Glue's message, or what its state says where Glue gives none."""
    told = without_secrets(" ".join(str(run.get("ErrorMessage") or "").split()))
    return told or _STATES.get(run["JobRunState"], "")


def _told_state(run: dict[str, Any]) -> str:
    detail = run.get("StateDetail")
    return f"{run['JobRunState']} ({detail})" if detail else str(run["JobRunState"])
