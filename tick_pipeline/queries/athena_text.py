"""A statement as the text that Athena runs: its databases by their names in Glue, its parameters as literals.

All of it is done on the parsed statement; no text is replaced.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp, parse_one

from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import as_datetime
from tick_pipeline.queries.reader import Kind
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.queries.views import view_sql
from tick_pipeline.storage import StorageMode, glue_database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.queries.reader import Source, Statement
    from tick_pipeline.queries.relations import Relation

_TIMESTAMPS = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)
#: Digits of a second in every timestamp of ours; Athena's own default is 3.
_MICROSECONDS = 6
_TYPE = "timestamp(6) with time zone"


def athena_text(
    statement: Statement, project: str, values: Mapping[str, Any], as_of_us: int | None = None
) -> str:
    """The text to send; the statement's tree is changed in place.

    Args:
        statement: a SELECT or EXPLAIN, its hours said already (pruning.say_hours).
        project: by which the Glue databases are named.
        values: of each parameter that it has.
        as_of_us: read the tables, which are Iceberg's, as they were then, microseconds.

    Raises:
        QueryError: a value is of a type that SQL has no literal for.
    """
    tree = statement.tree
    if tree is None:
        raise AssertionError
    for source in statement.sources:
        if as_of_us is None:
            _name(source, project)
        else:
            _name_as_of(source, project, as_of_us)
    for column in tree.find_all(exp.Column):
        _name_column(column, statement, project, of_then=as_of_us is not None)
    text = tree.transform(_bind, values).transform(_widen).sql("athena")
    return f"EXPLAIN {text}" if statement.kind is Kind.EXPLAIN else text


def literal(name: str, value: Any) -> exp.Expr:
    """A parameter's value as an SQL literal of its type.

    Args:
        name: for the message.
        value: text, bool, int, float, Decimal, date, datetime or None.

    Raises:
        QueryError: it is none of them.
    """
    if value is None:
        return exp.null()
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    raise QueryError(
        f"the parameter {name}={value!r} is a {type(value).__name__}; give text, a number, a date or an instant"
    )


def is_coarse(relation: Relation) -> bool:
    """Whether Athena reads the relation's timestamps in milliseconds, and without a zone.

    It does so of a Hive table's `timestamp`, whatever the file holds
    (https://docs.aws.amazon.com/athena/latest/ug/data-types.html); of an Iceberg table's it reads microseconds.
    """
    return (
        relation.mode is StorageMode.PARQUET_PROJECTION
        and relation.name not in VIEWS
        and any(kind.startswith("timestamp") for kind in relation.columns.values())
    )


def restored_select(relation: Relation, database: str) -> str:
    """A coarse table with its timestamps as they are everywhere else: of microseconds, in UTC.

    A candle's are whole minutes. An anomaly's stands beside its integer of microseconds, which counts where both
    say the same as far as Athena can see.
    """
    columns = [
        f"{_restored_column(relation, name)} as {name}" if kind.startswith("timestamp") else name
        for name, kind in relation.columns.items()
    ]
    return f"select {', '.join(columns)} from {database}.{relation.name}"  # noqa: S608  (from the contracts)


def _number(value: float | Decimal) -> exp.Expr:
    if isinstance(value, float) and not math.isfinite(value):
        name = "nan" if math.isnan(value) else "infinity"
        found: exp.Expr = exp.Anonymous(this=name)
    elif isinstance(value, float):
        # Without an exponent it would be a decimal.
        text = repr(abs(value))
        found = exp.Literal.number(text if "e" in text else f"{text}e0")
    else:
        found = exp.Literal.number(str(abs(value)))
    return exp.paren(exp.Neg(this=found), copy=False) if value < 0 else found


def _instant(value: datetime) -> exp.Expr:
    zone = " UTC" if value.tzinfo else ""
    moment = value.astimezone(timezone.utc) if value.tzinfo else value
    kind = _TYPE if value.tzinfo else "timestamp(6)"
    text = moment.strftime("%Y-%m-%d %H:%M:%S.%f") + zone
    return exp.cast(exp.Literal.string(text), kind, dialect="athena")


def _bind(node: exp.Expr, values: Mapping[str, Any]) -> exp.Expr:
    return literal(node.name, values[node.name]) if isinstance(node, exp.Placeholder) else node


def _widen(node: exp.Expr) -> exp.Expr:
    """A cast to a timestamp of no said precision keeps microseconds, as everywhere else."""
    if isinstance(node, exp.Cast):
        kind = node.args["to"]
        if kind.this in _TIMESTAMPS and not kind.expressions:
            size = exp.DataTypeParam(this=exp.Literal.number(_MICROSECONDS))
            kind.set("expressions", [size])
    return node


def _name(source: Source, project: str) -> None:
    node, relation = source.node, source.relation
    database = glue_database(project, relation.mode)
    if not is_coarse(relation):
        node.set("db", exp.to_identifier(database))
        return
    _put_select(source, parse_one(restored_select(relation, database), read="athena"))


def _name_as_of(source: Source, project: str, as_of_us: int) -> None:
    """A table's name with its moment; a view has no history, so its SELECT stands in its place."""
    node, relation = source.node, source.relation
    database = glue_database(project, relation.mode)
    if relation.name not in VIEWS:
        _set_moment(node, database, as_of_us)
        return
    made = parse_one(view_sql(relation.name, relation.mode, Dialect.ATHENA), read="athena")
    for table in made.find_all(exp.Table):
        if table.name == relation.table:
            _set_moment(table, database, as_of_us)
    _put_select(source, made)


def _set_moment(table: exp.Table, database: str, as_of_us: int) -> None:
    """Say `FOR TIMESTAMP AS OF` of a table.

    Source: https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-time-travel-and-version-travel-queries.html
    """
    table.set("db", exp.to_identifier(database))
    moment = _instant(as_datetime(as_of_us))
    table.set("version", exp.Version(this="TIMESTAMP", kind="AS OF", expression=moment))


def _put_select(source: Source, made: exp.Expr) -> None:
    """A SELECT in the place of a relation."""
    node, relation = source.node, source.relation
    wrapped = exp.Subquery(this=made)
    kept = {name: part for name, part in node.args.items() if name not in ("this", "db", "catalog")}
    kept["alias"] = kept.get("alias") or exp.TableAlias(this=exp.to_identifier(relation.name))
    for name, part in kept.items():
        wrapped.set(name, part)
    node.replace(wrapped)


def _restored_column(relation: Relation, name: str) -> str:
    as_read = f"cast({name} as {_TYPE})"
    exact = relation.us_column
    if exact is None:
        return as_read
    same = f"abs(to_unixtime({name}) * 1e6 - {exact}) <= 1000e0"
    return (
        f"case when {same} then cast(from_unixtime_nanos({exact} * 1000) as {_TYPE})"
        f" else {as_read} end"
    )


def _name_column(column: exp.Column, statement: Statement, project: str, *, of_then: bool) -> None:
    """`iceberg.raw.price` by the database's name; a table in place of which a SELECT stands has none."""
    named = f"{column.db}.{column.table}".lower()
    for source in statement.sources:
        relation = source.relation
        if column.db and str(relation) == named:
            wrapped = relation.name in VIEWS if of_then else is_coarse(relation)
            database = None if wrapped else glue_database(project, relation.mode)
            column.set("db", exp.to_identifier(database) if database else None)
            return
