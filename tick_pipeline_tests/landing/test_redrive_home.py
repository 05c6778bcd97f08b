"""A redrive on a HOME: real error objects, stream, deliveries and tables; killed, and beside another one."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import now_us
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.landing.error_records import ErrorRecord, write_errors
from tick_pipeline.landing.redrive_groups import RedriveRequest
from tick_pipeline.landing.redrive_mending import parse_mending
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.resources.landing import LocalLanding
from tick_pipeline.spark.locks import exclusive
from tick_pipeline.storage import ErrorType, StorageMode
from tick_pipeline_tests.queries.warehouse import START_US, tick

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

REDRIVER = Path(__file__).with_name("redriver.py")
MODES = tuple(StorageMode)
TICKS = 5


@pytest.fixture
def failed(home: Home) -> Home:
    """A HOME whose deliveries both failed with the same valid ticks, as with a stale schema."""
    records = [_error(tick("AAA", number, number)) for number in range(1, TICKS + 1)]
    for mode in MODES:
        write_errors(
            str(home.warehouse),
            mode,
            ErrorType.ICEBERG_FAILED,
            "flush",
            records,
            ended_us=now_us(),
        )
    return home


def _error(record: dict[str, Any]) -> ErrorRecord:
    data = json.dumps(record).encode()
    return ErrorRecord("", "", "Iceberg.SchemaTypeMismatch", "why", now_us() - 1000, data)


def request(settings: Settings, *sets: str) -> RedriveRequest:
    return RedriveRequest(settings.storage_modes, since_us=0, mending=parse_mending(sets))


def records_in(settings: Settings) -> int:
    """Records of the stream."""
    return sum(shard.records or 0 for shard in open_deployment(settings).stream().shards())


def count(settings: Settings, relation: str, where: str = "true") -> int:
    sql = f"select count(*) as n from {relation} where {where}"
    [row] = open_deployment(settings).query_engine().run(sql).records
    return row["n"]


def land_all(home: Home, settings: Settings) -> None:
    stream: Any = open_deployment(settings).stream()
    deliver(home, settings, stream, modes=MODES)


@pytest.mark.parametrize(
    ("step", "moment", "recovered"),
    [(1, "after", 0), (2, "after", TICKS), (3, "after", 0)],
)
def test_bad_records_are_kept_and_put_once_though_a_redrive_is_killed(
    failed: Home, settings: Settings, step: int, moment: str, recovered: int
) -> None:
    killed = subprocess.run(
        [sys.executable, str(REDRIVER), str(failed.path), str(step), moment],
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    summary = open_deployment(settings).redrive().put(request(settings))
    assert summary.recovered == recovered
    assert records_in(settings) == TICKS
    land_all(failed, settings)
    for mode in MODES:
        assert count(settings, f"{mode}.received") == TICKS
        assert count(settings, f"{mode}.ticks") == TICKS
    assert open_deployment(settings).redrive().put(request(settings)).put == 0


def test_two_redrives_at_the_same_time_put_each_record_once(
    failed: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tick_pipeline.landing.redrive_memory._WAIT_SECONDS", 120.0)

    def put(_process: int) -> int:
        return open_deployment(settings).redrive().put(request(settings)).put

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(put, range(2))) == [0, TICKS]
    assert records_in(settings) == TICKS
    assert (failed.path / "redrive").is_dir()


def test_a_redrive_that_has_to_wait_for_too_long_is_one_line(
    failed: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tick_pipeline.landing.redrive_memory._WAIT_SECONDS", 0.1)
    with (
        exclusive(failed.locks / "redrive.lock", what="it"),
        pytest.raises(BusyError, match="another process holds the redrive"),
    ):
        open_deployment(settings).redrive().put(request(settings))


def test_bad_records_are_kept_and_redriven_after_a_fix(home: Home, settings: Settings) -> None:
    """Malformed and invalid ones, by real deliveries; afterwards both modes have each tick once, under its number."""
    good = tick("AAA", 1, 1)
    bad = [
        {**tick("AAA", 2, 2), "price": "12.5"},
        {**tick("AAA", 3, 3), "price": -1.0},
        {**tick("AAA", 4, 4), "symbol": None, "event_time": None},
    ]
    data = [json.dumps(record).encode() for record in (good, *bad)]
    stream = open_deployment(settings).stream()
    stream.put(pa.array(["AAA"] * 4), pa.array(data, pa.binary()))
    land_all(home, settings)
    landing = LocalLanding(home, settings)
    assert [landing.recent_errors(mode, 0).count for mode in MODES] == [1, 1]
    asked = request(settings, "price=9", "symbol=AAA", "event_time={event_ts}")
    window = RedriveRequest(asked.modes, START_US, mending=asked.mending)
    summary = open_deployment(settings).redrive().put(window)
    assert summary.put == 3
    land_all(home, settings)
    for mode in MODES:
        found = landing.recent_errors(mode, 0)
        assert (found.count, found.redriven, found.by_reason) == (0, 1, {})
        rows = (
            open_deployment(settings)
            .query_engine()
            .run(f"select * from {mode}.ticks order by sequence")
            .records
        )
        assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
        assert [row["event_id"] for row in rows] == [
            f"sim-1:AAA:{number}" for number in (1, 2, 3, 4)
        ]
        assert [row["price"] for row in rows[1:3]] == [9.0, 9.0]
        assert count(settings, f"{mode}.received", "broken_rule is not null") == 2
    assert open_deployment(settings).redrive().put(window).put == 0
