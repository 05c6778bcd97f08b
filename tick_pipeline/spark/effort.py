"""What Spark spent, read from its own status store (there with or without the web UI)."""

# the JVM's objects have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from tick_pipeline.spark.report import Effort

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ALL_TASKS = 100_000
_MS_PER_SECOND = 1000


def last_stage(spark: SparkSession) -> int:
    """The highest stage id so far; -1 before the first."""
    return max((stage.stageId() for stage in _stages(spark)), default=-1)


def effort_since(spark: SparkSession, stage_id: int) -> Effort:
    """What the stages after `stage_id` spent."""
    stages = [
        stage
        for stage in _stages(spark)
        if stage.stageId() > stage_id and stage.status().toString() == "COMPLETE"
    ]
    store = _store(spark)
    seconds = [
        task.duration().get() / _MS_PER_SECOND
        for stage in stages
        for task in _each(store.taskList(stage.stageId(), stage.attemptId(), _ALL_TASKS))
        if task.duration().isDefined()
    ]
    return Effort(
        tasks=len(seconds),
        task_seconds_median=round(median(seconds), 3) if seconds else 0.0,
        task_seconds_max=round(max(seconds, default=0.0), 3),
        read_seconds=sum(stage.executorRunTime() for stage in stages if stage.inputBytes() > 0)
        / _MS_PER_SECOND,
        spill_bytes=sum(stage.memoryBytesSpilled() + stage.diskBytesSpilled() for stage in stages),
        shuffle_bytes=sum(stage.shuffleWriteBytes() for stage in stages),
    )


def _store(spark: SparkSession) -> Any:
    session: Any = spark
    context = session.sparkContext._jsc.sc()  # noqa: SLF001  (the only way to the status store)
    # What has ended is in the store only once the listener bus has handled it.
    context.listenerBus().waitUntilEmpty()
    return context.statusStore()


def _stages(spark: SparkSession) -> list[Any]:
    session: Any = spark
    gateway = session.sparkContext._gateway  # noqa: SLF001
    no_quantiles = gateway.new_array(gateway.jvm.double, 0)
    no_statuses = gateway.jvm.java.util.ArrayList()
    listed = _store(spark).stageList(no_statuses, False, False, no_quantiles, no_statuses)
    return list(_each(listed))


def _each(sequence: Any) -> list[Any]:
    return [sequence.apply(index) for index in range(sequence.size())]
