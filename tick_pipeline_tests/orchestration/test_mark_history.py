"""What Dagster's instance tells of hours, whoever ran them."""

# parts of Dagster's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dagster as dg
import pytest

from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.landing.read_marks import Mark
from tick_pipeline.orchestration.late_ledger import Entry
from tick_pipeline.orchestration.mark_history import (
    first_mark,
    ledger_entry,
    mark_metadata,
    newest_marks,
    runs_under_way,
)
from tick_pipeline.orchestration.partitions import partition_key
from tick_pipeline.orchestration.tables import asset_key
from tick_pipeline.storage import ANOMALIES, CANDLE_TABLES, RAW, StorageMode

if TYPE_CHECKING:
    from collections.abc import Iterator

ICEBERG, PARQUET = StorageMode
ONE_MINUTE, FIVE_MINUTES = CANDLE_TABLES
HOUR_US = parse_instant("2026-01-01T10:00:00Z")
OHLC = ("ohlc_batch", HOUR_US)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def made(
    instance: dg.DagsterInstance,
    table: str,
    mark: int | None,
    *,
    hour_us: int = HOUR_US,
    raw: str = "raw",
) -> None:
    """Tell that a table of Iceberg's was made."""
    metadata = {} if mark is None else mark_metadata(Mark(raw, mark))
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key(ICEBERG, table), partition=partition_key(hour_us), metadata=metadata
        )
    )


def marks(instance: dg.DagsterInstance, *hours: tuple[str, int]) -> list[dict[str, Mark]]:
    return list(newest_marks(instance, hours or (OHLC,), StorageMode).values())


def test_an_hour_is_made_once_all_its_tables_are(instance: dg.DagsterInstance) -> None:
    """Up to the mark that the one which read least could read."""
    assert marks(instance) == [{}]
    made(instance, ONE_MINUTE, 7)
    assert marks(instance) == [{}]
    made(instance, FIVE_MINUTES, 5)
    assert marks(instance) == [{"iceberg": Mark("raw", 5)}]
    assert marks(instance, ("anomaly_batch", HOUR_US)) == [{}]
    assert marks(instance, ("ohlc_batch", HOUR_US + US_PER_HOUR)) == [{}]


def test_the_newest_run_counts_and_the_first_is_remembered(instance: dg.DagsterInstance) -> None:
    assert first_mark(instance, ICEBERG, ONE_MINUTE, HOUR_US, "raw") is None
    for mark in (3, 8, 6):
        made(instance, ANOMALIES, mark)
        made(instance, ONE_MINUTE, mark)
    made(instance, ANOMALIES, 1, hour_us=HOUR_US + US_PER_HOUR)
    both = [("anomaly_batch", HOUR_US), ("anomaly_batch", HOUR_US + US_PER_HOUR)]
    assert marks(instance, *both) == [{"iceberg": Mark("raw", 6)}, {"iceberg": Mark("raw", 1)}]
    assert first_mark(instance, ICEBERG, ONE_MINUTE, HOUR_US, "raw") == 3


def test_runs_from_a_raw_table_that_was_made_anew_since_tell_nothing_of_the_new_one(
    instance: dg.DagsterInstance,
) -> None:
    """An hour of which one table of candles was made of the old one has not been made."""
    for table in CANDLE_TABLES:
        made(instance, table, 500)
    made(instance, ONE_MINUTE, 2, raw="anew")
    assert marks(instance) == [{}]
    made(instance, FIVE_MINUTES, 3, raw="anew")
    assert marks(instance) == [{"iceberg": Mark("anew", 2)}]
    assert first_mark(instance, ICEBERG, ONE_MINUTE, HOUR_US, "anew") == 2


def test_a_run_that_tells_no_mark_may_have_read_nothing(instance: dg.DagsterInstance) -> None:
    """As one of a release before, or one that read the other mode's raw."""
    made(instance, ANOMALIES, 3)
    made(instance, ANOMALIES, None)
    assert marks(instance, ("anomaly_batch", HOUR_US)) == [{}]


@pytest.mark.parametrize(
    "tags",
    [
        {"dagster/partition": "2026-01-01-10:00"},
        {
            "dagster/asset_partition_range_start": "2026-01-01-08:00",
            "dagster/asset_partition_range_end": "2026-01-01-10:00",
        },
    ],
    ids=["of one hour", "of several"],
)
def test_runs_under_way(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    """Those that have not begun, too; not those that ended, of other hours, or of other jobs."""
    for job, status in (
        ("ohlc_batch", dg.DagsterRunStatus.NOT_STARTED),
        ("anomaly_batch", dg.DagsterRunStatus.SUCCESS),
        ("redrive_errors", dg.DagsterRunStatus.STARTED),
    ):
        instance.add_run(dg.DagsterRun(job_name=job, run_id=str(uuid4()), status=status, tags=tags))
    asked = [OHLC, ("ohlc_batch", HOUR_US + US_PER_HOUR), ("anomaly_batch", HOUR_US)]
    assert runs_under_way(instance, asked) == {OHLC}
    assert runs_under_way(instance, []) == set()


def test_a_backfill_that_is_under_way_makes_tables_too(instance: dg.DagsterInstance) -> None:
    """And what somebody materializes in the web interface."""
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        run_id=str(uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": partition_key(HOUR_US)},
        asset_selection=frozenset({asset_key(ICEBERG, RAW), asset_key(ICEBERG, ONE_MINUTE)}),
    )
    instance.add_run(run)
    assert runs_under_way(instance, [OHLC, ("anomaly_batch", HOUR_US)]) == {OHLC}


def test_an_entry_is_the_newest_of_the_ledgers_observations(instance: dg.DagsterInstance) -> None:
    """Others may observe raw, too."""
    assert ledger_entry(instance, ICEBERG, HOUR_US, "raw") == Entry(raw_table="raw")
    newest = Entry(late=3, p50_seconds=61.5, raw_table="raw")
    for entry in (Entry(late=1, raw_table="raw"), newest):
        observe(instance, entry.to_metadata())
    observe(instance, {"rows": 7})
    assert ledger_entry(instance, ICEBERG, HOUR_US, "raw") == newest
    assert ledger_entry(instance, ICEBERG, HOUR_US, "anew") == Entry(raw_table="anew")
    assert ledger_entry(instance, PARQUET, HOUR_US, "raw") == Entry(raw_table="raw")


def observe(instance: dg.DagsterInstance, metadata: dict[str, Any]) -> None:
    instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key(ICEBERG, RAW), partition=partition_key(HOUR_US), metadata=metadata
        )
    )
