"""Schema drift: none where the pipeline wrote, and a line for each way in which others changed a table."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# (pyarrow and parts of pyiceberg have no types)
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import StringType

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import arrow_schema, iceberg_schema
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.resources import table_schema
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.table_schema import schema_drift
from tick_pipeline.storage import RAW, TABLES, StorageMode, iceberg_identifier
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    candles_of,
    land,
    parquet_file,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

MODES = tuple(StorageMode)
ICEBERG, PARQUET = MODES
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)
END_US = START_US + 3 * US_PER_HOUR


def drift(home: Home, mode: StorageMode, table: str = RAW, end_us: int = END_US) -> list[str]:
    return schema_drift(home, mode, table, START_US, end_us)


def iceberg_table(home: Home, table: str = RAW) -> Table:
    return open_catalog(home.path).load_table(iceberg_identifier(table))


def rows_of(mode: StorageMode, hour: int = 0) -> pa.Table:
    """One valid row of raw, in the contract's types."""
    row = tick("AAA", 3600 * hour, hour + 1)
    if mode is ICEBERG:
        row["event_ts"] = pa.scalar(row["event_ts"], pa.timestamp("us", tz="UTC")).as_py()
    return pa.Table.from_pylist([row], arrow_schema(table_contract(RAW), mode))


def retyped(rows: pa.Table, **kinds: pa.DataType) -> pa.Table:
    for name, kind in kinds.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, rows.column(name).cast(kind))
    return rows


