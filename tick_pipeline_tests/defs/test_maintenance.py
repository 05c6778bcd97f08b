"""The job `table_maintenance`: what it tells each table's asset, and what it refuses."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.defs.operations.maintenance import MaintenanceConfig, request_of
from tick_pipeline.errors import InputError
from tick_pipeline.event_time import US_PER_SECOND, now_us
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.resources.maintenance import LakeMaintenance
from tick_pipeline.storage import TABLES
from tick_pipeline_tests.resources.maintained import ICEBERG, MODES, SmallFiles, small_files

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.resources.maintenance_port import TableUpkeep, Tell, UpkeepRequest
    from tick_pipeline.settings import Settings


@pytest.fixture
def small(home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> SmallFiles:
    """An hour with five files."""
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(settings.home))
    made = small_files(home, settings)
    made.land(5, hours=1)
    return made


def test_the_job_tells_each_table_its_figures_before_and_after(small: SmallFiles) -> None:
    before = [small.ticks_hash(mode) for mode in MODES]
    job = defs().resolve_job_def("table_maintenance")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
        for mode in MODES:
            for table in TABLES:
                [told] = instance.fetch_observations(asset_key(mode, table), limit=2).records
                assert told.asset_observation is not None
                metadata: dict[str, Any] = dict(told.asset_observation.metadata)
                assert metadata["merged files"].value == (5 if table == "raw" else 0)
            [raw] = instance.fetch_observations(asset_key(mode, "raw"), limit=1).records
            assert raw.asset_observation is not None
            table_of_figures = str(raw.asset_observation.metadata["before and after"].value)
            assert "| files | 5 | 1 |" in table_of_figures
            # No landing, and no computation: nothing that follows is stale by it.
            assert not instance.fetch_materializations(asset_key(mode, "raw"), limit=1).records
    assert [small.ticks_hash(mode) for mode in MODES] == before


def test_a_run_that_fails_at_one_table_has_told_the_others(small: SmallFiles) -> None:
    broken = next(small.home.warehouse.glob("iceberg/raw/data/*/*.parquet"))
    broken.write_bytes(b"")
    job = defs().resolve_job_def("table_maintenance")
    with dg.DagsterInstance.ephemeral() as instance:
        ended = job.execute_in_process(instance=instance, raise_on_error=False)
        assert [event.step_key for event in ended.get_step_failure_events()] == [
            f"look_after_{ICEBERG}"
        ]
        told = {
            (mode, table): len(instance.fetch_observations(asset_key(mode, table), limit=2).records)
            for mode in MODES
            for table in TABLES
        }
    assert told == {name: 0 if name == (ICEBERG, "raw") else 1 for name in told}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "given",
    [{"tables": ["ticks"]}, {"start": "soon"}, {"start": "2026-02-01", "end": "2026-01-01"}],
)
def test_what_the_job_cannot_be_asked_for_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        request_of(ICEBERG, MaintenanceConfig(**given), at_us=None)


@pytest.mark.usefixtures("small")
def test_both_modes_of_a_run_drop_the_same_hours_whenever_their_steps_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[UpkeepRequest] = []

    def run(_: LakeMaintenance, request: UpkeepRequest, tell: Tell) -> list[TableUpkeep]:
        del tell
        asked.append(request)
        return []

    monkeypatch.setattr(LakeMaintenance, "run", run)
    began_us = now_us()
    job = defs().resolve_job_def("table_maintenance")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    one, other = asked
    assert {*one.storage_modes, *other.storage_modes} == set(MODES)
    assert one.at_us == other.at_us
    assert one.at_us is not None
    assert one.at_us >= began_us - US_PER_SECOND


@pytest.mark.usefixtures("small")
def test_the_job_keeps_what_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_RETAIN_HOURS", "48")
    request = request_of(
        ICEBERG, MaintenanceConfig(tables=[], start="", end="2026-01-01", dry_run=True), at_us=7
    )
    assert (request.retain_hours, request.dry_run, request.start_us) == (48, True, None)
    assert request.at_us == 7
    assert request.tables == TABLES
    assert request.end_us
