"""Constructs that Athena and DuckDB both take and answer differently: refused, with the reason.

Each line of `_RULES` was found by comparing Athena's documented result with DuckDB's
(https://trino.io/docs/current/functions.html, https://duckdb.org/docs/stable/sql/functions/overview).
All else runs: what DuckDB lacks fails there with an error, which is no silent difference.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the parser's table of functions is typed in part)
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.dialects.athena import Athena
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.reader import position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tick_pipeline.queries.relations import Relation

_FLOATS = {exp.DType.DOUBLE, exp.DType.FLOAT}
_INTEGERS = exp.DataType.INTEGER_TYPES
_WHOLE = (exp.Round, exp.Floor, exp.Ceil, exp.Trunc)
#: MySQL's format letters whose output is the same in both engines.
_SAME_FORMATS = set("YmdHiSsjyp%")
_SAME_UNITS = {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
#: What functions return, with those that the parser's own table does not know.
_RETURNS: dict[type[exp.Expr], dict[str, Any]] = Athena.EXPRESSION_METADATA | {
    exp.ArgMin: Athena.EXPRESSION_METADATA[exp.Max],
    exp.ArgMax: Athena.EXPRESSION_METADATA[exp.Max],
    exp.TimeToUnix: {"returns": exp.DType.DOUBLE},
}
_ANONYMOUS = {
    "format_datetime": "DuckDB has no Joda formats; use date_format",
    "to_iso8601": "DuckDB prints other decimals; use date_format",
    "checksum": "its value differs between the engines; storage_parity_ticks compares with it",
    "millisecond": "DuckDB counts the seconds in; use date_format or to_unixtime",
    "day_of_year": "spell it date_format(t, '%j')",
}


def refuse_differences(tree: exp.Query, relations: Iterable[Relation]) -> None:
    """Refuse what Athena and DuckDB would answer differently.

    Args:
        tree: the statement as it was parsed, not yet translated.
        relations: those that it names; their columns' types tell an integer division.

    Raises:
        QueryError: names the construct, where it stands, the reason and another way.
    """
    typed = _typed(tree, relations)
    for node in typed.walk():
        reason = _reason(node)
        if reason:
            text = str(node.meta.get("text") or node.sql("athena"))
            raise QueryError(f"{position(node)}{text}: differs between Athena and DuckDB: {reason}")


def _typed(tree: exp.Query, relations: Iterable[Relation]) -> exp.Expr:
    copy = tree.copy()
    for node in copy.walk():
        node.meta["text"] = node.sql("athena")
    for literal in list(copy.find_all(exp.Literal)):
        # In Athena 1.5 is a decimal and only 1.5e0 a double.
        if not literal.is_string and "." in literal.name and "e" not in literal.name.lower():
            literal.replace(exp.cast(literal.copy(), "decimal(38, 18)"))
    schema: dict[str, object] = {}
    for relation in relations:
        schema.setdefault(relation.mode.value, {})[relation.name] = relation.columns  # type: ignore[index]
    try:
        qualified = qualify(
            copy,
            dialect="athena",
            schema=schema,
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
        )
        return annotate_types(qualified, schema, _RETURNS, dialect="athena")
    except SqlglotError:
        # Without types a division is refused unless it says its own type: safe, if strict.
        return annotate_types(copy, None, _RETURNS, dialect="athena")


def _reason(node: exp.Expr) -> str | None:
    for kind, rule in _RULES:
        if isinstance(node, kind):
            return rule(node)
    return None


def _division(node: exp.Expr) -> str | None:
    if _kind(node.args["this"]) in _FLOATS or _kind(node.args["expression"]) in _FLOATS:
        return None
    return (
        "Athena divides integers to an integer and decimals to a decimal, DuckDB both to a double; "
        "make one side a double, as cast(x as double) or 2e0"
    )


def _modulo(node: exp.Expr) -> str | None:
    divisor = node.args["expression"].unnest()
    if isinstance(divisor, exp.Literal) and float(divisor.name) != 0:
        return None
    return "a remainder by zero is an error in Athena and null in DuckDB; divide by a literal"


def _cast(node: exp.Expr) -> str | None:
    source, target = _kind(node.args["this"]), node.args["to"].this
    if target in _INTEGERS:
        if source in _INTEGERS or source in exp.DataType.TEXT_TYPES:
            return None
        if source == exp.DType.BOOLEAN or isinstance(node.args["this"].unnest(), _WHOLE):
            return None
        return "Athena rounds a half up, DuckDB to even; use cast(round(x) as bigint) or floor"
    if target in exp.DataType.TEXT_TYPES:
        same = {
            *_INTEGERS,
            *exp.DataType.TEXT_TYPES,
            exp.DType.BOOLEAN,
            exp.DType.DATE,
        }
        if source not in same:
            return "the engines print doubles, decimals and timestamps differently; use date_format, or leave it as it is"
    return None


def _time_format(node: exp.Expr) -> str | None:
    form = node.args.get("format")
    letters = set(re.findall(r"%(.)", _mysql(form))) if isinstance(form, exp.Literal) else {"?"}
    if letters <= _SAME_FORMATS:
        return None
    return "write the format as a text of %Y %m %d %H %i %s %j %y %p; others print differently"


def _mysql(form: exp.Literal) -> str:
    # The parser has put Python's letters in: %M are minutes there, months' names in MySQL.
    return form.name.replace("%M", "%i").replace("%-", "%?")


def _extract(node: exp.Expr) -> str | None:
    unit = str(node.args["this"].name).upper()
    if unit in _SAME_UNITS:
        return None
    return f"{unit.lower()} is counted differently; {', '.join(sorted(_SAME_UNITS)).lower()} are the same"


def _substring(node: exp.Expr) -> str | None:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and int(start.name) >= 1:
        return None
    return "a start before 1 is another place; begin at a literal of 1 or more"


def _anonymous(node: exp.Expr) -> str | None:
    return _ANONYMOUS.get(node.name.lower())


def _version(node: exp.Expr) -> str | None:
    return "DuckDB reads the current snapshot only" if node.args.get("version") else None


def _always(reason: str) -> Callable[[exp.Expr], str | None]:
    return lambda _node: reason


def _kind(node: exp.Expr) -> exp.DType | None:
    return node.type.this if node.type else None


_RULES: tuple[tuple[type[exp.Expr], Callable[[exp.Expr], str | None]], ...] = (
    (exp.Div, _division),
    (exp.IntDiv, _division),
    (exp.Mod, _modulo),
    (
        exp.Try,
        _always("DuckDB gives null or infinity where Athena fails, so try() catches other things"),
    ),
    (
        exp.DateDiff,
        _always("Athena counts whole units, DuckDB boundaries crossed; subtract to_unixtime(t)"),
    ),
    (exp.ApproxDistinct, _always("the approximations differ; use count(distinct x)")),
    (exp.ApproxQuantile, _always("the approximations differ")),
    (exp.RegexpExtract, _always("without a match Athena gives null, DuckDB ''; use regexp_like")),
    (exp.SplitPart, _always("past the end Athena gives null, DuckDB ''; use strpos and substr")),
    (exp.ParseDatetime, _always("DuckDB has no Joda formats; use from_iso8601_timestamp")),
    (exp.Format, _always("the engines' format letters differ; use ||")),
    (exp.TimeToStr, _time_format),
    (exp.StrToTime, _time_format),
    (exp.Extract, _extract),
    (exp.Substring, _substring),
    (exp.Anonymous, _anonymous),
    (exp.Table, _version),
    # A try_cast is a cast, too.
    (exp.Cast, _cast),
)
