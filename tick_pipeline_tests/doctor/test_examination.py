"""The doctor on a HOME: all is well with a fresh pipeline, and what is not is told with its next step."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.doctor.examination import examine
from tick_pipeline.doctor.lab.sandbox import Sandbox
from tick_pipeline.event_time import US_PER_HOUR, hour_floor, now_us
from tick_pipeline.home import marker_of
from tick_pipeline.resources.deployments import LocalDeployment
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.stream.port import MAX_RECORD_BYTES
from tick_pipeline_tests.queries.warehouse import land, tick

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

    from tick_pipeline.doctor.findings import Diagnosis
    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings


@pytest.fixture
def home_of_commands(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The HOME that commands find."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(settings.home))
    return settings.home


def look(settings: Settings, sql: str | None = None) -> Diagnosis:
    return examine(LocalDeployment(settings), settings, sql=sql)


def failures(diagnosis: Diagnosis) -> set[str]:
    return {finding.failure for finding in diagnosis.findings if finding.failure}


@pytest.fixture
def fresh(settings: Settings, tmp_path: Path) -> Sandbox:
    """A pipeline into which some minutes of ticks came just now, all delivered."""
    box = Sandbox(tmp_path / "box", settings, {"close_after_seconds": 600})
    box.produce()
    box.deliver()
    return box


def test_a_fresh_pipeline_is_well(fresh: Sandbox) -> None:
    diagnosis = fresh.examine()
    assert failures(diagnosis) == set()
    assert [answer.verdict.value for answer in diagnosis.answers] == ["ok"] * 4
    told = {finding.subject for finding in diagnosis.findings}
    assert told == {
        *("arrivals", "shards", "rejected"),
        *("delivery", "errors", "hours", "candles"),
        *("schema", "nulls", "strays"),
        *("pruning", "snapshots", "files"),
    }


def test_an_empty_home_has_nothing_sent_and_nothing_wrong(
    home_of_commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "1. is data entering the stream? warn" in text
    assert "nothing was sent yet [no-arrivals]" in text
    assert "next: tick-pipeline produce" in text
    assert text.count("? ok") == 3
    assert marker_of(home_of_commands).exists()


def test_the_answers_are_for_scripts_too(
    home: Home, home_of_commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert home.path == home_of_commands
    assert run(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["deployment"], document["verdict"]) == ("local", "warn")
    assert len(document["answers"]) == 4
    first = document["answers"][0]["findings"][0]
    assert (first["failure"], first["verdict"]) == ("no-arrivals", "warn")


def test_what_waits_for_too_long_ends_with_exit_code_1(
    home_of_commands: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_BUFFER_SECONDS", "0.001")
    produce = ["produce", "--scenario", "steady", "--duration", "60", "--past"]
    assert run(produce) == 0
    capsys.readouterr()
    assert run(["doctor"]) == 1
    captured = capsys.readouterr()
    assert "[stopped-delivery]" in captured.out
    assert "records that wait" in captured.out
    assert captured.err.startswith("tick-pipeline: iceberg: ")
    assert "next: tick-pipeline deliver; 1 more above" in captured.err
    assert captured.err.count("\n") == 1
    assert home_of_commands.exists()


@pytest.mark.parametrize(("version", "told"), [(99, "is of version 99"), (None, "cannot be read")])
def test_a_home_that_cannot_be_read_is_one_line(
    home: Home, home_of_commands: Path, version: int | None, told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    start = {"partitions_start": "2026-01-01T00:00:00Z"}
    marker_of(home_of_commands).write_text(
        json.dumps({"version": version, **start} if version else start)
    )
    assert run(["doctor"]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert home.path == home_of_commands


def test_a_query_is_judged_and_a_wrong_one_is_an_input_error(
    home_of_commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--query", "select * from iceberg.rawr"]) == 2
    assert "iceberg.raw" in capsys.readouterr().err
    assert run(["doctor", "--query", "select symbol from iceberg.ticks"]) == 0
    assert "the query reads 0 files" in capsys.readouterr().out
    assert home_of_commands.exists()


def test_a_catalog_without_a_table_leaves_the_other_answers(home: Home, settings: Settings) -> None:
    with closing(open_catalog(home.path)) as catalog:
        catalog.drop_table("iceberg.raw")
    diagnosis = look(settings)
    assert diagnosis.verdict.value == "fail"
    assert {"schema-drift", "not-seen"} <= failures(diagnosis)
    told = [finding.statement for finding in diagnosis.findings if finding.verdict.value == "ok"]
    assert any(line.startswith("parquet_projection: 4 tables") for line in told)


def test_closed_hours_lack_candles_unless_all_their_rows_are_invalid(
    home: Home, settings: Settings
) -> None:
    land(home, [tick("AAA", 20, 1, price=-1.0)], settings.storage_modes)
    assert failures(look(settings)) == {"no-arrivals", "blind-query"}
    land(home, [tick("AAA", 3 * 3600, 2)], settings.storage_modes)
    diagnosis = look(settings)
    assert failures(diagnosis) == {"no-arrivals", "missing-candles"}
    (first, _) = diagnosis.of_failure("missing-candles")
    assert first.next.startswith(
        "tick-pipeline ohlc --start 2026-03-01T12:00:00Z --end 2026-03-01T13:00:00Z"
    )


def test_ticks_of_hours_to_come_and_records_refused_are_told(
    home: Home, settings: Settings
) -> None:
    ahead_us = hour_floor(now_us()) + 3 * US_PER_HOUR
    late = tick("AAA", 0, 1) | {"event_ts": ahead_us}
    land(home, [late], settings.storage_modes)
    huge = pa.array([b"x" * (MAX_RECORD_BYTES + 1)], pa.binary())
    LocalDeployment(settings).stream().put(pa.array(["AAA"]), huge)
    diagnosis = look(settings)
    assert {"clock-ahead", "rejected-records"} <= failures(diagnosis)
    (rejected,) = diagnosis.of_failure("rejected-records")
    assert rejected.evidence["records"] == 1


def test_a_mode_that_is_switched_off_is_not_looked_at(settings: Settings) -> None:
    alone = settings.model_copy(update={"storage_modes": settings.storage_modes[1:]})
    told = [finding.statement for finding in look(alone).findings]
    assert any(line.startswith("parquet_projection") for line in told)
    assert not any(line.startswith("iceberg") for line in told)


@pytest.mark.parametrize("landed_since", [False, True])
def test_what_the_doctor_says_of_raw_that_was_rolled_back_brings_its_rows_back(
    fresh: Sandbox, landed_since: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward again by the snapshots; over what landed since then, from the stream."""
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(fresh.home.path))
    fresh.produce()
    fresh.deliver()
    with closing(open_catalog(fresh.home.path)) as catalog:
        table = catalog.load_table("iceberg.raw")
        before = _event_ids(table)
        table.manage_snapshots().set_current_snapshot(
            table.metadata.snapshots[0].snapshot_id
        ).commit()
    if landed_since:
        fresh.produce()
        fresh.deliver()
    [stale] = [f for f in fresh.examine().findings if f.failure == "stale-snapshot"]
    command = stale.next.partition(";")[0].split()
    assert run(command[1:]) == 0
    with closing(open_catalog(fresh.home.path)) as catalog:
        assert before <= _event_ids(catalog.load_table("iceberg.raw"))


def _event_ids(raw: Table) -> set[str]:
    return set(raw.scan(selected_fields=("event_id",)).to_arrow()["event_id"].to_pylist())