def put_file(home: Home, hour: int, name: str, rows: pa.Table) -> Path:
    """Write a file into an hour of Parquet's raw."""
    path = parquet_file(home, RAW, START_US + hour * US_PER_HOUR, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    return path


@both_modes
@pytest.mark.parametrize("table", TABLES)
def test_a_fresh_table_has_no_drift(home: Home, mode: StorageMode, table: str) -> None:
    assert drift(home, mode, table) == []


@both_modes
def test_filled_tables_have_no_drift(home: Home, mode: StorageMode) -> None:
    records = [tick("AAA", 60 * number, number + 1) for number in range(180)]
    land(home, records, [mode])
    store_candles(home, "1m", candles_of(records), [mode])
    store_candles(home, "5m", candles_of(records, 5), [mode])
    assert [drift(home, mode, table) for table in TABLES] == [[]] * len(TABLES)


def test_what_landing_writes_has_no_drift(home: Home, settings: Settings) -> None:
    stream = LocalStream(home.stream)
    data = [json.dumps(tick("AAA", 60 * number, number + 1)).encode() for number in range(180)]
    stream.put(pa.array(["AAA"] * len(data)), pa.array(data, pa.binary()))
    deliver(home, settings, stream, modes=MODES)
    assert iceberg_table(home).inspect.files().num_rows == 3
    assert [drift(home, mode) for mode in MODES] == [[], []]


def test_what_only_arrow_tells_apart_is_no_drift(home: Home) -> None:
    """In Parquet itself a text is a text, and an instant has no zone."""
    rows = retyped(
        rows_of(PARQUET),
        symbol=pa.dictionary(pa.int32(), pa.string()),
        source=pa.large_string(),
    )
    put_file(home, 0, "of-arrow.parquet", rows)
    assert drift(home, PARQUET) == []
    land(home, [tick("AAA", 0, 1)], [ICEBERG])
    [path] = (home.warehouse / "iceberg" / RAW).rglob("*.parquet")
    zoned = retyped(rows_of(ICEBERG), event_ts=pa.timestamp("us", tz="Europe/Athens"))
    pq.write_table(zoned, path)
    assert str(pq.read_schema(path).field("event_ts").type) == "timestamp[us, tz=Europe/Athens]"
    assert drift(home, ICEBERG) == []


def test_columns_of_the_catalog_are_compared(home: Home) -> None:
    with iceberg_table(home).update_schema() as update:
        update.add_column("venue", StringType())
        update.rename_column("price", "cost")
    assert drift(home, ICEBERG) == [
        "iceberg.raw: column price is missing, the contract says double (in the catalog)",
        "iceberg.raw: column cost is double, the contract has no such column (in the catalog)",
        "iceberg.raw: column venue is string, the contract has no such column (in the catalog)",
    ]
    assert drift(home, ICEBERG, "aggregated_1m") == []


def test_types_of_the_catalog_are_compared(home: Home) -> None:
    """Also that of the column that tells the hour: then the files of all hours are looked at."""
    document: dict[str, Any] = iceberg_schema(table_contract(RAW))
    for field in document["fields"]:
        if field["name"] in ("event_ts", "sequence"):
            field["type"] = "int" if field["name"] == "sequence" else "long"
    catalog, name = open_catalog(home.path), iceberg_identifier(RAW)
    catalog.drop_table(name)
    table = catalog.create_table(name, Schema.model_validate(document))
    rows = retyped(rows_of(PARQUET), sequence=pa.int32())
    table.append(rows)
    path = table.inspect.files()["file_path"][0].as_py().removeprefix("file://")
    assert drift(home, ICEBERG) == [
        "iceberg.raw: column sequence is int, the contract says long (in the catalog)",
        "iceberg.raw: column event_ts is long, the contract says timestamptz (in the catalog)",
        "iceberg.raw: it is partitioned by nothing, it must be by hour(event_ts) (in the catalog)",
        (
            "iceberg.raw: column sequence is int32, the contract says int64 "
            f"(in 1 of 1 files, as {path})"
        ),
        (
            "iceberg.raw: column event_ts is int64, the contract says timestamp[us, tz=UTC] "
            f"(in 1 of 1 files, as {path})"
        ),
    ]


def test_the_partitioning_is_compared(home: Home) -> None:
    with iceberg_table(home, "aggregated_5m").update_spec() as update:
        update.remove_field("bucket_start_hour")
        update.add_field("bucket_start", DayTransform(), "day")
    [line] = drift(home, ICEBERG, "aggregated_5m")
    assert line == (
        "iceberg.aggregated_5m: it is partitioned by day(bucket_start), "
        "it must be by hour(bucket_start) (in the catalog)"
    )
    with iceberg_table(home, "aggregated_1m").update_spec() as update:
        update.add_field("first_us", IdentityTransform(), "first")
    [line] = drift(home, ICEBERG, "aggregated_1m")
    assert "partitioned by hour(bucket_start), identity(first_us)" in line


def test_a_table_that_the_catalog_lost_is_told(home: Home) -> None:
    open_catalog(home.path).drop_table(iceberg_identifier(RAW))
    assert drift(home, ICEBERG) == ["iceberg.raw: the catalog has no such table"]


def test_a_difference_of_many_files_is_one_line(home: Home) -> None:
    """With how many, and one of them; files of other hours, and hidden ones, are not looked at."""
    right = rows_of(PARQUET)
    put_file(home, 0, "right.parquet", right)
    without = put_file(home, 0, "without.parquet", right.drop_columns(["volume"]))
    extra = right.append_column("venue", pa.array(["X"]))
    others = [put_file(home, hour, "extra.parquet", extra) for hour in (1, 2)]
    small = put_file(home, 2, "small.parquet", retyped(right, price=pa.float32()))
    put_file(home, 3, "later.parquet", retyped(right, price=pa.string()))
    put_file(home, 0, "_hidden.parquet", retyped(right, price=pa.string()))
    assert drift(home, PARQUET) == [
        (
            "parquet_projection.raw: column volume is missing, the contract says double "
            f"(in 1 of 5 files, as {without})"
        ),
        (
            "parquet_projection.raw: column venue is string, the contract has no such column "
            f"(in 2 of 5 files, as {others[0]})"
        ),
        (
            "parquet_projection.raw: column price is float, the contract says double "
            f"(in 1 of 5 files, as {small})"
        ),
    ]
    assert len(drift(home, PARQUET, end_us=START_US + US_PER_HOUR)) == 1


def test_another_unit_of_time_is_drift(home: Home) -> None:
    """Milliseconds, local time, and the 96 bits that Spark writes unless it is told not to."""
    kinds = {
        "local": pa.timestamp("us"),
        "millis": pa.timestamp("ms", tz="UTC"),
        "int96": pa.timestamp("ns"),
    }
    schema = arrow_schema(table_contract("aggregated_1m"), PARQUET)
    place = schema.get_field_index("bucket_start")
    for name, kind in kinds.items():
        path = parquet_file(home, "aggregated_1m", START_US, f"{name}.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = schema.set(place, pa.field("bucket_start", kind)).empty_table()
        pq.write_table(rows, path, use_deprecated_int96_timestamps=name == "int96")
    found = drift(home, PARQUET, "aggregated_1m")
    assert [line.split(" (in ")[0].split(": ")[1] for line in found] == [
        f"column bucket_start is {kind}, the contract says timestamp[us, tz=UTC]"
        for kind in ("timestamp[ns]", "timestamp[us]", "timestamp[ms, tz=UTC]")
    ]


def test_a_stray_file_of_an_iceberg_table_is_found(home: Home, tmp_path: Path) -> None:
    """Whoever adds files to the table may add others' types: Iceberg widens them when it reads."""
    table = iceberg_table(home)
    table.append(rows_of(ICEBERG))
    stray = tmp_path / "stray.parquet"
    rows = retyped(rows_of(ICEBERG, 1), sequence=pa.int32()).drop_columns(["sent_ts"])
    pq.write_table(rows, stray)
    table.add_files([str(stray)])
    assert drift(home, ICEBERG) == [
        (
            "iceberg.raw: column sequence is int32, the contract says int64 "
            f"(in 1 of 2 files, as {stray})"
        ),
        (
            "iceberg.raw: column sent_ts is missing, the contract says int64 "
            f"(in 1 of 2 files, as {stray})"
        ),
    ]
    assert drift(home, ICEBERG, end_us=START_US + US_PER_HOUR) == []


@both_modes
def test_a_file_that_cannot_be_read_is_told(home: Home, mode: StorageMode) -> None:
    land(home, [tick("AAA", 0, 1), tick("AAA", 3600, 2)], [mode])
    root = home.warehouse / str(mode) / RAW
    broken, whole = sorted(root.rglob("*.parquet"))
    broken.write_bytes(b"")
    assert drift(home, mode) == [
        f"{mode}.raw: a data file cannot be read as Parquet (in 1 of 2 files, as {broken})"
    ]
    broken.write_bytes(whole.read_bytes()[:-20])
    assert len(drift(home, mode)) == 1


def test_a_file_that_iceberg_lost_is_told(home: Home) -> None:
    land(home, [tick("AAA", 0, 1)], [ICEBERG])
    [path] = (home.warehouse / "iceberg" / RAW).rglob("*.parquet")
    path.unlink()
    assert drift(home, ICEBERG) == [
        f"iceberg.raw: a data file is not there (in 1 of 1 files, as {path})"
    ]


def test_an_hour_that_is_swapped_meanwhile_is_listed_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put_file(home, 0, "old.parquet", rows_of(PARQUET))
    list_files = table_schema.parquet_files

    def swap(*arguments: Any) -> Any:
        found = list_files(*arguments)
        if old.exists():
            old.unlink()
            put_file(home, 0, "new.parquet", retyped(rows_of(PARQUET), price=pa.float32()))
        return found

    monkeypatch.setattr(table_schema, "parquet_files", swap)
    [line] = drift(home, PARQUET)
    assert line.endswith("new.parquet)")
