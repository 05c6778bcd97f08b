"""`valid_tick` for each engine, and the validation of one record, from the contract's rules.

A rule that a record breaks has a name, the same in every engine: `<field>_null`, or
`<field>_<rule>`, as `price_exclusive_minimum`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.contracts.contract import Contract, Field, Rule


class Dialect(str, Enum):
    """The SQL dialects in which a predicate can be had."""

    SPARK = "spark"
    DUCKDB = "duckdb"
    ATHENA = "athena"


#: How an integer of microseconds reads as the contract's text, and how a pattern is matched.
_ISO_OF = {
    Dialect.SPARK: "{column} = date_format(timestamp_micros({of}),"
    " \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\")",
    Dialect.DUCKDB: "{column} = strftime(make_timestamp({of}), '%Y-%m-%dT%H:%M:%S.%fZ')",
    # Athena's date_format cuts %f to milliseconds.
    # Source: https://trino.io/docs/current/functions/datetime.html#mysql-date-functions
    Dialect.ATHENA: "{column} = date_format(from_unixtime(floor(({of}) / 1e6)) at time zone 'UTC',"
    " '%Y-%m-%dT%H:%i:%s.') || lpad(cast(({of}) % 1000000 as varchar), 6, '0') || 'Z'",
}
_MATCHES = {
    Dialect.SPARK: "{column} rlike {value}",
    Dialect.DUCKDB: "regexp_matches({column}, {value})",
    Dialect.ATHENA: "regexp_like({column}, {value})",
}
#: The end of a text. Java's `$`, which Athena shares, also matches before a line break at the end;
#: Spark's SQL halves backslashes.
_END = {Dialect.SPARK: r"\\z", Dialect.DUCKDB: "$", Dialect.ATHENA: r"\z"}
#: True for neither infinity nor NaN in every dialect: NaN compares as greater, or as nothing.
_FINITE = "abs({column}) <= 1.7976931348623157E308"


@dataclass(frozen=True)
class Claim:
    """One named rule as SQL: true when the row meets it, false or null when it does not."""

    name: str
    sql: str


def claims(
    contract: Contract, dialect: Dialect, *, expressions: Mapping[str, str] | None = None
) -> list[Claim]:
    """Every rule of the contract as SQL over the stored columns, in the fields' order.

    Args:
        contract: the contract.
        dialect: whose SQL.
        expressions: SQL to use for a field in place of its name, as the microseconds of a column
            that is stored as a timestamp.
    """
    names = {column.name: column.name for column in contract.fields} | dict(expressions or {})
    found: list[Claim] = []
    for column in contract.fields:
        if column.required:
            found.append(Claim(f"{column.name}_null", f"{names[column.name]} is not null"))
        found.extend(
            Claim(f"{column.name}_{rule.name}", _claim_sql(rule, names, column, dialect))
            for rule in column.rules
        )
    return found


def valid_sql(
    contract: Contract, dialect: Dialect, *, expressions: Mapping[str, str] | None = None
) -> str:
    """The predicate `valid_tick`: never null, true when a row meets every rule."""
    every = " and ".join(claim.sql for claim in claims(contract, dialect, expressions=expressions))
    return f"coalesce({every}, false)"


def broken_rule_sql(
    contract: Contract, dialect: Dialect, *, expressions: Mapping[str, str] | None = None
) -> str:
    """SQL for the name of the first rule that a row breaks; null for a valid row."""
    branches = " ".join(
        f"when not coalesce({claim.sql}, false) then '{claim.name}'"
        for claim in claims(contract, dialect, expressions=expressions)
    )
    return f"case {branches} end"


def broken_rule(contract: Contract, record: Mapping[str, Any]) -> str | None:
    """Name of the first rule that a decoded record breaks; None for a valid one.

    The record's values must have the fields' JSON types already: that is decoding, not validation.
    """
    for column in contract.fields:
        value = record.get(column.name)
        if value is None:
            if column.required:
                return f"{column.name}_null"
            continue
        for rule in column.rules:
            if not _meets(rule, value, record):
                return f"{column.name}_{rule.name}"
    return None


def _claim_sql(rule: Rule, names: Mapping[str, str], column: Field, dialect: Dialect) -> str:
    name = names[column.name]
    if rule.name == "min_length":
        return f"length({name}) >= {rule.value}"
    if rule.name == "minimum":
        return f"{name} >= {rule.value}"
    if rule.name == "exclusive_minimum":
        return f"{name} > {rule.value}"
    if rule.name == "finite":
        return _FINITE.format(column=name)
    if rule.name == "pattern":
        value = rule.value
        if value.endswith("$"):
            value = value.removesuffix("$") + _END[dialect]
        return _MATCHES[dialect].format(column=name, value=f"'{value}'")
    return _ISO_OF[dialect].format(column=name, of=names[rule.value])


def _meets(rule: Rule, value: Any, record: Mapping[str, Any]) -> bool:
    if rule.name == "min_length":
        return len(value) >= rule.value
    if rule.name == "minimum":
        return value >= rule.value
    if rule.name == "exclusive_minimum":
        return value > rule.value
    if rule.name == "finite":
        return math.isfinite(value)
    if rule.name == "pattern":
        return re.search(rule.value.replace("$", r"\Z"), value) is not None
    other = record.get(rule.value)
    return other is not None and value == format_instant(other)
