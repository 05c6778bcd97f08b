"""Promise `crash_loses_nothing`: wherever a delivery is killed, each record is landed or kept, once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.landing import raw_files, sink
from tick_pipeline.landing.checkpoint import CheckpointFile
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.landing.iceberg_sink import IcebergSink
from tick_pipeline.landing.parquet_sink import ParquetSink
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.segments import LocalStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

DELIVERER = Path(__file__).parent / "deliverer.py"
BUFFER_RECORDS = 150


class KilledError(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


class Killer:
    """Ends the process's work, so to speak, at one call of some functions."""

    def __init__(self, at_call: int) -> None:
        self.at_call = at_call
        self.calls = 0

    def wrap(self, function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
        """The function, after or before which the process dies when its turn comes."""

        def killing(*arguments: Any, **options: Any) -> Any:
            self.calls += 1
            dies = self.calls == self.at_call
            if dies and before:
                raise KilledError
            result = function(*arguments, **options)
            if dies:
                raise KilledError
            return result

        return killing


STEPS = {
    "checkpoint": (CheckpointFile, "write"),
    "raw file": (sink, "write_raw_file"),
    "half a raw file": (raw_files, "publish"),
    "errors": (sink, "write_errors"),
    "iceberg commit": (IcebergSink, "_commit"),
    "parquet commit": (ParquetSink, "_commit"),
    "stream position": (LocalStream, "commit"),
}


@pytest.mark.parametrize(
    "at_call", [2, *(pytest.param(call, marks=pytest.mark.soak) for call in (1, 3, 5))]
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_crash_loses_nothing_at_each_step_of_a_flush(
    lake: Any, ticks: Any, monkeypatch: pytest.MonkeyPatch, *, step: str, before: bool, at_call: int
) -> None:
    """Dead before or after each step, early or late in a delivery: the next one makes it whole."""
    settings = load_settings(home=lake.home.path, buffer_records=150, _env_file=None)
    lake.put(ticks(800, bad_share=0.05))
    owner, name = STEPS[step]
    killer = Killer(at_call)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killer.wrap(getattr(owner, name), before=before))
        with pytest.raises(KilledError):
            _deliver(lake.home, settings)
    lake.put(ticks(60))
    _deliver(lake.home, settings)
    lake.assert_each_record_landed_once()
    assert sorted(path.name for path in lake.home.warehouse.rglob("_*.tmp")) == []
    referenced = {task.file.file_path for task in lake.raw_table().scan().plan_files()}
    assert len(referenced) == len(lake.files(StorageMode.ICEBERG)), "orphan files"


def test_crash_loses_nothing_when_deliver_is_killed(lake: Any, ticks: Any) -> None:
    """Three kills of a real process at random moments, each with new records before it."""
    _kill_deliveries(lake, ticks, kills=3)


@pytest.mark.soak
def test_crash_loses_nothing_when_deliver_is_killed_many_times(lake: Any, ticks: Any) -> None:
    _kill_deliveries(lake, ticks, kills=20)


def test_crash_loses_nothing_when_one_mode_was_delivered_alone_meanwhile(
    lake: Any, ticks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mode that died in the middle catches up with one that went on without it."""
    settings = load_settings(home=lake.home.path, buffer_records=150, _env_file=None)
    lake.put(ticks(500))
    with monkeypatch.context() as patched:
        owner, name = STEPS["iceberg commit"]
        killing = Killer(2).wrap(getattr(owner, name), before=True)
        patched.setattr(owner, name, killing)
        with pytest.raises(KilledError):
            _deliver(lake.home, settings)
    _deliver(lake.home, settings, modes=[StorageMode.PARQUET_PROJECTION])
    lake.put(ticks(200))
    _deliver(lake.home, settings)
    lake.assert_each_record_landed_once()


def _deliver(home: Home, settings: Settings, modes: list[StorageMode] | None = None) -> None:
    deliver(home, settings, LocalStream(home.stream), modes=modes or list(StorageMode))


def _kill_deliveries(lake: Any, ticks: Any, *, kills: int) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  (pytest shows it when the test fails)
    chance = random.Random(seed)
    interrupted = 0
    for _ in range(kills):
        lake.put(ticks(2_000))
        process = subprocess.Popen(
            [sys.executable, str(DELIVERER), str(lake.home.path), str(BUFFER_RECORDS)],
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            # At most half of its flushes, however fast it is.
            for _ in range(chance.randrange(7)):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.3))
            interrupted += process.poll() is None
            process.kill()
    assert interrupted > kills / 2, "too few kills hit a delivery at work"
    final = [sys.executable, str(DELIVERER), str(lake.home.path), str(BUFFER_RECORDS)]
    subprocess.run(final, check=True, stdout=subprocess.DEVNULL, timeout=300)
    lake.assert_each_record_landed_once()
