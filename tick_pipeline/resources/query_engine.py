"""The port through which SQL in Athena's dialect runs, and its local adapter on DuckDB."""

# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (duckdb and pyarrow have no types)
from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.errors import QueryError
from tick_pipeline.event_time import now_us
from tick_pipeline.queries.catalogue import load_query
from tick_pipeline.queries.dialect import placeholders, to_duckdb
from tick_pipeline.queries.pruning import Scan, TimeRange, find_scans, say_hours
from tick_pipeline.queries.reader import Kind, Statement, position, read_statement
from tick_pipeline.queries.refusals import refuse_differences
from tick_pipeline.queries.relations import VIEWS, Relation, relations
from tick_pipeline.queries.views import view_sql
from tick_pipeline.resources.data_files import DataFile, iceberg_files, parquet_files
from tick_pipeline.resources.duckdb_session import (
    DuckDBSession,
    FilesChangedError,
    first_line,
    one_line_errors,
)
from tick_pipeline.resources.iceberg import open_catalog, partition_column
from tick_pipeline.storage import StorageMode, iceberg_identifier

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

#: A writer may swap an hour's files between planning and reading; a fresh plan then sees the new ones.
_TRIES = 3


@dataclass(frozen=True)
class TableScan:
    """What a statement would read of one relation.

    Attributes:
        table: `mode.relation`.
        partitions: hours that it would read.
        partitions_total: hours that the table has.
        files: data files of those hours.
        bytes: their size; columns that are not named are not read, so this is the most.
    """

    table: str
    partitions: int
    partitions_total: int
    files: int
    bytes: int

    @property
    def pruned(self) -> bool:
        """Whether any partition is left out, or there is none."""
        return self.partitions < self.partitions_total or self.partitions_total == 0


@dataclass(frozen=True)
class Estimate:
    """What a statement would read, without running it.

    Attributes:
        tables: one entry for each place that names a relation.
        partitions: of all of them together, as are files and bytes.
        files: data files.
        bytes: their size.
        pruned: False when a partitioned table would be read whole.
        warnings: one line for each such table.
    """

    tables: tuple[TableScan, ...]
    partitions: int
    files: int
    bytes: int
    pruned: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class QueryResult:
    """Rows, and what they cost.

    Attributes:
        table: the rows; timestamps are UTC.
        seconds: wall time from the text to the rows.
        files: data files that the plan left to read.
        bytes: their size.
    """

    table: pa.Table
    seconds: float
    files: int
    bytes: int

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows as plain values, by column."""
        return self.table.to_pylist()


class QueryEngine(Protocol):
    """Runs read-only SQL in Athena's dialect over the relations of both storage modes."""

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Run one statement; `:name` in it is bound to parameters[name].

        Raises:
            QueryError: it cannot be run, with the reason in one line.
        """
        ...

    def run_file(self, name: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Run a query that ships with this version.

        Raises:
            QueryError: there is none of that name, or a parameter is missing or wrong.
        """
        ...

    def estimate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Estimate:
        """What `run` would read, from names and metadata alone."""
        ...

    def estimate_file(self, name: str, parameters: Mapping[str, Any] | None = None) -> Estimate:
        """What `run_file` would read, from names and metadata alone."""
        ...


@dataclass(frozen=True)
class _Plan:
    """A statement, the values bound to it, and the files of each stored table it names."""

    statement: Statement
    values: dict[str, Any]
    scans: list[Scan]
    files: dict[Relation, list[DataFile]]
    iceberg: dict[str, Table]

    @property
    def relations(self) -> set[Relation]:
        return {scan.source.relation for scan in self.scans}


