"""Contracts of another version than the one that ships, for as long as a test runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.contracts import contract as module
from tick_pipeline.contracts.contract import Contract, Field, load_contract
from tick_pipeline.queries import relations, views

if TYPE_CHECKING:
    import pytest

VENUE = Field("venue", "string", required=False, description="where it traded")


def use_contract(monkeypatch: pytest.MonkeyPatch, changed: Contract) -> None:
    """Let the stored tables and the views follow a changed contract."""
    ships = load_contract

    def load(name: str) -> Contract:
        return changed if name == changed.name else ships(name)

    for place in (module, relations, views):
        monkeypatch.setattr(place, "load_contract", load)


def with_fields(name: str, *added: Field) -> Contract:
    """A contract with more fields."""
    contract = load_contract(name)
    return replace(contract, fields=(*contract.fields, *added))


def without_field(name: str, field: str) -> Contract:
    """A contract with a field less."""
    contract = load_contract(name)
    return replace(contract, fields=tuple(item for item in contract.fields if item.name != field))


def with_changed(name: str, field: str, **changes: object) -> Contract:
    """A contract of which one field reads otherwise."""
    contract = load_contract(name)
    fields = (replace(item, **changes) if item.name == field else item for item in contract.fields)
    return replace(contract, fields=tuple(fields))
