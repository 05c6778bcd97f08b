"""A query of Athena that is cancelled, lost, or left by its caller is told, and does not go on running."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from tick_pipeline.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tick_pipeline_tests.twin.athena_lake import AthenaLake


TEXT = "select count(*) as n from iceberg.raw"


@pytest.fixture
def interruption() -> Iterator[Callable[[type[BaseException]], None]]:
    """Lets SIGUSR1 raise an exception in this thread, as Ctrl-C and Dagster's termination do."""
    before = signal.getsignal(signal.SIGUSR1)

    def arm(kind: type[BaseException]) -> None:
        def interrupt(*_: object) -> None:
            raise kind

        signal.signal(signal.SIGUSR1, interrupt)

    yield arm
    signal.signal(signal.SIGUSR1, before)


def states(lake: AthenaLake) -> list[str]:
    return [query.state for query in lake.athena.executions]


def await_running(lake: AthenaLake) -> None:
    while "RUNNING" not in states(lake):
        time.sleep(0.01)


def test_a_query_that_somebody_cancelled_is_told(lake: AthenaLake) -> None:
    lake.athena.slow_seconds = 60

    def cancel() -> None:
        await_running(lake)
        query_id = lake.athena.executions[0].id
        lake.twin.client("athena").stop_query_execution(QueryExecutionId=query_id)

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(AwsError, match="was cancelled") as error:
        lake.engine().run(TEXT)
    thread.join()
    assert error.value.code == "QueryCancelled"


def test_a_lost_query_is_told_and_can_be_run_again(lake: AthenaLake) -> None:
    lake.athena.lose("raw")
    with pytest.raises(AwsError, match=r"Athena knows it no more .* run it again") as error:
        lake.engine().run(TEXT)
    assert error.value.code == "QueryLost"
    assert "\n" not in str(error.value)


def test_a_query_that_never_ends_is_given_up_and_stopped(lake: AthenaLake) -> None:
    lake.athena.slow_seconds = 60
    with pytest.raises(
        AwsError, match=r"still RUNNING after 0\.3 s, given up and stopped"
    ) as error:
        lake.engine(timeout_seconds=0.3).run(TEXT)
    assert error.value.code == "Timeout"
    assert states(lake) == ["CANCELLED"]


def test_a_stop_that_fails_hides_nothing(
    lake: AthenaLake, caplog: pytest.LogCaptureFixture
) -> None:
    lake.athena.slow_seconds = 60
    lake.twin.gateway.fail("StopQueryExecution", "AccessDeniedException", message="no")
    with (
        caplog.at_level(logging.WARNING, "tick_pipeline"),
        pytest.raises(AwsError, match="given up"),
    ):
        lake.engine(timeout_seconds=0.3).run(TEXT)
    assert "stop it in Athena's console" in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, DagsterExecutionInterruptedError])
def test_a_caller_that_is_interrupted_stops_its_query(
    lake: AthenaLake,
    interruption: Callable[[type[BaseException]], None],
    kind: type[BaseException],
) -> None:
    lake.athena.slow_seconds = 60
    interruption(kind)
    thread = threading.Thread(
        target=lambda: (await_running(lake), os.kill(os.getpid(), signal.SIGUSR1))
    )
    thread.start()
    with pytest.raises(kind):
        lake.engine().run(TEXT)
    thread.join()
    assert states(lake) == ["CANCELLED"]


def test_a_query_whose_start_was_interrupted_is_stopped_too(
    lake: AthenaLake, interruption: Callable[[type[BaseException]], None]
) -> None:
    """Its id is not known yet: the token tells it."""
    lake.athena.slow_seconds = 60
    interruption(KeyboardInterrupt)
    asked: list[str] = []

    def interrupt(request: str) -> bool:
        asked.append(request)
        if len(asked) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.5)
        return False

    lake.twin.gateway.fail("StartQueryExecution", "never", when=interrupt)
    with pytest.raises(KeyboardInterrupt):
        lake.engine().run(TEXT)
    assert states(lake) == ["CANCELLED"]
    assert len(asked) == 2
