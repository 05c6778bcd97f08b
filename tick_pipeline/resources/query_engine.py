"""The local adapter of the query port: DuckDB over the tables of a HOME."""

# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# (duckdb and pyarrow have no types)
from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.dialect import to_duckdb
from tick_pipeline.queries.pruning import Scan, TimeRange
from tick_pipeline.queries.reader import Kind, Statement, position
from tick_pipeline.queries.relations import Relation
from tick_pipeline.resources.data_files import DataFile, iceberg_files, parquet_files
from tick_pipeline.resources.duckdb_session import (
    DUCKDB,
    DuckDBSession,
    FilesChangedError,
    first_line,
    one_line_errors,
)
from tick_pipeline.resources.iceberg import load_table, partition_column
from tick_pipeline.resources.query_plan import (
    EXECUTED,
    answer_from_contracts,
    bound_values,
    plan_scans,
    read_file,
    read_sql,
    total_estimate,
)
from tick_pipeline.resources.query_port import Estimate, QueryEngine, QueryResult, TableScan
from tick_pipeline.resources.time_travel import snapshots_at
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    import pyarrow as pa
    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

__all__ = ["Estimate", "LocalQueryEngine", "QueryEngine", "QueryResult", "TableScan"]

#: A writer may swap an hour's files between planning and reading; a fresh plan then sees the new ones.
_TRIES = 3


@dataclass(frozen=True)
class _Plan:
    """A statement, the values bound to it, the files of each stored table it names, and snapshots other than the current."""

    statement: Statement
    values: dict[str, Any]
    scans: list[Scan]
    files: dict[Relation, list[DataFile]]
    iceberg: dict[str, Table]
    snapshots: dict[str, int]

    @property
    def relations(self) -> set[Relation]:
        return {scan.source.relation for scan in self.scans}


class LocalQueryEngine:
    """The port on DuckDB, over the tables of a HOME; each statement has a session of its own."""

    def __init__(self, home: Home, settings: Settings) -> None:
        """Keep where the tables are and which storage modes are in use; nothing is opened yet."""
        self._home = home
        self._modes = settings.storage_modes

    @property
    def name(self) -> str:
        """See QueryEngine."""
        return DUCKDB

    def run(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """See QueryEngine."""
        return self._run(read_sql(sql, self._modes), dict(parameters or {}), as_of_us)

    def run_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """See QueryEngine."""
        return self._run(*read_file(name, parameters or {}, self._modes), as_of_us)

    def estimate(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """See QueryEngine."""
        return self._estimate(read_sql(sql, self._modes), dict(parameters or {}), as_of_us)

    def estimate_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """See QueryEngine."""
        return self._estimate(*read_file(name, parameters or {}, self._modes), as_of_us)

    @contextmanager
    def result_rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Generator[pa.RecordBatchReader]:
        """The rows of one statement as a stream of batches, however many they are.

        Raises:
            QueryError: it cannot be run.
        """
        statement, values = read_sql(sql, self._modes), dict(parameters or {})
        if statement.kind is not Kind.SELECT:
            yield self._run(statement, values, None).table.to_reader()
            return
        with self._session(statement, values) as (session, plan):
            self._execute(session, plan)
            yield session.rows()

    def _run(
        self, statement: Statement, values: dict[str, Any], as_of_us: int | None
    ) -> QueryResult:
        began = time.monotonic()
        if statement.kind not in EXECUTED:
            table = answer_from_contracts(statement, self._modes)
            return QueryResult(table, time.monotonic() - began, 0, 0)
        for _ in range(_TRIES - 1):
            with suppress(FilesChangedError):
                return self._attempt(statement, values, as_of_us, began)
        return self._attempt(statement, values, as_of_us, began)

    def _attempt(
        self, statement: Statement, values: dict[str, Any], as_of_us: int | None, began: float
    ) -> QueryResult:
        with self._session(statement, values, as_of_us) as (session, plan):
            self._execute(session, plan)
            table = session.rows().read_all()
        files = [file for found in plan.files.values() for file in found]
        size = sum(file.bytes for file in files)
        return QueryResult(table, time.monotonic() - began, len(files), size)

    @contextmanager
    def _session(
        self, statement: Statement, values: dict[str, Any], as_of_us: int | None = None
    ) -> Generator[tuple[DuckDBSession, _Plan]]:
        with DuckDBSession() as session, one_line_errors():
            plan = self._plan(session, statement, values, as_of_us)
            for relation, files in plan.files.items():
                if relation.mode is StorageMode.PARQUET_PROJECTION:
                    session.add_parquet_table(relation.name, [file.path for file in files])
                else:
                    location = plan.iceberg[relation.name].metadata_location
                    snapshot_id = plan.snapshots.get(relation.name)
                    session.add_iceberg_table(relation.name, location, snapshot_id)
            session.add_views(plan.relations)
            session.lock(self._home.warehouse)
            yield session, plan

    def _plan(
        self,
        session: DuckDBSession,
        statement: Statement,
        values: dict[str, Any],
        as_of_us: int | None,
    ) -> _Plan:
        wanted = bound_values(statement, values)
        scans = plan_scans(session, statement, wanted)
        ranges: dict[Relation, TimeRange] = {}
        for scan in scans:
            stored = Relation(scan.source.relation.mode, scan.source.relation.table)
            ranges[stored] = ranges[stored].hull(scan.times) if stored in ranges else scan.times
        iceberg = self._load(ranges)
        snapshots = snapshots_at(iceberg, ranges, as_of_us)
        files = {
            relation: self._files(relation, times, iceberg, snapshots)
            for relation, times in ranges.items()
        }
        return _Plan(statement, wanted, scans, files, iceberg, snapshots)

    def _load(self, stored: Iterable[Relation]) -> dict[str, Table]:
        tables = {relation.name for relation in stored if relation.mode is StorageMode.ICEBERG}
        return {table: load_table(self._home.path, table) for table in tables}

    def _files(
        self,
        stored: Relation,
        times: TimeRange,
        iceberg: Mapping[str, Table],
        snapshots: Mapping[str, int],
    ) -> list[DataFile]:
        if stored.mode is StorageMode.PARQUET_PROJECTION:
            return parquet_files(self._home, stored.name, times)
        column = partition_column(stored.name)
        return iceberg_files(iceberg[stored.name], column, times, snapshots.get(stored.name))

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

    def _estimate(
        self, statement: Statement, values: dict[str, Any], as_of_us: int | None
    ) -> Estimate:
        if statement.kind not in EXECUTED:
            return Estimate((), 0, 0, 0, pruned=True, warnings=())
        with DuckDBSession() as session:
            plan = self._plan(session, statement, values, as_of_us)
        return total_estimate(plan.scans, [self._scan(scan, plan) for scan in plan.scans])

    def _scan(self, scan: Scan, plan: _Plan) -> TableScan:
        relation = scan.source.relation
        stored = Relation(relation.mode, relation.table)
        files = self._files(stored, scan.times, plan.iceberg, plan.snapshots)
        every = self._files(stored, TimeRange(), plan.iceberg, plan.snapshots)
        return TableScan(
            str(relation),
            len({file.hour_us for file in files}),
            len({file.hour_us for file in every}),
            len(files),
            sum(file.bytes for file in files),
        )


def _column_position(tree: exp.Query, error: duckdb.Error) -> str:
    """Where the user's text has the column that DuckDB names; DuckDB counts in its own text."""
    named = re.search(r'column (?:named )?"([^"]+)"', str(error))
    columns = (node for node in tree.find_all(exp.Column) if named and node.name == named[1])
    return next((position(node) for node in columns), "")