class LocalQueryEngine:
    """The port on DuckDB, over the tables of a HOME; each statement has a session of its own."""

    def __init__(self, home: Home, settings: Settings) -> None:
        """Keep where the tables are and which storage modes are in use; nothing is opened yet."""
        self._home = home
        self._modes = settings.storage_modes

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """See QueryEngine."""
        return self._run(self._statement(sql), dict(parameters or {}))

    def run_file(self, name: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """See QueryEngine."""
        return self._run(*self._file(name, parameters or {}))

    def estimate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Estimate:
        """See QueryEngine."""
        return self._estimate(self._statement(sql), dict(parameters or {}))

    def estimate_file(self, name: str, parameters: Mapping[str, Any] | None = None) -> Estimate:
        """See QueryEngine."""
        return self._estimate(*self._file(name, parameters or {}))

    @contextmanager
    def result_rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Generator[pa.RecordBatchReader]:
        """The rows of one statement as a stream of batches, however many they are.

        Raises:
            QueryError: it cannot be run.
        """
        statement, values = self._statement(sql), dict(parameters or {})
        if statement.kind is not Kind.SELECT:
            yield self._run(statement, values).table.to_reader()
            return
        with self._session(statement, values) as (session, plan):
            self._execute(session, plan)
            yield session.rows()

    def _statement(self, sql: str) -> Statement:
        statement = read_statement(sql, self._modes)
        if statement.tree is not None:
            refuse_differences(statement.tree, {source.relation for source in statement.sources})
        return statement

    def _file(self, name: str, given: Mapping[str, Any]) -> tuple[Statement, dict[str, Any]]:
        query = load_query(name)
        names, values = query.bind(given, enabled_modes=self._modes, now_us=now_us())
        return read_statement(query.sql, self._modes, names), values

    def _run(self, statement: Statement, values: dict[str, Any]) -> QueryResult:
        began = time.monotonic()
        if statement.kind not in (Kind.SELECT, Kind.EXPLAIN):
            return QueryResult(self._show(statement), time.monotonic() - began, 0, 0)
        for _ in range(_TRIES - 1):
            with suppress(FilesChangedError):
                return self._attempt(statement, values, began)
        return self._attempt(statement, values, began)

    def _attempt(self, statement: Statement, values: dict[str, Any], began: float) -> QueryResult:
        with self._session(statement, values) as (session, plan):
            self._execute(session, plan)
            table = session.rows().read_all()
        files = [file for found in plan.files.values() for file in found]
        size = sum(file.bytes for file in files)
        return QueryResult(table, time.monotonic() - began, len(files), size)

    @contextmanager
    def _session(
        self, statement: Statement, values: dict[str, Any]
    ) -> Generator[tuple[DuckDBSession, _Plan]]:
        with DuckDBSession() as session, one_line_errors():
            plan = self._plan(session, statement, values)
            for relation, files in plan.files.items():
                if relation.mode is StorageMode.PARQUET_PROJECTION:
                    session.add_parquet_table(relation.name, [file.path for file in files])
                else:
                    location = plan.iceberg[relation.name].metadata_location
                    session.add_iceberg_table(relation.name, location)
            session.add_views(plan.relations)
            session.lock(self._home.warehouse)
            yield session, plan

    def _plan(self, session: DuckDBSession, statement: Statement, values: dict[str, Any]) -> _Plan:
        tree = statement.tree
        wanted = placeholders(tree) if tree else set[str]()
        missing = sorted(name or "?" for name in wanted - set(values))
        if missing:
            raise QueryError(f"no value was given for the parameter {', '.join(missing)}")
        scans = find_scans(
            statement.sources,
            lambda expression, kind: session.constant(expression, kind, values),
        )
        say_hours(scans)
        ranges: dict[Relation, TimeRange] = {}
        for scan in scans:
            stored = Relation(scan.source.relation.mode, scan.source.relation.table)
            ranges[stored] = ranges[stored].hull(scan.times) if stored in ranges else scan.times
        iceberg = self._load(ranges)
        files = {
            relation: self._files(relation, times, iceberg) for relation, times in ranges.items()
        }
        return _Plan(statement, {name: values[name] for name in wanted}, scans, files, iceberg)

    def _load(self, stored: Iterable[Relation]) -> dict[str, Table]:
        tables = {relation.name for relation in stored if relation.mode is StorageMode.ICEBERG}
        if not tables:
            return {}
        catalog = open_catalog(self._home.path)
        return {table: catalog.load_table(iceberg_identifier(table)) for table in tables}

    def _files(
        self, stored: Relation, times: TimeRange, iceberg: Mapping[str, Table]
    ) -> list[DataFile]:
        if stored.mode is StorageMode.PARQUET_PROJECTION:
            return parquet_files(self._home, stored.name, times)
        return iceberg_files(iceberg[stored.name], partition_column(stored.name), times)

    @staticmethod
    def _execute(session: DuckDBSession, plan: _Plan) -> None:
        tree = plan.statement.tree
        if tree is None:
            raise AssertionError
        text = to_duckdb(tree)
        if plan.statement.kind is Kind.EXPLAIN:
            text = f"explain {text}"
        try:
            session.connection.execute(text, plan.values)
        except duckdb.BinderException as error:
            raise QueryError(f"{_column_position(tree, error)}{first_line(error)}") from error

    def _estimate(self, statement: Statement, values: dict[str, Any]) -> Estimate:
        if statement.kind not in (Kind.SELECT, Kind.EXPLAIN):
            return Estimate((), 0, 0, 0, pruned=True, warnings=())
        with DuckDBSession() as session:
            plan = self._plan(session, statement, values)
        tables = tuple(self._scan(scan, plan) for scan in plan.scans)
        warnings = tuple(
            _warning(table, bounded=scan.times.bounded)
            for table, scan in zip(tables, plan.scans, strict=True)
            if not table.pruned
        )
        return Estimate(
            tables,
            sum(scan.partitions for scan in tables),
            sum(scan.files for scan in tables),
            sum(scan.bytes for scan in tables),
            pruned=not warnings,
            warnings=warnings,
        )

    def _scan(self, scan: Scan, plan: _Plan) -> TableScan:
        relation = scan.source.relation
        stored = Relation(relation.mode, relation.table)
        files = self._files(stored, scan.times, plan.iceberg)
        every = self._files(stored, TimeRange(), plan.iceberg)
        return TableScan(
            str(relation),
            len({file.hour_us for file in files}),
            len({file.hour_us for file in every}),
            len(files),
            sum(file.bytes for file in files),
        )

    def _show(self, statement: Statement) -> pa.Table:
        subject = statement.subject
        if statement.kind is Kind.SHOW_SCHEMAS:
            return pa.table({"schema": [mode.value for mode in self._modes]})
        if isinstance(subject, Relation):
            if statement.kind is Kind.SHOW_COLUMNS:
                columns = subject.columns
                return pa.table({"column": list(columns), "type": list(columns.values())})
            if subject.name not in VIEWS:
                raise QueryError(f"{subject} is no view; views are {', '.join(VIEWS)}")
            return pa.table({"view": [view_sql(subject.name, subject.mode, Dialect.ATHENA)]})
        found = [item for item in relations(self._modes) if subject in (None, item.mode.value)]
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


def _column_position(tree: exp.Query, error: duckdb.Error) -> str:
    """Where the user's text has the column that DuckDB names; DuckDB counts in its own text."""
    named = re.search(r'column (?:named )?"([^"]+)"', str(error))
    columns = (node for node in tree.find_all(exp.Column) if named and node.name == named[1])
    return next((position(node) for node in columns), "")
