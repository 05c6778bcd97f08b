"""A contract as an object: its fields, their types and rules, read from the JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from tick_pipeline.errors import ContractError
from tick_pipeline.storage import ANOMALIES, RAW, TICKS

#: The types a field may have; each engine's name for it is in `types.py`.
FIELD_TYPES = ("string", "int64", "double", "timestamp")
#: Rules a field may have, each with the Python type of its value.
RULES: dict[str, tuple[type, ...]] = {
    "min_length": (int,),
    "minimum": (int, float),
    "exclusive_minimum": (int, float),
    "finite": (type(None),),
    "pattern": (str,),
    "iso_of": (str,),
}
#: Every other table holds candles.
_CONTRACTS = {RAW: "tick", TICKS: "tick", ANOMALIES: "anomaly"}


@dataclass(frozen=True)
class Rule:
    """One claim about a field's value; `value` is None where the rule needs none."""

    name: str
    value: Any = None


@dataclass(frozen=True)
class Field:
    """One column.

    Attributes:
        name: the column's name, in every table and engine.
        type: one of FIELD_TYPES.
        required: a null breaks the contract (the record is invalid, not malformed).
        description: what it means, one line.
        unit: the value's unit, empty where it has none.
        default: what an absent value means; only an added required field needs one.
        iceberg_type: the Iceberg type where it is not the type's usual one.
        convertible: half-open range outside which a record cannot be stored at all (malformed).
        rules: what a stored value must meet for the record to be valid.
    """

    name: str
    type: str
    required: bool
    description: str
    unit: str = ""
    default: Any = None
    iceberg_type: str | None = None
    convertible: tuple[int, int] | None = None
    rules: tuple[Rule, ...] = field(default_factory=tuple[Rule, ...])


@dataclass(frozen=True)
class Contract:
    """A record type: what one row is, its key, its total order and its fields."""

    name: str
    grain: str
    key: tuple[str, ...]
    order: tuple[str, ...]
    fields: tuple[Field, ...]

    @property
    def field_names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(column.name for column in self.fields)

    def field(self, name: str) -> Field:
        """The field of that name.

        Raises:
            KeyError: there is none.
        """
        return next(column for column in self.fields if column.name == name)


@lru_cache
def load_contract(name: str) -> Contract:
    """The contract that ships with this version: `tick`, `candle` or `anomaly`.

    Raises:
        ContractError: there is none of that name, or its file is wrong.
    """
    resource = files("tick_pipeline.contracts").joinpath(f"{name}.json")
    if not resource.is_file():
        raise ContractError(
            f"there is no contract {name!r}; there are {', '.join(contract_names())}"
        )
    return parse_contract(resource.read_text(encoding="utf-8"), where=f"{name}.json")


def contract_names() -> list[str]:
    """Names of the contracts that ship with this version, sorted."""
    names = (item.name for item in files("tick_pipeline.contracts").iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def table_contract(table: str) -> Contract:
    """The contract of a table: `raw` holds ticks, `aggregated_*` candles, `anomalies` anomalies."""
    return load_contract(_CONTRACTS.get(table, "candle"))


def parse_contract(text: str, *, where: str) -> Contract:
    """Read a contract file's text; `where` names it in an error.

    Raises:
        ContractError: not JSON, a member is missing or of a wrong kind, a type or rule is unknown.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{where}: not JSON: {error}") from error
    try:
        contract = Contract(
            name=str(document["name"]),
            grain=str(document["grain"]),
            key=tuple(document["key"]),
            order=tuple(document["order"]),
            fields=tuple(_parse_field(item, where) for item in document["fields"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(
            f"{where}: a member is missing or of a wrong kind: {error!r}"
        ) from error
    _refuse_contradictions(contract, where)
    return contract


def _parse_field(item: dict[str, Any], where: str) -> Field:
    convertible = item.get("convertible")
    return Field(
        name=item["name"],
        type=item["type"],
        required=item["required"],
        description=item["description"],
        unit=item.get("unit", ""),
        default=item.get("default"),
        iceberg_type=item.get("iceberg_type"),
        convertible=(convertible["minimum"], convertible["exclusive_maximum"])
        if convertible
        else None,
        rules=tuple(_parse_rule(rule, item["name"], where) for rule in item["rules"]),
    )


def _parse_rule(item: dict[str, Any], field_name: str, where: str) -> Rule:
    rule = Rule(item["rule"], item.get("value"))
    if rule.name not in RULES:
        raise ContractError(
            f"{where}: {field_name} has the unknown rule {rule.name!r}; known: {', '.join(RULES)}"
        )
    if not isinstance(rule.value, RULES[rule.name]):
        raise ContractError(f"{where}: {field_name}: {rule.name} cannot be {rule.value!r}")
    return rule


def _refuse_contradictions(contract: Contract, where: str) -> None:
    names = contract.field_names
    for column in contract.fields:
        if column.type not in FIELD_TYPES:
            raise ContractError(
                f"{where}: {column.name} has the unknown type {column.type!r}; "
                f"known: {', '.join(FIELD_TYPES)}"
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ContractError(f"{where}: {', '.join(twice)} stands twice")
    references = (
        *contract.key,
        *contract.order,
        *tuple(
            cast("str", rule.value)
            for column in contract.fields
            for rule in column.rules
            if rule.name == "iso_of"
        ),
    )
    unknown = sorted(set(references) - set(names))
    if unknown:
        raise ContractError(f"{where}: key, order or a rule names no field: {', '.join(unknown)}")
