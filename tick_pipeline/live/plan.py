"""Which processes the live mode has, and in which order they end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.live.child import AtEnd, ChildSpec
from tick_pipeline.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.producer.request import SimulationRequest

PRODUCER, DELIVERY, ANOMALIES, DAGSTER = "producer", "delivery", "anomalies", "dagster"
#: What makes ticks ends first; what watches all of it, last.
STOP_ORDER = (PRODUCER, DELIVERY, ANOMALIES, DAGSTER)
HOST = "127.0.0.1"
#: A producer without a duration covers so long, then begins a new run.
_ENDLESS_SECONDS = 24 * 3600.0
#: A look of a sensor may take longer than Dagster's 60 s: on AWS it reads files and waits for Athena.
DAGSTER_VARIABLES = {"DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "300"}
_WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
#: A command of ours follows.
COMMAND = (sys.executable, "-m", "tick_pipeline.cli.main")


@dataclass(frozen=True)
class Plan:
    """The processes of a live pipeline.

    Attributes:
        settings: name of a setting, upper case without its prefix -> its text, for all of them.
        dagster_home: Dagster's state.
    """

    settings: Mapping[str, str]
    dagster_home: Path

    def producer(self, request: SimulationRequest, duration_seconds: float | None) -> ChildSpec:
        """Simulated ticks in real time; without a duration for ever, one run after the other."""
        options = {
            "scenario": request.scenario,
            "rate": request.rate,
            "symbols": request.symbols,
            "seed": request.seed,
            "duration": _ENDLESS_SECONDS if duration_seconds is None else duration_seconds,
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        return ChildSpec(
            PRODUCER,
            (*COMMAND, "produce", *given),
            self._environment(),
            grace_seconds=30,
            at_end=AtEnd.AGAIN if duration_seconds is None else AtEnd.FINISH,
        )

    def delivery(self, follow_command: tuple[str, ...]) -> ChildSpec:
        """The delivery loop; what came while it ended is delivered by the same command without --follow."""
        drain = (argument for argument in follow_command if argument != "--follow")
        return ChildSpec(
            DELIVERY,
            (*COMMAND, *follow_command),
            self._environment(),
            grace_seconds=120,
            last=(*COMMAND, *drain),
        )

    def anomalies(self) -> ChildSpec:
        """Who starts and stops the streaming job, wherever that runs."""
        return ChildSpec(
            ANOMALIES,
            (*COMMAND, "anomalies", "start", "--follow"),
            self._environment(),
            # Glue takes minutes.
            grace_seconds=400,
            last=(*COMMAND, "anomalies", "stop", "--flush"),
            detached=True,
        )

    def dagster(self, port: int | None, *, automated: bool = True) -> ChildSpec:
        """Dagster, with its sensors and schedules on if automated; without a port, without its web interface."""
        workspace = ("-w", str(_WORKSPACE))
        own = {"AUTOMATION_RUNNING": "true"} if automated else {}
        if port is None:
            command = ("dagster._daemon", "run", *workspace)
        else:
            command = ("dagster", "dev", *workspace, "-h", HOST, "-p", str(port))
            own["DAGSTER_URL"] = url_of(port)
        return ChildSpec(
            DAGSTER,
            # It says so of `dagster dev` each time.
            (sys.executable, "-W", "ignore:Function `dev_command` is superseded", "-m", *command),
            {**DAGSTER_VARIABLES, "DAGSTER_HOME": str(self.dagster_home), **self._environment(own)},
            # Its runs stop theirs of Glue, which takes up to three minutes.
            grace_seconds=200,
            vital=True,
        )

    def _environment(self, own: Mapping[str, str] | None = None) -> dict[str, str]:
        settings = {**self.settings, **(own or {})}
        return {f"{PREFIX}{name}": text for name, text in settings.items()}


def url_of(port: int) -> str:
    """Where the web interface answers."""
    return f"http://{HOST}:{port}"
