"""What every engine does before it runs a statement: reads it, binds its parameters, and finds its hours."""

# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (pyarrow has no types)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import now_us
from tick_pipeline.queries.catalogue import load_query
from tick_pipeline.queries.dialect import placeholders
from tick_pipeline.queries.pruning import Scan, find_scans, say_hours
from tick_pipeline.queries.reader import Kind, Statement, read_statement
from tick_pipeline.queries.refusals import refuse_differences
from tick_pipeline.queries.relations import VIEWS, Relation, relations
from tick_pipeline.queries.views import view_sql
from tick_pipeline.resources.query_port import Estimate, TableScan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.resources.duckdb_session import DuckDBSession
    from tick_pipeline.storage import StorageMode

#: Those that an engine runs; the others are answered from the contracts.
EXECUTED = (Kind.SELECT, Kind.EXPLAIN)


def read_sql(sql: str, modes: tuple[StorageMode, ...]) -> Statement:
    """A user's text.

    Raises:
        QueryError: it does not only read, names an unknown relation, or would be answered differently by
            Athena and DuckDB.
    """
    statement = read_statement(sql, modes)
    if statement.tree is not None:
        refuse_differences(statement.tree, {source.relation for source in statement.sources})
    return statement


def read_file(
    name: str, given: Mapping[str, Any], modes: tuple[StorageMode, ...]
) -> tuple[Statement, dict[str, Any]]:
    """A query of this version, and the values of its parameters.

    Raises:
        QueryError: there is none of that name, or a parameter is missing or wrong.
    """
    query = load_query(name)
    names, values = query.bind(given, enabled_modes=modes, now_us=now_us())
    return read_statement(query.sql, modes, names), values


def bound_values(statement: Statement, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that the statement has a parameter for.

    Raises:
        QueryError: one is missing.
    """
    wanted = placeholders(statement.tree) if statement.tree else set[str]()
    missing = sorted(name or "?" for name in wanted - set(values))
    if missing:
        raise QueryError(f"no value was given for the parameter {', '.join(missing)}")
    return {name: values[name] for name in wanted}


def plan_scans(
    session: DuckDBSession, statement: Statement, values: Mapping[str, Any]
) -> list[Scan]:
    """The times that each relation is read for; they are said in the statement, in place."""
    scans = find_scans(
        statement.sources,
        lambda expression, kind: session.constant(expression, kind, values),
    )
    say_hours(scans)
    return scans


def total_estimate(scans: Sequence[Scan], tables: Sequence[TableScan]) -> Estimate:
    """What a statement would read in all, with a warning for each table that it reads whole."""
    warnings = tuple(
        _warning(table, bounded=scan.times.bounded)
        for table, scan in zip(tables, scans, strict=True)
        if not table.pruned
    )
    return Estimate(
        tuple(tables),
        sum(scan.partitions for scan in tables),
        sum(scan.files for scan in tables),
        sum(scan.bytes for scan in tables),
        pruned=not warnings,
        warnings=warnings,
    )


def answer_from_contracts(statement: Statement, modes: tuple[StorageMode, ...]) -> pa.Table:
    """The answer to SHOW and DESCRIBE.

    Raises:
        QueryError: SHOW CREATE VIEW of a table.
    """
    subject = statement.subject
    if statement.kind is Kind.SHOW_SCHEMAS:
        return pa.table({"schema": [mode.value for mode in modes]})
    if isinstance(subject, Relation):
        if statement.kind is Kind.SHOW_COLUMNS:
            columns = subject.columns
            return pa.table({"column": list(columns), "type": list(columns.values())})
        if subject.name not in VIEWS:
            raise QueryError(f"{subject} is no view; views are {', '.join(VIEWS)}")
        return pa.table({"view": [view_sql(subject.name, subject.mode, Dialect.ATHENA)]})
    found = [item for item in relations(modes) if subject in (None, item.mode.value)]
    return pa.table(
        {
            "schema": [item.mode.value for item in found],
            "table": [item.name for item in found],
        }
    )


def _warning(scan: TableScan, *, bounded: bool) -> str:
    if bounded:
        return f"{scan.table} is read whole: the filter covers all of its {scan.partitions} hours"
    return (
        f"{scan.table} is read whole ({scan.partitions} hours): filter on its time column, or on "
        "year, month, day and hour"
    )
