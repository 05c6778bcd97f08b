"""Tables on AWS: what differs from the contract in catalog or objects is told, and so is what they hold."""

# boto3, pyarrow and pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyiceberg.types import StringType

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.errors import AwsError
from tick_pipeline.event_time import US_PER_HOUR, as_datetime, now_us
from tick_pipeline.resources.aws import glue_tables
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_tables import GlueTables
from tick_pipeline.resources.aws.s3_footers import s3_footers
from tick_pipeline.resources.footers import GONE, UNREADABLE
from tick_pipeline.resources.table_stats import TableStats
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import RAW, TABLES, StorageMode, glue_database, hour_partition
from tick_pipeline_tests.aws_settings import AWS_SETTINGS
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, PROJECT, WAREHOUSE, provision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin

END_US = START_US + 3 * US_PER_HOUR
DATABASE = glue_database(PROJECT, PARQUET)
LOCATION = f"{WAREHOUSE}/{PARQUET}/{RAW}"
HOUR = f"{LOCATION}/{hour_partition(START_US)}"


@pytest.fixture
def named(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a deployment of which only the bucket is there."""
    for name, value in {**AWS_SETTINGS, "TICK_PIPELINE_AWS_ENDPOINT_URL": twin.url}.items():
        monkeypatch.setenv(name, value)
    twin.client("s3").create_bucket(Bucket=BUCKET)
    return load_settings(_env_file=None)


@pytest.fixture
def tables(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> GlueTables:
    """The adapter on a deployment that is empty."""
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    return GlueTables(AwsClients(settings), settings)


def drift(tables: GlueTables, mode: StorageMode, table: str = RAW) -> list[str]:
    return tables.schema_drift(mode, table, START_US, END_US)


def rows(**kinds: pa.DataType) -> pa.Table:
    """One row of Parquet's raw, some columns in other types."""
    found = pa.Table.from_pylist([tick("AAA", 1, 1)], arrow_schema(load_contract("tick"), PARQUET))
    for name, kind in kinds.items():
        place = found.column_names.index(name)
        found = found.set_column(place, name, found.column(name).cast(kind))
    return found


def change(twin: Twin, edit: Callable[[dict[str, Any]], None]) -> None:
    """Let somebody change Parquet's raw in the catalog."""
    glue = twin.client("glue")
    stored = glue.get_table(DatabaseName=DATABASE, Name=RAW)["Table"]
    names = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    table = {name: stored[name] for name in names}
    edit(table)
    glue.update_table(DatabaseName=DATABASE, TableInput=table)


def test_tables_as_terraform_makes_them_and_firehose_fills_them_have_no_drift(
    twin: Twin, tables: GlueTables
) -> None:
    TwinLake(twin).land([tick("AAA", 60 * n, n + 1) for n in range(120)], ICEBERG, PARQUET)
    assert {
        (mode, table): drift(tables, mode, table) for mode in StorageMode for table in TABLES
    } == {(mode, table): [] for mode in StorageMode for table in TABLES}


def test_what_differs_in_the_catalog_is_told(twin: Twin, tables: GlueTables) -> None:
    def edit(table: dict[str, Any]) -> None:
        columns = table["StorageDescriptor"]["Columns"]
        columns[0] = {"Name": "venue", "Type": "string"}
        columns[2]["Type"] = "int"
        table["StorageDescriptor"]["Location"] = "s3://elsewhere/raw/"
        table["PartitionKeys"] = table["PartitionKeys"][:3]
        table["Parameters"] |= {
            "projection.enabled": "TRUE ",
            "projection.year.range": "2027,2035",
            "projection.hour.range": "0-23",
            "projection.hour.digits": "1",
            "projection.day.interval": "2",
            "storage.location.template": f"{LOCATION}/${{year}}",
        }
        del table["Parameters"]["projection.month.type"]

    change(twin, edit)
    year = as_datetime(now_us()).year
    template = f"{LOCATION}/year=${{year}}/month=${{month}}/day=${{day}}/hour=${{hour}}"
    assert drift(tables, PARQUET) == [
        f"parquet_projection.raw: {line} (in the catalog)"
        for line in (
            "column event_id is missing, the contract says string",
            "column sequence is int, the contract says bigint",
            "column venue is string, the contract has no such column",
            "it is partitioned by year string, month string, day string, it must be by year, month, day, hour, strings",
            f"its location is s3://elsewhere/raw, it must be {LOCATION}",
            f"storage.location.template is {LOCATION}/${{year}}, it must be {template}",
            "projection.month.type is not set, it must be integer",
            "projection.hour.digits is 1, it must be 2",
            f"projection.year.range is 2027,2035, it must hold 2026 to {year}",
            "projection.day.interval is 2, it must be 1",
            "projection.hour.range is 0-23, it must hold 0 to 23",
        )
    ]
    with TwinLake(twin).iceberg(RAW).update_schema() as update:
        update.add_column("venue", StringType())
    assert drift(tables, ICEBERG) == [
        "iceberg.raw: column venue is string, the contract has no such column (in the catalog)"
    ]
    for mode in StorageMode:
        twin.client("glue").delete_table(DatabaseName=glue_database(PROJECT, mode), Name=RAW)
        assert drift(tables, mode) == [f"{mode}.raw: the catalog has no such table"]


def test_what_differs_in_the_objects_is_told(twin: Twin, tables: GlueTables) -> None:
    lake = TwinLake(twin)
    lake.put(RAW, START_US, "a.parquet", rows())
    lake.put(RAW, START_US, "b.parquet", rows(price=pa.float32()))
    lake.put(RAW, START_US, "_hidden.parquet", rows(price=pa.string()))
    lake.put(RAW, END_US, "later.parquet", rows(price=pa.string()))
    key = HOUR.removeprefix(f"s3://{BUCKET}/")
    twin.client("s3").put_object(Bucket=BUCKET, Key=f"{key}/c.parquet", Body=b"")
    assert drift(tables, PARQUET) == [
        (
            "parquet_projection.raw: column price is float, the contract says double "
            f"(in 1 of 3 files, as {HOUR}/b.parquet)"
        ),
        f"parquet_projection.raw: {UNREADABLE} (in 1 of 3 files, as {HOUR}/c.parquet)",
    ]
    lake.land([tick("AAA", 1, 1)], ICEBERG)
    [path] = lake.iceberg(RAW).inspect.files()["file_path"].to_pylist()
    twin.client("s3").delete_object(Bucket=BUCKET, Key=path.removeprefix(f"s3://{BUCKET}/"))
    assert drift(tables, ICEBERG) == [f"iceberg.raw: {GONE} (in 1 of 1 files, as {path})"]


def test_only_the_ends_of_objects_are_read(twin: Twin, named: Settings) -> None:
    """Of a footer that is larger, the rest with a second request."""
    wide = pa.table({f"column_{number}": [number] for number in range(800)})
    TwinLake(twin).put(RAW, START_US, "wide.parquet", wide)
    TwinLake(twin).put(RAW, START_US, "raw.parquet", rows())
    paths = [f"{HOUR}/raw.parquet", f"{HOUR}/wide.parquet", f"{HOUR}/absent.parquet"]
    twin.gateway.calls.clear()
    found = s3_footers(AwsClients(named))(paths)
    assert [found[path].num_columns for path in paths[:2]] == [9, 800]
    assert found[paths[2]] == GONE
    assert len(twin.gateway.calls) == 4


def test_an_empty_object_is_no_parquet(twin: Twin, named: Settings) -> None:
    """Of nothing, AWS has no last bytes."""
    twin.client("s3").put_object(Bucket=BUCKET, Key="empty", Body=b"")
    twin.gateway.fail("GET", "InvalidRange", status=416)
    path = f"s3://{BUCKET}/empty"
    assert s3_footers(AwsClients(named))([path]) == {path: UNREADABLE}


def test_objects_that_may_not_be_read_are_one_line(twin: Twin, named: Settings) -> None:
    TwinLake(twin).put(RAW, START_US, "raw.parquet", rows())
    twin.gateway.fail("GET", "AccessDenied", status=403)
    with pytest.raises(AwsError, match=r"footers in S3: AWS refuses GetObject \(AccessDenied"):
        s3_footers(AwsClients(named))([f"{HOUR}/raw.parquet"])


def test_a_catalog_that_may_not_be_read_is_one_line(twin: Twin, named: Settings) -> None:
    tables = GlueTables(AwsClients(named), named)
    for mode in StorageMode:
        twin.gateway.fail("GetTable", "AccessDeniedException")
        with pytest.raises(AwsError, match=r"AWS refuses GetTable \(AccessDenied") as refusal:
            drift(tables, mode)
        assert "\n" not in str(refusal.value)


def test_tables_are_counted_without_their_data(
    twin: Twin, tables: GlueTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode in StorageMode:
        assert tables.stats(mode, RAW) == TableStats(mode, RAW, 0, 0, 0, 0)
        assert tables.error_objects(mode) == 0
    lake = TwinLake(twin)
    lake.land([tick("AAA", 1, 1), tick("AAA", 3601, 2)], ICEBERG, PARQUET)
    lake.land([tick("AAA", 2, 3)], ICEBERG, PARQUET, name="1.parquet")
    folder = f"warehouse/{ICEBERG}/_firehose_errors/iceberg-failed"
    for name in ("2026/01/02/03/object", "undated"):
        twin.client("s3").put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=b"{}")
    for mode in StorageMode:
        found = tables.stats(mode, RAW)
        assert (found.rows, found.files, found.hours) == (3, 3, 2)
        assert found.bytes > 1000
    assert [tables.error_objects(mode) for mode in StorageMode] == [2, 0]
    monkeypatch.setattr(glue_tables, "_COUNTED_FILES", 2)
    many = tables.stats(PARQUET, RAW)
    assert (many.rows, many.files) == (None, 3)
