"""A process with one Spark session on the twin, in which tests of this package run functions of theirs.

A JVM has one class path, and the one of this process's tests may hold another Spark already.
"""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class SparkWorker:
    """The process."""

    pool: ProcessPoolExecutor

    def run(
        self,
        work: Callable[_Parameters, _Result],
        *arguments: _Parameters.args,
        **named: _Parameters.kwargs,
    ) -> _Result:
        """Call a function of a module there; what it raises is raised here."""
        return self.pool.submit(work, *arguments, **named).result()


@contextmanager
def run_worker(environment: Mapping[str, str], folder: Path) -> Generator[SparkWorker]:
    """A worker, for as long as the block runs.

    Args:
        environment: all of its variables.
        folder: its directory.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, mp_context=context, initializer=_move_in, initargs=(dict(environment), folder)
    ) as pool:
        worker = SparkWorker(pool)
        yield worker
        worker.run(_close)


def session() -> Any:
    """The worker's session, made by the first who asks."""
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def _move_in(environment: dict[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)


def _close() -> None:
    from pyspark import SparkContext

    context: Any = SparkContext
    if context._active_spark_context is None:
        return
    gateway = context._gateway
    context._active_spark_context.stop()
    # The JVM ends with its standard input.
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)
