"""Real runs that fail, and real checks, are told by the sensors that look at Dagster's instance."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin

from tick_pipeline.defs.operations.notifications import failed_check_notifier, run_failure_notifier
from tick_pipeline.errors import LandingError
from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.orchestration.failures import permanent_failures
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.local_runs import run_job
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.notifier import LogNotifier
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline_tests.defs.looks import HERE, KEY, Looks, RecordedNotifier, copies

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_HOUR_US = parse_instant("2026-05-28T10:00:00Z")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Generator[dg.DagsterInstance]:
    """That of a HOME, as the product configures it; who begins to look does not see what was."""
    settings = load_settings(home=tmp_path_factory.mktemp("told") / "home", _env_file=None)
    with open_instance(open_home(settings), settings) as opened:
        yield opened


@pytest.fixture
def notifier() -> RecordedNotifier:
    return RecordedNotifier()


@pytest.fixture
def of_runs(settings: Settings, instance: dg.DagsterInstance, notifier: RecordedNotifier) -> Looks:
    """Begins to look for runs that fail."""
    named = settings.model_copy(update={"dagster_url": "http://127.0.0.1:3000"})
    looks = Looks(run_failure_notifier(named), instance, notifier)
    assert looks.look().startswith("begins")
    return looks


@pytest.fixture
def of_checks(
    settings: Settings, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> Looks:
    """Begins to look for checks that fail."""
    looks = Looks(failed_check_notifier(settings), instance, notifier)
    assert looks.look().startswith("begins")
    return looks


def materialize(
    instance: dg.DagsterInstance, *, passed: bool, severity: str = "ERROR", hour: str = "10"
) -> None:
    """An asset's run, with a check that passes or not."""

    @dg.asset(
        name="raw", partitions_def=dg.StaticPartitionsDefinition(["10", "11"]), key_prefix="iceberg"
    )
    def raw() -> None:
        pass

    @dg.asset_check(asset=raw, name="schema_drift")
    def check() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=passed,
            severity=dg.AssetCheckSeverity(severity),
            description=None if passed else f"column {KEY}\nis odd",
        )

    dg.materialize([raw, check], instance=instance, partition_key=hour)


