"""Which failures a run tries again."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import dagster as dg
import pytest

from tick_pipeline.errors import BusyError, LandingError, SparkJobError
from tick_pipeline.orchestration import failures
from tick_pipeline.orchestration.failures import permanent_failures


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_RETRY_SECONDS", 0)


def test_a_lock_that_another_process_holds_is_tried_again() -> None:
    assert _tries(BusyError("another process holds it")) == 3


@pytest.mark.parametrize("error", [LandingError("no space"), SparkJobError("code 1")])
def test_what_would_fail_again_is_not(error: Exception) -> None:
    assert _tries(error) == 1


def test_a_job_that_failed_shows_the_end_of_its_log() -> None:
    with pytest.raises(dg.Failure) as raised, permanent_failures():
        raise SparkJobError("the job ended with code 1", log_tail="ValueError: no such column")
    assert raised.value.description == "the job ended with code 1"
    assert "no such column" in str(raised.value.metadata["log"].value)


def test_a_job_that_failed_shows_where_its_run_is() -> None:
    facts = {"Spark run": "jr_1", "Spark run's page": "https://console", "DPU-seconds": 3.5}
    with pytest.raises(dg.Failure) as raised, permanent_failures():
        raise SparkJobError("the run failed", run=facts)
    assert raised.value.metadata["Spark run's page"] == dg.MetadataValue.url("https://console")
    assert raised.value.metadata["DPU-seconds"].value == 3.5


def test_an_error_that_is_not_ours_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), permanent_failures():
        _ = 1 / 0


def _tries(error: Exception) -> int:
    """How often an op runs that always fails so."""
    tries: list[int] = []

    @dg.op
    def failing() -> None:
        tries.append(1)
        with permanent_failures():
            raise error

    @dg.job
    def job() -> None:
        failing()

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert not job.execute_in_process(raise_on_error=False, run_config=quiet).success
    return len(tries)
