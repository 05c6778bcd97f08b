"""A HOME of its own with a small simulated load: what a failure breaks, and commands mend."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.doctor.examination import examine
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, format_short, hour_floor, now_us
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.resources.deployments import LocalDeployment
from tick_pipeline.settings import PREFIX, load_settings, process_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.doctor.findings import Diagnosis
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

_COMMAND_SECONDS = 300
_DAYS_BEFORE = 2
#: What the sandbox does not take over from the user: nothing is closed, buffered or partitioned as theirs.
_OWN: dict[str, Any] = {
    "deployment": "local",
    "storage_modes": "iceberg,parquet_projection",
    "close_after_seconds": 86_400,
    "lateness_seconds": 60,
    "late_lookback_hours": 72,
    "stream_shards": 4,
    "stream_retention_hours": 24,
    "buffer_seconds": 60,
    "buffer_records": 500_000,
}


@dataclass(frozen=True)
class Ended:
    """A command that was run.

    Attributes:
        command: as people type it.
        code: that it ended with.
        told: the last line that it said beside its result.
    """

    command: str
    code: int
    told: str


class Sandbox:
    """A HOME in a folder, with settings of its own; the user's HOME, .env and settings have no part in it.

    Args:
        folder: empty.
        user: the user's settings, of which the cache of jars is taken.
        changes: settings of this sandbox, by name.
    """

    def __init__(self, folder: Path, user: Settings, changes: dict[str, Any]) -> None:
        self.folder = folder
        start_us = hour_floor(now_us()) - _DAYS_BEFORE * 24 * US_PER_HOUR
        own: dict[str, Any] = {
            **_OWN,
            "home": folder / "home",
            "dagster_home": folder / "home" / "dagster",
            "cache": user.cache,
            "partitions_start": format_short(start_us),
            **changes,
        }
        self._environment = {f"{PREFIX}{name.upper()}": str(value) for name, value in own.items()}
        self.settings = load_settings(_env_file=None, **own)
        self.deployment = LocalDeployment(self.settings)

    @property
    def home(self) -> Home:
        """Its HOME, initialised."""
        return self.deployment.home

    def produce(
        self,
        *,
        start_us: int | None = None,
        seconds: float = 300,
        rate: float = 4,
        symbols: int = 10,
    ) -> None:
        """Simulated ticks of a period into its stream.

        Args:
            start_us: start of the period, microseconds; the one that ends now if not given.
            seconds: its length.
            rate: ticks a second over all symbols.
            symbols: how many.
        """
        run_simulation(
            self.deployment.stream(),
            SimulationRequest(
                "steady", seconds, rate=rate, symbols=symbols, past=True, start_us=start_us
            ),
            labels_folder=self.home.labels,
            on_progress=lambda _: None,
            stop=threading.Event(),
        )

    def deliver(self) -> None:
        """What its stream holds into every mode's raw."""
        landing, now = self.deployment.landing(), now_us()
        for mode in self.settings.storage_modes:
            landing.land(mode, now, now + US_PER_SECOND)

    def examine(self, sql: str | None = None) -> Diagnosis:
        """What the doctor says of it."""
        return examine(self.deployment, self.settings, sql=sql)

    def run(self, command: str) -> Ended:
        """Run a command of `tick-pipeline` on it, as a user would, in a process of its own."""
        kept = {
            name: value
            for name, value in process_environment().items()
            if not name.startswith(PREFIX)
        }
        ended = subprocess.run(
            [sys.executable, "-m", "tick_pipeline.cli.main", *shlex.split(command)[1:]],
            # Where no .env of the user's lies.
            cwd=self.folder,
            env={**kept, **self._environment},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return Ended(command, ended.returncode, *ended.stderr.strip().splitlines()[-1:] or [""])
