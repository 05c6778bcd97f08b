"""The scorers' state beside Spark's own checkpoint: one file per micro-batch, the newest three kept.

A micro-batch is scored, its rows are written, then its state, and then Spark commits it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.spark.folders import open_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

    from tick_pipeline.spark.folders import Folder

_KEPT = 3
_SUFFIX = ".npz"
_SCORERS = "scorers"
_SPARK_COMMITS = "commits"


class States:
    """States in the folder of a checkpoint, on a local disk or in S3."""

    def __init__(self, checkpoint: Folder) -> None:
        """Args: Spark's own checkpoint, which need not be there yet."""
        self._checkpoint = checkpoint

    def write(self, batch: int, state: bytes) -> None:
        """Keep the state after a batch, whole or not at all, in place of one of that batch."""
        self._checkpoint.write(_path(batch), state)
        for old in self._batches()[:-_KEPT]:
            self._checkpoint.delete(_path(old))

    def read(self, batch: int) -> bytes | None:
        """The state after a batch; None where there is none."""
        return self._checkpoint.read(_path(batch))

    def newest(self) -> int | None:
        """The newest batch that has a state; None where there is none."""
        return max(self._batches(), default=None)

    def spark_has_committed(self) -> bool:
        """Whether Spark's own part of the checkpoint has gone on with any batch."""
        return any(name.isdigit() for name in self._checkpoint.files(_SPARK_COMMITS))

    def _batches(self) -> list[int]:
        return _numbers(self._checkpoint.files(_SCORERS))


def open_states(spark: SparkSession, checkpoint: str) -> States:
    """The states of a checkpoint, by its URI."""
    return States(open_folder(checkpoint, spark))


def _path(batch: int) -> str:
    return f"{_SCORERS}/{batch:010d}{_SUFFIX}"


def _numbers(names: Iterable[str]) -> list[int]:
    return sorted(int(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX))
