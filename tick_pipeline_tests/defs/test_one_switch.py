"""Promise `one_switch`: local and aws build the same asset graph, checks, jobs, schedules and sensors."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.defs.resources import AWS, LOCAL
from tick_pipeline_tests.aws_settings import AWS_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

_START = "2026-01-01T00:00:00Z"


def _described() -> dict[str, Any]:
    """All that a user can see or start, by name."""
    repository = defs().get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "description": graph.get(key).description,
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "owners": list(graph.get(key).owners),
                "metadata": sorted(graph.get(key).metadata),
                "partitions": str(graph.get(key).partitions_def),
                "backfill": str(graph.get(key).backfill_policy),
                "pools": sorted(graph.get(key).pools or ()),
            }
            for key in graph.get_all_asset_keys()
        },
        "checks": {
            str(key): (
                graph.get(key).blocking,
                graph.get(key).description,
                sorted(map(str, graph.get(key).parent_entity_keys)),
            )
            for key in graph.asset_check_keys
        },
        "jobs": {
            job.name: (job.description, sorted(node.name for node in job.nodes))
            for job in repository.get_all_jobs()
        },
        "schedules": {
            schedule.name: (schedule.cron_schedule, schedule.job_name, schedule.default_status)
            for schedule in repository.schedule_defs
        },
        "sensors": {
            sensor.name: (
                sensor.description,
                sensor.minimum_interval_seconds,
                sensor.default_status,
            )
            for sensor in repository.sensor_defs
        },
        "resources": sorted(repository.get_top_level_resources()),
    }


@pytest.mark.parametrize("modes", ["iceberg,parquet_projection", "iceberg", "parquet_projection"])
def test_one_switch(modes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICK_PIPELINE_PARTITIONS_START", _START)
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", modes)
    local = _described()
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)
    aws = _described()
    # Kind by kind: a difference then reads as one.
    assert local.keys() == aws.keys()
    for kind, described in local.items():
        assert described, kind
        assert aws[kind] == described, kind


def test_each_deployment_has_an_adapter_for_every_port() -> None:
    assert list(LOCAL) == list(AWS)
    assert all(adapter.description for adapter in (*LOCAL.values(), *AWS.values()))


def test_loading_for_aws_calls_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code location is loaded where there may be no credentials yet, as in a build."""
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TICK_PIPELINE_AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert defs().get_repository_def().asset_graph.get_all_asset_keys()
    assert not (tmp_path / "home").exists()
