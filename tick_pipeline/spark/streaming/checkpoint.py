"""The scorers' state beside Spark's own checkpoint: one file per micro-batch, the newest three kept.

A micro-batch is scored, its rows are written, then its state, and then Spark commits it.
"""

# the JVM's objects have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

_KEPT = 3
_SUFFIX = ".npz"
_SPARK_COMMITS = "commits"


class LocalStates:
    """States in a folder on a local disk."""

    def __init__(self, folder: Path) -> None:
        """Args: the folder, created where it is absent."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: int, state: bytes) -> None:
        """Keep the state after a batch, whole or not at all, in place of one of that batch."""
        temporary = self._folder / f"_{_name(batch)}"
        with temporary.open("wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / _name(batch))
        for old in _too_old(path.name for path in self._folder.iterdir()):
            (self._folder / old).unlink()

    def read(self, batch: int) -> bytes | None:
        """The state after a batch; None where there is none."""
        path = self._folder / _name(batch)
        return path.read_bytes() if path.exists() else None

    def newest(self) -> int | None:
        """The newest batch that has a state; None where there is none."""
        return max(_batches(path.name for path in self._folder.iterdir()), default=None)

    def spark_has_committed(self) -> bool:
        """Whether Spark's own part of the checkpoint has gone on with any batch."""
        commits = self._folder.parent / _SPARK_COMMITS
        return any(path.name.isdigit() for path in commits.glob("*"))


class HadoopStates:
    """States on any file system that Spark knows, as S3, where an object appears whole."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        """Args: the session, and the folder's URI."""
        session: Any = spark
        self._jvm = session._jvm  # noqa: SLF001  (the only way to a file system)
        self._folder = self._jvm.org.apache.hadoop.fs.Path(folder)
        self._files = self._folder.getFileSystem(session._jsc.hadoopConfiguration())  # noqa: SLF001
        self._files.mkdirs(self._folder)

    def write(self, batch: int, state: bytes) -> None:
        """Keep the state after a batch, in place of one of that batch."""
        output = self._files.create(self._path(_name(batch)), True)
        output.write(bytearray(state))
        output.close()
        for old in _too_old(self._names()):
            self._files.delete(self._path(old), False)

    def read(self, batch: int) -> bytes | None:
        """The state after a batch; None where there is none."""
        path = self._path(_name(batch))
        if not self._files.exists(path):
            return None
        source = self._files.open(path)
        try:
            return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(source))
        finally:
            source.close()

    def newest(self) -> int | None:
        """The newest batch that has a state; None where there is none."""
        return max(_batches(self._names()), default=None)

    def spark_has_committed(self) -> bool:
        """Whether Spark's own part of the checkpoint has gone on with any batch."""
        commits = self._jvm.org.apache.hadoop.fs.Path(self._folder.getParent(), _SPARK_COMMITS)
        return self._files.exists(commits) and len(self._files.listStatus(commits)) > 0

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._folder, name)

    def _names(self) -> list[str]:
        return [status.getPath().getName() for status in self._files.listStatus(self._folder)]


States = LocalStates | HadoopStates


def open_states(spark: SparkSession, checkpoint: str) -> States:
    """The states of a checkpoint, by its URI."""
    folder = f"{checkpoint.rstrip('/')}/scorers"
    if folder.startswith("file://"):
        return LocalStates(Path(folder.removeprefix("file://")))
    return HadoopStates(spark, folder)


def _name(batch: int) -> str:
    return f"{batch:010d}{_SUFFIX}"


def _batches(names: Iterable[str]) -> list[int]:
    return [
        int(name.removesuffix(_SUFFIX))
        for name in names
        if name.endswith(_SUFFIX) and not name.startswith(("_", "."))
    ]


def _too_old(names: Iterable[str]) -> list[str]:
    return [_name(batch) for batch in sorted(_batches(names))[:-_KEPT]]
