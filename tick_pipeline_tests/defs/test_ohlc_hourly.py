"""What the schedule asks for, over a real HOME and a real instance."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg
import pytest

from tick_pipeline.defs.operations.automation import ohlc_hourly_schedule
from tick_pipeline.errors import AwsError
from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    as_datetime,
    hour_floor,
    now_us,
)
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.defs.landed import Landed
from tick_pipeline_tests.defs.looks import RecordedNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.settings import Settings

HOUR_US = hour_floor(now_us()) - 3 * US_PER_HOUR


@pytest.fixture
def landed(settings: Settings) -> Iterator[Landed]:
    """A HOME with one tick, which landed in time, of the hour that the schedule is about."""
    deployment = open_deployment(settings)
    with open_instance(deployment.home, settings) as instance:
        made = Landed(settings, deployment, instance, RecordedNotifier())
        made.land(HOUR_US, late_seconds=0)
        yield made


class SilentLanding:
    """A landing that does not answer."""

    def positions(self) -> Any:
        """See Landing."""
        raise AwsError("CloudWatch did not answer")


def tick_of(landed: Landed, hour_us: int = HOUR_US, **ports: Any) -> str | None:
    """A quarter past the hour's end: the partition that is asked for, or why none is."""
    deployment = landed.deployment
    resources = {"landed_files": deployment.landed_files(), "landing": deployment.landing()}
    with dg.build_schedule_context(
        landed.instance,
        scheduled_execution_time=as_datetime(hour_us + US_PER_HOUR + 15 * US_PER_MINUTE),
        resources=resources | ports,
    ) as context:
        found = ohlc_hourly_schedule(landed.settings)(context)
    if isinstance(found, dg.SkipReason):
        return found.skip_message
    assert isinstance(found, dg.RunRequest)
    assert found.run_key == found.partition_key
    return found.partition_key


def start(landed: Landed, **tags: str) -> None:
    """A run of the hour that is under way."""
    tags |= {"dagster/partition": partition_key(HOUR_US)}
    status = dg.DagsterRunStatus.STARTED
    landed.instance.add_run(dg.DagsterRun("ohlc_batch", str(uuid4()), status=status, tags=tags))


def test_the_hour_before_the_current_one_is_asked_for(landed: Landed) -> None:
    assert tick_of(landed) == partition_key(HOUR_US)


def test_an_hour_that_was_made_of_all_that_has_landed_is_not_made_again(landed: Landed) -> None:
    """As `landed_hours`, or a person, did a few minutes before; until something lands in it."""
    landed.aggregate(HOUR_US)
    skipped = f"{partition_key(HOUR_US)}: its candles were made of all that has landed, in every storage mode"
    assert tick_of(landed) == skipped
    landed.land(HOUR_US + US_PER_HOUR, late_seconds=0)
    assert tick_of(landed) == skipped
    landed.land(HOUR_US, late_seconds=7200)
    assert tick_of(landed) == partition_key(HOUR_US)


def test_an_hour_whose_raw_was_made_anew_is_asked_for(landed: Landed) -> None:
    """Its newest run read the old table by a mark that the new one has, too."""
    landed.aggregate(HOUR_US)
    landed.make_raw_anew()
    landed.land(HOUR_US + US_PER_HOUR, late_seconds=0)
    assert tick_of(landed) == partition_key(HOUR_US)


@pytest.mark.parametrize("mode", StorageMode, ids=str)
def test_an_hour_that_one_mode_lacks_is_asked_for(landed: Landed, mode: StorageMode) -> None:
    landed.aggregate(HOUR_US, mode)
    assert tick_of(landed) == partition_key(HOUR_US)


def test_an_hour_that_is_open_is_asked_for(landed: Landed) -> None:
    """Where nobody delivers, the run does."""
    open_us = hour_floor(now_us())
    landed.aggregate(open_us)
    assert tick_of(landed, open_us) == partition_key(open_us)


def test_an_hour_that_landed_hours_has_asked_for_is_left_to_its_run(landed: Landed) -> None:
    """A run by hand may have begun before the hour closed."""
    start(landed)
    assert tick_of(landed) == partition_key(HOUR_US)
    start(landed, **{"dagster/sensor_name": "landed_hours"})
    assert tick_of(landed) == (
        f"{partition_key(HOUR_US)}: the run that landed_hours asked for is queued or under way"
    )


def test_an_hour_is_asked_for_where_nobody_can_tell(landed: Landed) -> None:
    """A run too many changes nothing; an hour that nobody makes is missing."""
    landed.aggregate(HOUR_US)
    assert tick_of(landed, landing=SilentLanding()) == partition_key(HOUR_US)


def test_an_hour_before_the_partitions_is_not_asked_for(landed: Landed) -> None:
    before_us = landed.deployment.home.partitions_start_us - US_PER_HOUR
    assert "before the first partition" in (tick_of(landed, before_us) or "")
