"""A sensor of notifications that looks at a real instance of Dagster, again and again."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.instigation_logger import get_instigation_log_records
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from tick_pipeline.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.resources.notifier import Notifier

KEY = "AKIAIOSFODNN7EXAMPLE"
HERE = InProcessCodeLocationOrigin(
    LoadableTargetOrigin(module_name="tick_pipeline.definitions"), location_name="tick_pipeline"
)
_NUMBERS: Iterator[int] = count()


@dataclass
class RecordedNotifier:
    """A notifier of which every message is written down, unless it refuses."""

    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    refuses: bool = False

    def notify(self, subject: str, text: str) -> None:
        """See Notifier."""
        if self.refuses:
            raise AwsError("notifying arn:aws:sns:us-east-1:1:alerts: Publish failed")
        self.told.append((subject, text))


@dataclass
class Looks:
    """A sensor that looks; `log` is what the tick of the last look shows."""

    sensor: dg.SensorDefinition
    instance: dg.DagsterInstance
    notifier: Notifier
    cursor: str | None = None
    log: list[str] = field(default_factory=list[str])

    def look(self) -> str:
        """One more look; what it says in its tick."""
        log_key = ["looks", str(next(_NUMBERS))]
        notifier = dg.ResourceDefinition.hardcoded_resource(self.notifier)
        with dg.SensorEvaluationContext(
            instance_ref=self.instance.get_ref(),
            cursor=self.cursor,
            last_tick_completion_time=None,
            last_run_key=None,
            repository_name=None,
            log_key=log_key,
            resources={"notifier": notifier},
            code_location_origin=HERE,
        ) as context:
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        assert isinstance(result.skip_reason, dg.SkipReason)
        self.cursor = result.cursor
        self.log = [line["msg"] for line in get_instigation_log_records(self.instance, log_key)]
        return result.skip_reason.skip_message or ""


@dg.op
def read() -> None:
    raise ValueError(f"no such folder\nsecret_access_key={KEY}")


@dg.job
def copies() -> None:
    """A job that fails, and quotes a credential."""
    read()
