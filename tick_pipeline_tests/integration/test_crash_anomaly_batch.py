"""Promise `crash_loses_nothing`, of `anomalies run`: whichever of its processes is killed, whenever."""

# pandas and pyarrow have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.zscore import anomaly_schema
from tick_pipeline.storage import ANOMALIES, StorageMode, iceberg_identifier
from tick_pipeline_tests.integration.pipeline import MODES
from tick_pipeline_tests.integration.processes import Victim, kill_batch_run
from tick_pipeline_tests.integration.trades import DAY, END, START, write_trades
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.spark

COMMAND = ["anomalies", "run", "--start", START, "--end", END]
HOURS = ("08", "09", "10")
RULES = ScoringRules(metrics=("price", "volume"), threshold=3.0, min_samples=4)
VARIABLES = {
    "ANOMALY_METRICS": "price,volume",
    "ANOMALY_THRESHOLD": "3",
    "ANOMALY_MIN_SAMPLES": "4",
}


@dataclass
class Lake:
    """A HOME whose raw tables grow, and what its anomalies must be."""

    pipeline: Pipeline
    folder: Path
    tapes: list[Path] = field(default_factory=list["Path"])

    def grow(self) -> None:
        """Land trades that change the anomalies of every hour."""
        number = len(self.tapes)
        rows = [
            (
                f"{DAY}T{hour}:{minute:02d}:{second:02d}.{100_000 + number}Z",
                symbol,
                f"{100 + (minute * 7 + second + number) % 5}",
                f"{500 + number}" if minute % 20 == 15 and second == 0 else "3",
            )
            for hour in HOURS
            for symbol in ("AAA", "BBB")
            for minute in range(60)
            for second in ((0, 20, 40) if number == 0 else (number % 60,))
        ]
        self.tapes.append(write_trades(self.folder / f"{number}.csv", rows))
        self.pipeline.json("replay", str(self.tapes[-1]))
        self.pipeline.json("deliver")

    def expected(self) -> Any:
        """Every score of everything that has landed."""
        rows = self.pipeline.json(
            "query",
            "select symbol, event_us, sequence, event_id, price, volume from parquet_projection.ticks",
        )
        return recompute(pd.DataFrame(rows), RULES)

    def stored(self) -> dict[StorageMode, pa.Table]:
        """The anomalies of every table, which must be readable."""
        catalog = open_catalog(self.pipeline.home)
        iceberg = catalog.load_table(iceberg_identifier(ANOMALIES)).scan().to_arrow()
        files = self.pipeline.files(StorageMode.PARQUET_PROJECTION, ANOMALIES)
        parquet = [pq.ParquetFile(path).read() for path in files]
        schema = anomaly_schema()
        return {
            StorageMode.ICEBERG: iceberg.cast(schema),
            StorageMode.PARQUET_PROJECTION: pa.concat_tables(
                [schema.empty_table(), *(table.cast(schema) for table in parquet)]
            ),
        }


@pytest.fixture
def lake(new_pipeline: Callable[..., Pipeline], tmp_path: Path) -> Lake:
    return Lake(new_pipeline(**VARIABLES), tmp_path)


def test_crash_loses_nothing_when_anomalies_run_is_killed(lake: Lake) -> None:
    """Three kills at random moments: the caller's, the job's and the JVM's."""
    _kill_runs(lake, list(Victim))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_crash_loses_nothing_when_anomalies_run_is_killed_many_times(lake: Lake) -> None:
    _kill_runs(lake, [victim for _ in range(6) for victim in Victim])


def _kill_runs(lake: Lake, victims: list[Victim]) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201  (pytest shows it when the test fails)
    chance = random.Random(seed)
    interrupted = 0
    lake.grow()
    for victim in victims:
        old = lake.stored()
        lake.grow()
        hit = kill_batch_run(lake.pipeline, COMMAND, [ANOMALIES], victim, chance)
        interrupted += hit
        new = lake.expected()
        for mode, found in lake.stored().items():
            _assert_old_or_new(found, old[mode] if hit else None, new)
    assert interrupted > len(victims) / 2, "too few kills hit a run at work"
    lake.pipeline.json("anomalies", "run", "--start", START, "--end", END)
    for found in lake.stored().values():
        assert found.num_rows > 10
        assert_equal(found, lake.expected(), RULES)
    assert not list(lake.pipeline.home.rglob("_staging"))


def _assert_old_or_new(found: pa.Table, old: pa.Table | None, new: Any) -> None:
    """Each hour is that of before the run, if it may be, or that of after it, whole."""
    for hour in sorted(set((new["event_us"] // US_PER_HOUR).tolist())):
        has = _of_hour(found, hour)
        if old is not None and has == _of_hour(old, hour):
            continue
        table = pa.Table.from_pylist(has, anomaly_schema())
        assert_equal(table, new[new["event_us"] // US_PER_HOUR == hour], RULES)


def _of_hour(rows: pa.Table, hour: int) -> list[dict[str, Any]]:
    found = [row for row in rows.to_pylist() if row["event_us"] // US_PER_HOUR == hour]
    return sorted(found, key=lambda row: (row["event_id"], row["metric"]))


def test_both_modes_hold_what_is_killed(lake: Lake) -> None:
    """Else the tests above could pass over tables that are never written."""
    lake.grow()
    lake.pipeline.json("anomalies", "run", "--start", START, "--end", END)
    before = lake.stored()
    lake.grow()
    lake.pipeline.json("anomalies", "run", "--start", START, "--end", END)
    after = lake.stored()
    for mode in MODES:
        for hour in HOURS:
            start_us = int(pd.Timestamp(f"{DAY}T{hour}:00:00Z").value // 1000)
            was, now = (_of_hour(table[mode], start_us // US_PER_HOUR) for table in (before, after))
            assert was
            assert now
            assert was != now
