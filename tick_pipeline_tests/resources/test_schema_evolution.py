"""Live tables follow their contracts: columns are added, nothing is dropped or retyped, twice is once."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# (pyarrow and parts of pyiceberg have no types)
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pyiceberg.table.update.schema import UpdateSchema

from tick_pipeline.contracts.contract import Contract, Field
from tick_pipeline.errors import ContractError, WorkError
from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.schema_evolution import Step
from tick_pipeline.resources.tables import LocalTables
from tick_pipeline.storage import RAW, StorageMode, iceberg_identifier
from tick_pipeline_tests.contracts.changed import (
    VENUE,
    use_contract,
    with_changed,
    with_fields,
    without_field,
)
from tick_pipeline_tests.queries.warehouse import START_US, land, tick

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tick_pipeline.home import Home

ICEBERG, PARQUET = StorageMode
ADDED = Step("iceberg.raw", "add column venue", "", "venue string: where it traded")


def raw(home: Home) -> Table:
    return open_catalog(home.path).load_table(iceberg_identifier(RAW))


def apply(home: Home, *, dry_run: bool = False) -> list[Step]:
    evolution = LocalTables(home).evolve(dry_run=dry_run)
    assert evolution.notes == []
    return evolution.steps


def test_tables_that_are_as_their_contracts_say_are_left_alone(home: Home) -> None:
    before = raw(home).metadata_location
    assert apply(home) == []
    assert raw(home).metadata_location == before


def test_an_added_field_becomes_a_column_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    land(home, [tick("AAA", 1, 1)], [ICEBERG, PARQUET])
    use_contract(monkeypatch, with_fields("tick", VENUE))
    tables = LocalTables(home)
    assert tables.schema_drift(ICEBERG, RAW, START_US, START_US + US_PER_HOUR) == [
        "iceberg.raw: column venue is missing, the contract says string (in the catalog)"
    ]
    assert apply(home, dry_run=True) == [ADDED]
    assert "venue" not in raw(home).schema().column_names
    assert apply(home) == [ADDED]
    column = raw(home).schema().find_field("venue")
    assert (str(column.field_type), column.doc, column.required) == (
        "string",
        VENUE.description,
        False,
    )
    assert raw(home).scan().to_arrow()["venue"].to_pylist() == [None]
    assert apply(home) == []
    # Files of before do not have the column, and need not.
    for mode in StorageMode:
        assert tables.schema_drift(mode, RAW, START_US, START_US + US_PER_HOUR) == []


def test_a_description_is_brought_up_to_date(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use_contract(monkeypatch, with_changed("candle", "open", description="the first price"))
    changed = [
        Step(
            f"iceberg.{table}", "describe column open", "price of the first tick", "the first price"
        )
        for table in ("aggregated_1m", "aggregated_5m")
    ]
    before = raw(home).metadata_location
    found = apply(home)
    assert [replace(step, before="price of the first tick") for step in found] == changed
    assert apply(home) == []
    assert raw(home).metadata_location == before


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (without_field("tick", "volume"), "tick: the field volume was removed"),
        (
            with_changed("tick", "price", type="string"),
            "tick: the field price was retyped from double to string",
        ),
        (
            with_fields("tick", Field("venue", "string", required=True, description="")),
            "tick: the field venue was added as required without a default",
        ),
    ],
)
def test_what_live_tables_cannot_follow_is_refused_before_any_is_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch, changed: Contract, complaint: str
) -> None:
    if "venue" not in changed.field_names:
        changed = replace(changed, fields=(*changed.fields, VENUE))
    use_contract(monkeypatch, changed)
    with pytest.raises(ContractError, match=complaint) as refusal:
        apply(home)
    assert "\n" not in str(refusal.value)
    assert "venue" not in raw(home).schema().column_names


def test_a_commit_of_somebody_else_in_between_is_no_failure(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, others = UpdateSchema.commit, iter([True])

    def late(update: UpdateSchema) -> None:
        if next(others, False):
            with raw(home).update_schema() as other:
                other.update_column("price", doc="price of the trade.")
        commit(update)

    monkeypatch.setattr(UpdateSchema, "commit", late)
    use_contract(monkeypatch, with_fields("tick", VENUE))
    assert apply(home) == [ADDED]
    schema = raw(home).schema()
    assert schema.find_field("venue").doc == VENUE.description
    assert schema.find_field("price").doc == "price of the trade"


def test_others_that_never_stop_are_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, count = UpdateSchema.commit, 0

    def late(update: UpdateSchema) -> None:
        nonlocal count
        count += 1
        monkeypatch.setattr(UpdateSchema, "commit", commit)
        with raw(home).update_schema() as other:
            other.update_column("price", doc=f"price {count}")
        monkeypatch.setattr(UpdateSchema, "commit", late)
        commit(update)

    monkeypatch.setattr(UpdateSchema, "commit", late)
    use_contract(monkeypatch, with_fields("tick", VENUE))
    with pytest.raises(WorkError, match="others committed 5 times"):
        apply(home)


def test_a_table_that_is_not_there_is_one_line(home: Home) -> None:
    open_catalog(home.path).drop_table(iceberg_identifier(RAW))
    with pytest.raises(WorkError, match=r"has no table iceberg\.raw"):
        apply(home)
