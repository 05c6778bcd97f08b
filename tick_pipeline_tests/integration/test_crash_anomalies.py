"""Promise `crash_loses_nothing`, of the stream of anomalies: whichever process is killed, whenever."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.producer.simulate import SimulationRequest, run_simulation
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.streaming.progress import ControlFolder
from tick_pipeline_tests.integration.pipeline import MODES
from tick_pipeline_tests.integration.processes import (
    SURVIVAL_SECONDS,
    Victim,
    assert_all_end,
    find_victim,
    until_free,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.storage import StorageMode
    from tick_pipeline_tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.spark

#: Small micro-batches, so that a kill finds one at work.
OPTIONS = {"drain": True, "files_per_batch": 2}
PARTS, PART_SECONDS = 16, 150
START_US = parse_instant("2026-01-05T14:40:00Z")


@pytest.fixture(scope="module")
def undisturbed(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A HOME with a stream of many segments, scored in one go."""
    pipeline = new_pipeline(ANOMALY_METRICS="return,volume", ANOMALY_THRESHOLD="4")
    with pipeline.here():
        settings = load_settings()
        home = open_home(settings)
        stream = open_stream(home, settings)
        for part in range(PARTS):
            request = SimulationRequest(
                "mixed",
                PART_SECONDS,
                start_us=START_US + part * PART_SECONDS * US_PER_SECOND,
            )
            run_simulation(
                stream,
                request,
                labels_folder=home.labels,
                on_progress=lambda _: None,
                stop=threading.Event(),
            )
    pipeline.json("anomalies", "start", "--drain", "--flush")
    return pipeline


def test_crash_loses_nothing_when_the_stream_is_killed(
    undisturbed: Pipeline, new_pipeline: Callable[..., Pipeline]
) -> None:
    """Three kills at random moments leave the rows of one undisturbed run."""
    _kill_runs(undisturbed, new_pipeline, list(Victim))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_crash_loses_nothing_when_the_stream_is_killed_many_times(
    undisturbed: Pipeline, new_pipeline: Callable[..., Pipeline]
) -> None:
    # A stream of as many micro-batches as that is scored more than once.
    for _ in range(4):
        _kill_runs(undisturbed, new_pipeline, [*Victim, Victim.JOB, Victim.JVM])


def _kill_runs(
    undisturbed: Pipeline, new_pipeline: Callable[..., Pipeline], victims: list[Victim]
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  (pytest shows it when the test fails)
    chance = random.Random(seed)
    pipeline = new_pipeline(**undisturbed.variables)
    pipeline.json("status")
    shutil.rmtree(pipeline.home / "stream")
    shutil.copytree(undisturbed.home / "stream", pipeline.home / "stream")
    for victim in victims:
        _kill(pipeline, victim, chance)
        # What is there is readable, and part of what will be.
        for mode in MODES:
            assert _rows(pipeline, mode).items() <= _rows(undisturbed, mode).items()
    pipeline.json("anomalies", "start", "--drain", "--flush")
    for mode in MODES:
        assert _rows(pipeline, mode) == _rows(undisturbed, mode)
        assert len(_rows(pipeline, mode)) > 20, "too few rows to tell anything"
    finished = pipeline.json("anomalies", "status")["progress"]
    expected = undisturbed.json("anomalies", "status")["progress"]
    for name in ("scored", "late", "duplicates", "pending", "lost", "held", "positions"):
        assert finished[name] == expected[name], name


def _kill(pipeline: Pipeline, victim: Victim, chance: random.Random) -> None:
    """Kill one process of a run while it is at its micro-batches."""
    control = ControlFolder(pipeline.home / "anomaly_stream")
    before = told.batch if (told := control.progress()) else -1
    control.forget()
    process = subprocess.Popen(
        [sys.executable, "-m", "tick_pipeline.resources.anomaly_stream", json.dumps(OPTIONS)],
        env=pipeline.environment(),
        cwd=pipeline.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        until = before + chance.randint(1, 3)
        while process.poll() is None:
            told = control.progress()
            if told is not None and told.batch >= until:
                break
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.6))
        target = find_victim(pipeline.home, victim, process)
        assert target is not None, "the run was over before the kill"
        target.kill()
        process.wait(timeout=SURVIVAL_SECONDS)
        assert_all_end(pipeline.home)
    status = until_free(pipeline)
    assert status["state"] == "failed"
    assert status["reason"]


def _rows(pipeline: Pipeline, mode: StorageMode) -> dict[tuple[str, str], dict[str, Any]]:
    """A table's rows by key; none stands twice."""
    rows: list[dict[str, Any]] = pipeline.json("query", f"select * from {mode}.anomalies")
    found = {
        (row["event_id"], row["metric"]): {
            name: value
            for name, value in row.items()
            if name not in ("year", "month", "day", "hour")
        }
        for row in rows
    }
    assert len(found) == len(rows)
    return found
