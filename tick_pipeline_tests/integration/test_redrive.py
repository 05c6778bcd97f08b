"""Promises `bad_records_are_kept` and `gaps_are_seen` as a person meets them: commands, checks, and the job."""

# pyarrow has no types, parts of Dagster's are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.defs.operations.redrive import RedriveConfig, request_of
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_MINUTE, format_instant, format_short, hour_floor, now_us
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.integration.pipeline import MODES, Pipeline
from tick_pipeline_tests.queries.warehouse import tick

if TYPE_CHECKING:
    from collections.abc import Callable

ICEBERG = StorageMode.ICEBERG
#: In the hour before this one, which is closed or about to be.
BEGIN_US = hour_floor(now_us()) - 30 * US_PER_MINUTE


def at(number: int, **changes: Any) -> dict[str, Any]:
    """A tick of half an hour before the hour began."""
    us = BEGIN_US + number * 1_000_000
    times = {"event_ts": us, "event_time": format_instant(us), "sent_ts": us}
    return tick("AAA", 0, number) | times | changes


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A HOME with ticks 1, 2 and 9; between them two malformed, one invalid, and three that nobody sent."""
    made = new_pipeline()
    made.json("deliver")
    records = [at(1), at(2), at(3, price="12.5"), at(4, venue="X"), at(5, volume=None), at(9)]
    put(made, *(json.dumps(record).encode() for record in records))
    return made


def put(pipeline: Pipeline, *data: bytes) -> None:
    """Put records and deliver them."""
    stream = LocalStream(pipeline.home / "stream")
    stream.put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    pipeline.json("deliver")


def reasons(summary: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {group["reason"]: group["by_state"] for group in summary["groups"]}


def check(pipeline: Pipeline, mode: StorageMode, name: str) -> dg.AssetCheckEvaluation:
    """Evaluate a check of raw."""
    with pipeline.here(), open_instance(open_home(load_settings()), load_settings()) as instance:
        key = dg.AssetCheckKey(dg.AssetKey([mode.value, "raw"]), name)
        job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(key))
        loaded = dg.Definitions.merge(defs(), dg.Definitions(jobs=[job]))
        run = loaded.resolve_job_def("one_check").execute_in_process(instance=instance)
        [found] = run.get_asset_check_evaluations()
        return found


def run_job(pipeline: Pipeline, **config: Any) -> dg.ExecuteInProcessResult:
    """Run `redrive_errors`."""
    with pipeline.here(), open_instance(open_home(load_settings()), load_settings()) as instance:
        return (
            defs()
            .resolve_job_def("redrive_errors")
            .execute_in_process(
                instance=instance,
                run_config={"ops": {"put_again": {"config": config}}},
                raise_on_error=False,
            )
        )


def test_bad_records_are_kept_shown_and_put_once(pipeline: Pipeline) -> None:
    shown = pipeline.json("redrive")
    assert reasons(shown) == {
        "unknown_field": {"left": 1},
        "volume_null": {"left": 1},
        "wrong_type": {"left": 1},
    }
    code, text, said = pipeline.run("redrive", "--coerce", "--drop=venue")
    assert code == 0
    assert "wrong_type (kept: iceberg 1, parquet_projection 1)" in text
    assert "price must be a number, it is the text '12.5'" in text
    assert '"price": "12.5"' in text
    assert "next: --put puts 2 of them on the stream" in said
    assert "1 would fail again" in said
    code, text, said = pipeline.run("redrive", "--coerce", "--drop=venue", "--put")
    assert code == 0
    assert "put: 2; the error objects and invalid rows stay where they are" in said
    assert "next: tick-pipeline deliver" in said
    assert (
        pipeline.json("redrive", "--coerce", "--drop=venue", "--set=volume=0", "--put")["put"] == 1
    )
    pipeline.json("deliver")
    done = pipeline.json("redrive", "--put")
    assert (done["put"], set(map(str, reasons(done).values()))) == (0, {"{'redriven': 1}"})
    for mode in MODES:
        sql = f"select sequence, price, volume from {mode}.ticks order by sequence"
        assert [row["sequence"] for row in pipeline.json("query", sql)] == [1, 2, 3, 4, 5, 9]


def test_a_redrive_of_nothing_and_wrong_options_are_one_line(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    pipeline = new_pipeline()
    code, text, _ = pipeline.run("redrive")
    assert (code, text.startswith("nothing failed since ")) == (0, True)
    for options, told in (
        (
            ["--only=x"],
            "--only x: no record failed for that reason; none failed at all in that time",
        ),
        (["--set=price=a"], "--set price=a: price is of type double, which 'a' is not"),
        (["--since=noon"], "--since: 'noon' is no ISO 8601 instant"),
        (["--until=2000-01-01"], "--until 2000-01-01 is not after "),
        (["--gaps", "--put"], "--gaps only shows"),
    ):
        code, text, said = pipeline.run("redrive", *options)
        assert (code, text) == (2, "")
        assert said.startswith(f"tick-pipeline: {told}")
        assert said.count("\n") == 1


def test_gaps_are_seen_by_command_and_check(pipeline: Pipeline) -> None:
    """The invalid tick has its number; of the others, half failed and half never came."""
    since = f"--since={format_short(BEGIN_US)}"
    for gaps in pipeline.json("redrive", "--gaps", since).values():
        found = [(gap["first_missing"], gap["last_missing"]) for gap in gaps]
        assert found == [(3, 4), (6, 8)]
        assert [gap["in_errors"] for gap in gaps] == [2, 0]
        assert [gap["never_arrived"] for gap in gaps] == [0, 3]
        assert gaps[1]["after_us"] == BEGIN_US + 5_000_000
    code, text, _ = pipeline.run("redrive", "--gaps", since, "--storage-mode=iceberg")
    assert code == 0
    assert "missing in iceberg: 5 numbers" in text
    found = check(pipeline, ICEBERG, "raw_gaps")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    told = {name: value.value for name, value in found.metadata.items()}
    assert (told["missing"], told["never arrived"], told["in the error prefix"]) == (5, 3, 2)
    assert "2, 5 numbers (3 never arrived, 2 in the error prefix)" in str(found.description)
    assert "`tick-pipeline redrive`" in str(found.description)


def test_the_check_of_error_records_tells_apart_what_was_redriven(pipeline: Pipeline) -> None:
    before = check(pipeline, ICEBERG, "error_records")
    assert (before.passed, before.metadata["error records"].value) == (False, 2)
    pipeline.json("redrive", "--coerce", "--put")
    after = check(pipeline, ICEBERG, "error_records")
    assert (after.passed, after.metadata["error records"].value) == (False, 1)
    assert after.metadata["redriven"].value == 1
    assert "1 records of the last day could not be stored, 1 more were redriven" in str(
        after.description
    )
    pipeline.json("redrive", "--drop=venue", "--put")
    for mode in MODES:
        assert check(pipeline, mode, "error_records").passed
    assert check(pipeline, ICEBERG, "raw_quality").metadata["error records"].value == 0


def test_the_job_puts_what_it_is_told_to(pipeline: Pipeline) -> None:
    """By itself it mends nothing."""
    first = run_job(pipeline)
    assert first.success
    assert told(first)["put"] == 0
    assert told(first)["left"] == 3
    second = run_job(pipeline, coerce=True, drop=["venue"], only=["wrong_type"], mode="iceberg")
    assert {name: told(second)[name] for name in ("put", "not asked for")} == {
        "put": 1,
        "not asked for": 2,
    }
    groups = told(second)["groups"]
    assert {row.data["reason"] for row in groups} == {"wrong_type", "unknown_field", "volume_null"}


def test_a_job_that_cannot_be_is_one_line(new_pipeline: Callable[..., Pipeline]) -> None:
    run = run_job(new_pipeline(), only=["x"])
    assert not run.success
    [failed] = run.get_step_failure_events()
    assert "--only x: no record failed for that reason" in str(failed.step_failure_data.error)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"mode": "delta"}, "mode: 'delta' is none of iceberg, parquet_projection"),
        ({"since": "noon"}, "since: 'noon' is no ISO 8601 instant"),
        ({"set": ["price"]}, "--set price: give it as field=value"),
        ({"drop": ["price"]}, "--drop price: a tick needs it"),
    ],
)
def test_a_configuration_that_cannot_be_is_one_line(config: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        request_of(RedriveConfig(**config))


def told(run: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Metadata of the job's one step."""
    [event] = [event for event in run.all_events if event.is_successful_output]
    return {
        name: value.records if isinstance(value, dg.TableMetadataValue) else value.value
        for name, value in event.step_output_data.metadata.items()
    }
