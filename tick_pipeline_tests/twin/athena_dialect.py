"""Athena's SQL as DuckDB runs it, with Athena's own precision of timestamps."""

from __future__ import annotations

from sqlglot import exp

from tick_pipeline.queries.dialect import to_duckdb

#: Digits of a second that Athena keeps where a type says none.
_DEFAULT_PRECISION = 3
_MICROSECONDS = 6
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
#: What Athena has and DuckDB has not.
MACROS = (
    "create macro from_unixtime_nanos(n) as make_timestamptz(n // 1000)",
    "create macro at_timezone(t, zone) as t at time zone zone",
    "create macro infinity() as cast('infinity' as double)",
    "create macro nan() as cast('nan' as double)",
    "create macro in_units(us, unit) as cast(round(us / cast(unit as double)) as bigint) * unit",
    "create macro rounded_timestamptz(t, unit) as make_timestamptz(in_units(epoch_us(t), unit))",
    "create macro rounded_timestamp(t, unit) as make_timestamp(in_units(epoch_us(t), unit))",
)


def duckdb_sql(tree: exp.Expr) -> str:
    """The statement in DuckDB's dialect; it wants MACROS.

    A cast to a timestamp rounds to the digits that its type says, to milliseconds where it says none. A
    timestamp prints all of its digits.
    """
    copy = tree.copy()
    for node in reversed(list(copy.find_all(exp.Cast))):
        if node.to.this in exp.DataType.TEXT_TYPES and _is_timestamp(node.this):
            printed = exp.Anonymous(
                this="strftime", expressions=[node.this.copy(), exp.Literal.string(_FORMAT)]
            )
            node.replace(printed)
        elif _is_timestamp(node):
            _round(node)
    return to_duckdb(copy)


def _is_timestamp(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.startswith("rounded_timestamp")
    return isinstance(node, exp.Cast) and node.to.this in (
        exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPTZ,
    )


def _round(node: exp.Cast) -> None:
    said = node.to.expressions
    digits = int(said[0].name) if said else _DEFAULT_PRECISION
    node.to.set("expressions", [])
    if digits >= _MICROSECONDS:
        return
    zone = "tz" if node.to.this == exp.DType.TIMESTAMPTZ else ""
    unit = exp.Literal.number(10 ** (_MICROSECONDS - digits))
    rounded = exp.Anonymous(this=f"rounded_timestamp{zone}", expressions=[node.copy(), unit])
    node.replace(rounded)
