"""Both tables of anomalies take each key once, whoever else writes them."""

# pyspark's, pyarrow's and pyiceberg's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false, reportPrivateUsage=false
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.iceberg import open_catalog, warehouse_uri
from tick_pipeline.resources.table_schema import schema_drift
from tick_pipeline.spark.streaming.sinks import (
    HOUR_FILE,
    AnomalySink,
    IcebergSink,
    ParquetSink,
)
from tick_pipeline.spark.tables import ANOMALIES as LAYOUT
from tick_pipeline.spark.tables import Target, overwrite_hours
from tick_pipeline.spark.zscore import anomaly_schema
from tick_pipeline.storage import (
    ANOMALIES,
    CATALOG,
    StorageMode,
    hour_partition,
    iceberg_identifier,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.lake import Lake

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("stream_lake")]

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
both_modes = pytest.mark.parametrize("mode", list(StorageMode), ids=str)


def sink_of(lake: Lake, mode: StorageMode) -> AnomalySink:
    """A sink as a new process makes it."""
    if mode is ICEBERG:
        return IcebergSink(lake.spark, CATALOG, lake.home.locks)
    return ParquetSink(warehouse_uri(lake.home.path), lake.home.locks)


def anomaly(event_us: int, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A row; `changes` replace its fields."""
    return {
        "event_id": f"S:{number}",
        "symbol": "S",
        "event_us": event_us,
        "event_at": event_us,
        "metric": "return",
        "value": 0.1 + number,
        "mean": 1e-300,
        "stddev": 1 / 3,
        "zscore": -5.5,
        "sample_count": 30 + number,
        "window_minutes": 10,
        "threshold": 5.0,
        **changes,
    }


def table(*rows: dict[str, Any]) -> pa.Table:
    """Rows as the kernel gives them."""
    return pa.Table.from_pylist(list(rows), anomaly_schema())


def numbered(hour_us: int, *numbers: int) -> pa.Table:
    """Rows of an hour, one a second."""
    return table(*(anomaly(hour_us + number * 1_000_000, number) for number in numbers))


def snapshots(lake: Lake) -> list[Any]:
    """Of the Iceberg table, oldest first."""
    return open_catalog(lake.home.path).load_table(iceberg_identifier(ANOMALIES)).snapshots()


def hour_folder(lake: Lake, hour_us: int) -> Path:
    """Of the Parquet table."""
    return lake.folder(ANOMALIES) / hour_partition(hour_us)


def write_as_batch(lake: Lake, mode: StorageMode, hour_us: int, rows: pa.Table) -> None:
    """Put rows in place of the hour's, as the batch job does."""
    frame = lake.spark.createDataFrame(
        [tuple(row.values()) for row in rows.to_pylist()], lake.spark.table(_NAME).schema
    )
    target = Target(mode, ANOMALIES, LAYOUT, warehouse_uri(lake.home.path), CATALOG)
    overwrite_hours(frame, target, hour_us, hour_us + US_PER_HOUR, run=f"test-{hour_us}")


_NAME = f"{CATALOG}.{iceberg_identifier(ANOMALIES)}"


@both_modes
def test_each_key_is_there_once_whatever_is_replayed(lake: Lake, mode: StorageMode) -> None:
    """By the same process, by another, in other batches and in another order."""
    hour_us = lake.fresh_hours()
    rows = numbered(hour_us, *range(1, 21))
    sink, rng = sink_of(lake, mode), random.Random(1)
    assert sink.write(rows.slice(0, 12), "0") == 12
    assert sink.write(rows.slice(5, 10), "1") == 3
    assert sink_of(lake, mode).write(rows.take(pa.array(rng.sample(range(20), 20))), "2") == 5
    assert sink.write(rows, "3") == 0
    assert lake.anomalies(hour_us, mode).sort_by("event_us").equals(rows)


@both_modes
def test_nothing_new_changes_nothing_that_is_stored(lake: Lake, mode: StorageMode) -> None:
    """No snapshot, and no object is written again."""
    hour_us = lake.fresh_hours()
    sink = sink_of(lake, mode)
    sink.write(numbered(hour_us, 1, 2), "0")
    before = len(snapshots(lake)), times(lake, hour_us)
    for again in (sink, sink_of(lake, mode)):
        assert again.write(numbered(hour_us, 2, 1), "1") == 0
    assert (len(snapshots(lake)), times(lake, hour_us)) == before


def times(lake: Lake, hour_us: int) -> dict[str, int]:
    """File -> when it was written; none in the other mode."""
    return {path.name: path.stat().st_mtime_ns for path in hour_folder(lake, hour_us).glob("*")}


@both_modes
def test_rows_join_those_that_batch_wrote(lake: Lake, mode: StorageMode) -> None:
    """And are gone, then come again, where batch replaced the hour meanwhile."""
    hour_us = lake.fresh_hours()
    write_as_batch(lake, mode, hour_us, numbered(hour_us, 1, 2, 3))
    sink = sink_of(lake, mode)
    assert sink.write(numbered(hour_us, 2, 3, 4), "0") == 1
    assert lake.anomalies(hour_us, mode).equals(numbered(hour_us, 1, 2, 3, 4))
    write_as_batch(lake, mode, hour_us, numbered(hour_us, 1, 5))
    assert sink.write(numbered(hour_us, 4, 5, 6), "1") == 2
    assert lake.anomalies(hour_us, mode).equals(numbered(hour_us, 1, 4, 5, 6))


@both_modes
def test_another_writers_rows_are_seen_before_each_write(lake: Lake, mode: StorageMode) -> None:
    """Keys that one remembers are looked up again after whoever else committed."""
    hour_us = lake.fresh_hours()
    one, other = sink_of(lake, mode), sink_of(lake, mode)
    assert one.write(numbered(hour_us, 1), "0") == 1
    assert other.write(numbered(hour_us, 1, 2), "0") == 1
    assert one.write(numbered(hour_us, 1, 2, 3), "1") == 1
    assert other.write(numbered(hour_us, 1, 2, 3), "1") == 0
    assert lake.anomalies(hour_us, mode).equals(numbered(hour_us, 1, 2, 3))


@both_modes
def test_rows_on_both_sides_of_an_hours_edge_go_to_their_hours(
    lake: Lake, mode: StorageMode
) -> None:
    first_us = lake.fresh_hours(3)
    edge_us, last_us = first_us + US_PER_HOUR, first_us + 2 * US_PER_HOUR
    moments = (first_us, edge_us - 1, edge_us, edge_us + 1, last_us - 1, last_us)
    rows = [anomaly(us, number) for number, us in enumerate(moments)]
    sink = sink_of(lake, mode)
    assert sink.write(table(*reversed(rows)), "0") == 6
    assert sink.write(table(*rows), "1") == 0
    assert lake.anomalies(first_us, mode).equals(table(*rows[:2]))
    assert lake.anomalies(edge_us, mode).equals(table(*rows[2:5]))
    assert lake.anomalies(last_us, mode).equals(table(rows[5]))


@both_modes
def test_the_columns_are_the_contracts_and_every_value_stays(lake: Lake, mode: StorageMode) -> None:
    hour_us = lake.fresh_hours()
    extremes = {"value": -0.0, "mean": 5e-324, "stddev": 1.7976931348623157e308, "zscore": -1e-7}
    rows = table(
        anomaly(hour_us, 1, **extremes),
        anomaly(hour_us + 1, 2, event_id="ид-😀 \x00'\"\\", sample_count=2**62),
    ).sort_by("event_us")
    sink_of(lake, mode).write(rows, "0")
    assert lake.anomalies(hour_us, mode).sort_by("event_us").equals(rows)
    assert schema_drift(lake.home, mode, ANOMALIES, hour_us, hour_us + US_PER_HOUR) == []


@both_modes
def test_an_id_that_two_ticks_share_loses_neither(lake: Lake, mode: StorageMode) -> None:
    """As metrics, symbols and times differ, so do rows; a row that two shards bring is one."""
    hour_us = lake.fresh_hours()
    rows = [
        anomaly(hour_us),
        anomaly(hour_us, metric="price"),
        anomaly(hour_us, symbol="T"),
        anomaly(hour_us + 1),
    ]
    sink = sink_of(lake, mode)
    assert sink.write(table(*rows[:2], *rows[:3]), "0") == 3
    assert sink.write(table(*rows), "1") == 1
    assert sink_of(lake, mode).write(table(*rows), "2") == 0
    assert lake.anomalies(hour_us, mode).num_rows == 4


def test_an_hour_is_one_object_in_one_order(lake: Lake) -> None:
    """Whatever order the rows came in, the object is the same."""
    found: list[bytes] = []
    for order in ((1, 2, 3), (3, 1, 2)):
        hour_us = lake.fresh_hours()
        for number in order:
            same_time = [anomaly(hour_us, number, metric=metric) for metric in ("volume", "price")]
            sink_of(lake, PARQUET).write(table(*same_time[:: number % 2 * 2 - 1]), "0")
        (path,) = hour_folder(lake, hour_us).iterdir()
        assert path.name == HOUR_FILE == LAYOUT.file
        rows = pq.ParquetFile(path).read().drop_columns(["event_us", "event_at"])
        found.append(repr(rows.to_pylist()).encode())
    assert found[0] == found[1]


def test_an_object_that_a_kill_left_unfinished_is_ignored_and_replaced(lake: Lake) -> None:
    hour_us = lake.fresh_hours()
    sink = sink_of(lake, PARQUET)
    sink.write(numbered(hour_us, 1), "0")
    unfinished = hour_folder(lake, hour_us) / f"_{HOUR_FILE}"
    unfinished.write_bytes(b"PAR1 and then the power went")
    assert sink.write(numbered(hour_us, 1), "1") == 0
    assert schema_drift(lake.home, PARQUET, ANOMALIES, hour_us, hour_us + US_PER_HOUR) == []
    assert sink.write(numbered(hour_us, 1, 2), "1") == 1
    assert lake.anomalies(hour_us, PARQUET).equals(numbered(hour_us, 1, 2))
    assert not unfinished.exists()


def test_a_warehouse_may_have_a_name_with_blanks_and_letters_of_any_language(
    tmp_path: Path,
) -> None:
    """A URI is nowhere percent-encoded here."""
    root = tmp_path / "my wärehouse %20 [1]"
    sink = ParquetSink(f"file://{root}", None)
    rows = numbered(1_780_002_000_000_000, 1)
    assert [sink.write(rows, "0"), sink.write(rows, "0")] == [1, 0]
    (path,) = root.rglob("*.parquet")
    assert path.parent == root / PARQUET / ANOMALIES / hour_partition(1_780_002_000_000_000)


def test_a_snapshot_tells_its_micro_batch(lake: Lake) -> None:
    hour_us = lake.fresh_hours()
    sink_of(lake, ICEBERG).write(numbered(hour_us, 1), "17-flush")
    assert snapshots(lake)[-1].summary["tick_pipeline.stream-batch"] == "17-flush"


def test_an_append_needs_no_python_workers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost seconds to start, and may outlive a JVM that is killed."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("rows went through Python workers")

    hour_us = lake.fresh_hours()
    sink = sink_of(lake, ICEBERG)
    monkeypatch.setattr(lake.spark.sparkContext, "parallelize", refuse)
    assert sink.write(numbered(hour_us, 1, 2), "0") == 2
    assert lake.anomalies(hour_us, ICEBERG).equals(numbered(hour_us, 1, 2))


def test_a_long_run_remembers_the_keys_of_few_hours(lake: Lake) -> None:
    """And looks those of older ones up again."""
    first_us = lake.fresh_hours(7)
    sink = IcebergSink(lake.spark, CATALOG, lake.home.locks)
    for hour in range(7):
        assert sink.write(numbered(first_us + hour * US_PER_HOUR, 1), str(hour)) == 1
    assert len(sink._known) < 6
    assert sink.write(numbered(first_us, 1), "again") == 0
