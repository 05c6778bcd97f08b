"""Dagster's web interface over one HOME, asked as a browser asks it; and the browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tick_pipeline_tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tick_pipeline_tests.integration.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
#: Names the browser; unset, the first of these on PATH is taken.
CHROMIUM_VARIABLE = "TICK_PIPELINE_TEST_CHROMIUM"
#: Names a folder that keeps the pictures; unset, they are in pytest's own, or not taken.
SCREENSHOTS_VARIABLE = "TICK_PIPELINE_TEST_SCREENSHOTS"
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
_START_SECONDS, _END_SECONDS, _ANSWER_SECONDS = 300.0, 60.0, 180.0
#: Our own servers are asked without a proxy, whatever the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
#: Runs start at once: the queue of the product's own configuration needs the daemon.
_NO_QUEUE = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
"""
_LAUNCH = """
mutation Launch($execution: ExecutionParams!) {
  launchPipelineExecution(executionParams: $execution) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_TERMINATE = """
mutation Terminate($run: String!) {
  terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) { __typename }
}"""
_RUN = """
query Run($run: ID!) {
  runOrError(runId: $run) { ... on Run { status tags { key value } } }
}"""
_EVENTS = """
query Events($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection {
      events {
        __typename
        ... on MessageEvent { message eventType stepKey }
        ... on ExecutionStepFailureEvent {
          error { message className stack cause { message className } }
          failureMetadata { metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } }
        }
      }
    }
  }
}"""
_CHECKS = """
query Checks($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks {
          checks {
            name
            executionForLatestMaterialization {
              status runId evaluation { success severity description }
            }
          }
        }
      }
    }
  }
}"""


@dataclass(frozen=True)
class Web:
    """A running webserver; an asset is named by its path, as `("iceberg", "raw")`."""

    url: str
    process: psutil.Process

    def ask(self, query: str, **variables: object) -> Any:
        """The data that a GraphQL query or mutation gives."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310  (our own server)
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with _OPENER.open(request, timeout=_ANSWER_SECONDS) as answer:
            document = json.load(answer)
        assert "errors" not in document, document["errors"]
        return document["data"]

    def launch(
        self,
        job: str,
        *,
        partition: str | None = None,
        assets: Sequence[tuple[str, str]] | None = None,
        checks: Sequence[tuple[str, str, str]] | None = None,
    ) -> str:
        """Start a run, and tell its id.

        Args:
            job: whose; `__ASSET_JOB` for what no job holds.
            partition: key of the hour; none for checks alone.
            assets: paths; all of the job if not given.
            checks: paths with the check's name; those of the assets if not given.
        """
        selector: dict[str, Any] = {
            "repositoryLocationName": "tick_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        if assets is not None:
            selector["assetSelection"] = [{"path": path} for path in assets]
        if checks is not None:
            selector["assetCheckSelection"] = [
                {"assetKey": {"path": path}, "name": name} for *path, name in checks
            ]
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        execution = {
            "selector": selector,
            "mode": "default",
            "executionMetadata": {"tags": tags},
            "runConfigData": "{}",
        }
        launched = self.ask(_LAUNCH, execution=execution)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def status(self, run: str) -> str:
        """A run's status."""
        return self.ask(_RUN, run=run)["runOrError"]["status"]

    def tags(self, run: str) -> dict[str, str]:
        """A run's tags, by key."""
        tags = self.ask(_RUN, run=run)["runOrError"]["tags"]
        return {tag["key"]: tag["value"] for tag in tags}

    def ended(self, run: str, *, seconds: float = 480) -> str:
        """The status that a run ends with, waited for."""
        wait_for(lambda: self.status(run) in {"SUCCESS", "FAILURE", "CANCELED"}, seconds=seconds)
        return self.status(run)

    def terminate(self, run: str) -> str:
        """Stop a run as the button does; what the server says to it."""
        return self.ask(_TERMINATE, run=run)["terminateRun"]["__typename"]

    def events(self, run: str) -> list[dict[str, Any]]:
        """A run's events and log lines, in order."""
        return self.ask(_EVENTS, run=run)["logsForRun"]["events"]

    def checks(self, *path: str) -> dict[str, dict[str, Any] | None]:
        """An asset's checks by name: their execution for the latest materialization, if any."""
        node = self.ask(_CHECKS, key={"path": path})["assetNodeOrError"]
        return {
            check["name"]: check["executionForLatestMaterialization"]
            for check in node["assetChecksOrError"]["checks"]
        }

    def descendants(self, name: str) -> list[psutil.Process]:
        """The living processes of that name among all that the server started."""
        found: list[psutil.Process] = []
        for process in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == name and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def wait_for(condition: Callable[[], object], *, seconds: float) -> None:
    """Return as soon as the condition is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def serve(pipeline: Pipeline) -> Generator[Web]:
    """The webserver of this repository's workspace over a pipeline's HOME; no process outlives it."""
    state = pipeline.home.with_name("dagster_home")
    state.mkdir()
    product_config = ROOT / "tick_pipeline" / "orchestration" / "dagster.yaml"
    (state / "dagster.yaml").write_text(product_config.read_text("utf-8") + _NO_QUEUE, "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port)]
    log = state / "webserver.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "-w", str(ROOT / "workspace.yaml")],
            env={**pipeline.environment(), "DAGSTER_HOME": str(state)},
            # A developer's .env lies in the checkout.
            cwd=pipeline.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            web = Web(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
            _wait_until_up(web, process, log)
            yield web
        finally:
            _end_group(process)


def find_chromium() -> str | None:
    """The browser's path, if there is one."""
    named = os.environ.get(CHROMIUM_VARIABLE)
    candidates = (named,) if named else _CHROMIUMS
    return next((path for name in candidates if (path := shutil.which(name))), None)


def _wait_until_up(web: Web, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text("utf-8")
        try:
            with _OPENER.open(f"{web.url}/server_info", timeout=30):
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    wait_for(answers, seconds=_START_SECONDS)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, to the whole group (a server alone leaves its code servers behind); then kill."""
    for number, seconds in ((signal.SIGINT, _END_SECONDS), (signal.SIGKILL, _END_SECONDS)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(AssertionError):
            # poll() takes a process that has ended off the group.
            wait_for(
                lambda: process.poll() is not None and not _group(process.pid), seconds=seconds
            )
            return
    assert not _group(process.pid)


def _group(leader: int) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
