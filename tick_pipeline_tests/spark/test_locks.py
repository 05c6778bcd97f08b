"""The lock that the batch and the streaming job share."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import BusyError
from tick_pipeline.spark.locks import table_lock

if TYPE_CHECKING:
    from pathlib import Path

NAME = "iceberg-anomalies"


def test_a_table_has_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        table_lock(tmp_path, NAME),
        pytest.raises(BusyError, match=r"the writing of iceberg\.anomalies"),
        table_lock(tmp_path, NAME, wait_seconds=0.1),
    ):
        pass
    with table_lock(tmp_path, NAME), table_lock(tmp_path, "parquet_projection-anomalies"):
        pass


def test_a_process_started_meanwhile_does_not_keep_the_lock(tmp_path: Path) -> None:
    """Spark starts its workers while the job holds the table."""
    with table_lock(tmp_path, NAME):
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with table_lock(tmp_path, NAME, wait_seconds=0):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


def test_where_no_folder_is_nothing_is_locked() -> None:
    """On Glue, one run at a time is what a pool is for."""
    with table_lock(None, NAME), table_lock(None, NAME, wait_seconds=0):
        pass
