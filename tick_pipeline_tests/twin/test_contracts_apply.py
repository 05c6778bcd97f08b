"""`contracts apply` on AWS: Iceberg, projected tables and views follow a contract, in that order and once."""

# boto3, pyarrow and pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.contracts.contract import Rule
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_tables import GlueTables
from tick_pipeline.resources.aws.glue_views import decode_view
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import RAW, StorageMode, glue_database
from tick_pipeline_tests.contracts.changed import (
    VENUE,
    use_contract,
    with_changed,
    with_fields,
    without_field,
)
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import PROJECT, provision

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.twin.twin import Twin

VIEWS = ("ticks", "received")


@pytest.fixture(autouse=True)
def _deployed(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """A deployment that stands on the twin, with one row in each raw table."""
    monkeypatch.chdir(tmp_path)
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    TwinLake(twin).land([tick("AAA", 1, 1)], ICEBERG, PARQUET)


def apply(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert run(["contracts", "apply", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def stored(twin: Twin, mode: StorageMode, name: str) -> dict[str, Any]:
    """A table or view of the catalog, without what every write changes."""
    table = twin.client("glue").get_table(DatabaseName=glue_database(PROJECT, mode), Name=name)
    return {
        key: value
        for key, value in table["Table"].items()
        if key not in ("UpdateTime", "VersionId")
    }


def test_an_added_field_reaches_tables_and_views_once(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [(mode, name) for mode in StorageMode for name in (RAW, *VIEWS)]
    assert apply(capsys) == {"dry_run": False, "steps": [], "notes": []}
    assert run(["contracts", "apply"]) == 0
    assert capsys.readouterr().out == "every live table is as its contract says\n"
    before = {place: stored(twin, *place) for place in names}
    use_contract(monkeypatch, with_fields("tick", VENUE))

    planned = apply(capsys, "--dry-run")
    assert {place: stored(twin, *place) for place in names} == before
    done = apply(capsys)
    assert done == planned | {"dry_run": False}
    assert [(step["table"], step["change"]) for step in done["steps"]] == [
        ("iceberg.raw", "add column venue"),
        ("parquet_projection.raw", "add column venue"),
        *((f"{mode}.{view}", "write the view") for mode in StorageMode for view in VIEWS),
    ]
    assert done["steps"][0]["after"] == "venue string: where it traded"
    assert "up to 15 minutes" in done["notes"][0]

    parquet = stored(twin, PARQUET, RAW)
    venue = {"Name": "venue", "Type": "string", "Comment": "where it traded"}
    assert parquet["StorageDescriptor"]["Columns"][-1] == venue
    parquet["StorageDescriptor"]["Columns"].pop()
    assert parquet == before[PARQUET, RAW]
    view = decode_view(stored(twin, ICEBERG, "ticks")["ViewOriginalText"])
    assert {"name": "venue", "type": "varchar"} in view["columns"]
    assert "sent_ts, venue,\n" in view["originalSql"]
    assert f"from {glue_database(PROJECT, ICEBERG)}.raw" in view["originalSql"]

    assert apply(capsys)["steps"] == []
    settings = load_settings()
    tables = GlueTables(AwsClients(settings), settings)
    for mode in StorageMode:
        assert tables.schema_drift(mode, RAW, START_US, START_US + US_PER_HOUR) == []
    assert TwinLake(twin).iceberg(RAW).scan().to_arrow()["venue"].to_pylist() == [None]


def test_a_changed_rule_is_written_into_the_views_alone(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also over one that somebody wrote and nobody can read."""
    rules = (Rule("exclusive_minimum", 1),)
    use_contract(monkeypatch, with_changed("tick", "price", rules=rules))
    glue, database = twin.client("glue"), glue_database(PROJECT, PARQUET)
    view = stored(twin, PARQUET, "ticks")
    kept = ("Name", "TableType", "Parameters", "StorageDescriptor")
    glue.update_table(
        DatabaseName=database,
        TableInput={key: view[key] for key in kept}
        | {"ViewOriginalText": "/* Presto View: e30 */"},
    )
    assert run(["contracts", "apply"]) == 0
    told = capsys.readouterr()
    assert "nothing that can be read" in told.out
    assert "Firehose goes on with a table's old columns" in told.err
    assert (
        "price > 1"
        in decode_view(stored(twin, PARQUET, "ticks")["ViewOriginalText"])["originalSql"]
    )
    assert apply(capsys)["steps"] == []


def test_a_removed_or_retyped_field_is_refused_in_one_line(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is changed, in no table: neither is the column added that could be."""
    before = [stored(twin, mode, RAW) for mode in StorageMode]
    for changed, complaint in (
        (without_field("tick", "volume"), "the field volume was removed"),
        (with_changed("tick", "price", type="string"), "price was retyped from double to string"),
    ):
        with monkeypatch.context() as within:
            use_contract(within, replace(changed, fields=(*changed.fields, VENUE)))
            assert run(["contracts", "apply"]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert complaint in told.err
        assert "parquet_projection.raw: tick: " in told.err
    assert [stored(twin, mode, RAW) for mode in StorageMode] == before


def test_a_table_that_is_not_there_is_one_line(
    twin: Twin, capsys: pytest.CaptureFixture[str]
) -> None:
    database = glue_database(PROJECT, PARQUET)
    twin.client("glue").delete_table(DatabaseName=database, Name="received")
    assert run(["contracts", "apply"]) == 1
    assert f"{database}.received: the Glue Data Catalog has none; `terraform apply` makes it" in (
        capsys.readouterr().err
    )


def test_a_mode_that_is_switched_off_is_left_alone(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    use_contract(monkeypatch, with_fields("tick", VENUE))
    steps = apply(capsys)["steps"]
    assert {step["table"].partition(".")[0] for step in steps} == {PARQUET.value}
    assert "venue" not in TwinLake(twin).iceberg(RAW).schema().column_names


def test_a_change_of_somebody_else_in_between_is_not_lost(
    twin: Twin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_contract(monkeypatch, with_fields("tick", VENUE))
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "parquet_projection")
    twin.gateway.fail("UpdateTable", "ConcurrentModificationException", message="changed")
    assert run(["contracts", "apply"]) == 1
    assert (
        "UpdateTable failed (ConcurrentModificationException: changed)" in capsys.readouterr().err
    )
    assert len(apply(capsys)["steps"]) == 3