def test_a_failed_job_of_ours_is_told_with_its_error_and_hours(
    of_runs: Looks,
    instance: dg.DagsterInstance,
    notifier: RecordedNotifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A HOME that is a file: no step can begin."""
    broken = tmp_path / "broken"
    broken.write_text("no folder")
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(broken))
    monkeypatch.setenv("TICK_PIPELINE_PARTITIONS_START", "2026-05-01T00:00:00Z")
    run = run_job(instance, "ohlc_batch", Window(_HOUR_US, _HOUR_US + 2 * US_PER_HOUR))
    assert of_runs.look().startswith("told: ohlc_batch failed: ")
    ((subject, text),) = notifier.told
    assert str(broken) in subject
    assert "step: none: the run itself failed" in text
    assert "partitions: 2026-05-28-10:00 .. 2026-05-28-11:00\n" in text
    assert f"run: {run.run_id}  http://127.0.0.1:3000/runs/{run.run_id}\n" in text
    assert of_runs.look() == "nothing to tell"


def test_three_failures_are_one_message_without_the_credential_that_they_quote(
    of_runs: Looks, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> None:
    for _ in range(3):
        copies.execute_in_process(instance=instance, raise_on_error=False)
    of_runs.look()
    ((subject, text),) = notifier.told
    assert subject == "copies failed 3 times: ValueError: no such folder secret_access_key=***"
    assert "  step: read\n  partitions: none\n" in text
    assert KEY not in text


def test_a_failure_of_ours_is_told_by_its_one_line(
    of_runs: Looks, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> None:
    """Without the names of the classes that carried it."""

    @dg.op
    def land() -> None:
        with permanent_failures():
            raise LandingError("the disk of /data is full; free some of it")

    @dg.job
    def lands() -> None:
        land()

    lands.execute_in_process(instance=instance, raise_on_error=False)
    of_runs.look()
    ((subject, _),) = notifier.told
    assert subject == "lands failed: the disk of /data is full; free some of it"


def test_what_ended_before_the_first_look_is_not_told(
    of_runs: Looks, of_checks: Looks, instance: dg.DagsterInstance
) -> None:
    copies.execute_in_process(instance=instance, raise_on_error=False)
    materialize(instance, passed=False)
    for looks in (of_runs, of_checks):
        looks.cursor = None
        assert looks.look().startswith("begins")
        assert looks.look() == "nothing to tell"


def test_a_refused_message_is_told_by_a_later_look_with_what_came_since(
    of_runs: Looks, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> None:
    notifier.refuses = True
    for _ in range(2):
        copies.execute_in_process(instance=instance, raise_on_error=False)
        assert of_runs.look().startswith("not told, so tried again at the next look: notifying arn")
    notifier.refuses = False
    of_runs.look()
    ((subject, _),) = notifier.told
    assert subject.startswith("copies failed 2 times: ")
    assert of_runs.look() == "nothing to tell"


def lose(instance: dg.DagsterInstance, *, location: str | None, **tags: str) -> None:
    """A run whose process is lost; of a code location, or started by none."""
    origin = None
    if location is not None:
        place = InProcessCodeLocationOrigin(HERE.loadable_target_origin, location_name=location)
        origin = RemoteRepositoryOrigin(place, "__repository__").get_job_origin("copies")
    run = instance.create_run_for_job(
        copies,
        tags={f"dagster/{name}": text for name, text in tags.items()},
        remote_job_origin=origin,
    )
    instance.report_run_failed(run, "the run's process was lost")


def test_a_run_that_failed_outside_its_steps_is_told_with_dagsters_reason(
    of_runs: Looks, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> None:
    lose(instance, location=HERE.location_name, max_retries="0")
    of_runs.look()
    ((subject, text),) = notifier.told
    assert subject == "copies failed: the run's process was lost"
    assert "step: none" in text


def test_a_run_that_dagster_starts_again_is_not_told(
    of_runs: Looks, instance: dg.DagsterInstance
) -> None:
    """Its last try is, if that fails, too; a run outside the code location is not tried again."""
    lose(instance, location=HERE.location_name)
    assert of_runs.look() == "nothing to tell"
    lose(instance, location=None)
    assert of_runs.look().startswith("told: copies failed")


def test_a_run_of_another_code_location_is_not_ours_to_tell(
    of_runs: Looks, instance: dg.DagsterInstance
) -> None:
    lose(instance, location="another_project", max_retries="0")
    assert of_runs.look() == "nothing to tell"


def test_a_failed_check_is_told_once_and_once_that_it_recovered(
    of_checks: Looks, instance: dg.DagsterInstance, notifier: RecordedNotifier
) -> None:
    materialize(instance, passed=False)
    materialize(instance, passed=True, hour="11")
    of_checks.look()
    materialize(instance, passed=False)
    assert of_checks.look() == "nothing to tell"
    materialize(instance, passed=True)
    of_checks.look()
    (failed, recovered) = notifier.told
    assert failed[0] == "schema_drift of iceberg/raw fails"
    assert "  10: column *** is odd\n" in failed[1]
    assert recovered[0] == "schema_drift of iceberg/raw recovered"


def test_a_warning_is_not_told(of_checks: Looks, instance: dg.DagsterInstance) -> None:
    materialize(instance, passed=False, severity="WARN")
    assert of_checks.look() == "nothing to tell"


def test_the_log_of_the_tick_and_of_the_process_have_the_message(
    of_runs: Looks, instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    of_runs.notifier = LogNotifier()
    copies.execute_in_process(instance=instance, raise_on_error=False)
    with caplog.at_level(logging.WARNING, "tick_pipeline.notifications"):
        of_runs.look()
    [shown] = of_runs.log
    assert shown.startswith("copies failed: ValueError: no such folder")
    assert "next: `tick-pipeline doctor`" in shown
    assert shown in [record.getMessage() for record in caplog.records if "tick" in record.name]
    assert KEY not in shown


def test_settings_name_the_page_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICK_PIPELINE_DAGSTER_URL", "https://dagster.example.org/prod")
    assert load_settings().dagster_url == "https://dagster.example.org/prod"


@pytest.mark.parametrize("running", [True, False])
def test_both_run_by_themselves_where_automation_does(settings: Settings, *, running: bool) -> None:
    named = settings.model_copy(update={"automation_running": running})
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
    for sensor in (run_failure_notifier(named), failed_check_notifier(named)):
        assert sensor.default_status is status
