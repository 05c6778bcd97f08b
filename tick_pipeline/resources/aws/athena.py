"""The query port on AWS: Athena runs the SQL, by PyAthena, over the tables of the Glue Data Catalog."""

# pyarrow has no types
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.athena_text import athena_text
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.queries.reader import position
from tick_pipeline.resources.aws.athena_query import (
    POLL_SECONDS,
    QUERY_TIMEOUT_SECONDS,
    AthenaQuery,
)
from tick_pipeline.resources.aws.athena_rows import arrow_table
from tick_pipeline.resources.aws.glue_catalog import lake_errors, load_iceberg_table
from tick_pipeline.resources.aws.s3_files import (
    has_files_outside,
    list_parquet_files,
    warehouse_uri,
)
from tick_pipeline.resources.data_files import DataFile, iceberg_files
from tick_pipeline.resources.duckdb_session import DuckDBSession
from tick_pipeline.resources.iceberg import partition_column
from tick_pipeline.resources.query_plan import (
    EXECUTED,
    answer_from_contracts,
    bound_values,
    plan_scans,
    read_file,
    read_sql,
    total_estimate,
)
from tick_pipeline.resources.query_port import Estimate, QueryResult, TableScan
from tick_pipeline.resources.time_travel import snapshots_at
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyathena.model import AthenaQueryExecution
    from pyiceberg.table import Table

    from tick_pipeline.queries.pruning import Scan
    from tick_pipeline.queries.reader import Statement
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.settings import Settings


class AthenaQueryEngine:
    """The port on Athena, in the workgroup that the settings name.

    Args:
        clients: of AWS.
        settings: project, bucket, workgroup and storage modes.
        timeout_seconds: after which a query is stopped and given up.
        poll_seconds: between two looks at a query.
    """

    def __init__(
        self,
        clients: AwsClients,
        settings: Settings,
        *,
        timeout_seconds: float = QUERY_TIMEOUT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._modes = settings.storage_modes
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds

    @property
    def name(self) -> str:
        """See QueryEngine."""
        return "Athena"

    def run(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """See QueryEngine; an AwsError, too, where AWS itself fails."""
        return self._run(read_sql(sql, self._modes), parameters or {}, as_of_us)

    def run_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """See QueryEngine; an AwsError, too, where AWS itself fails."""
        return self._run(*read_file(name, parameters or {}, self._modes), as_of_us)

    def estimate(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """See QueryEngine; from S3's listing and Iceberg's metadata."""
        return self._estimate(read_sql(sql, self._modes), parameters or {}, as_of_us)

    def estimate_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """See QueryEngine; from S3's listing and Iceberg's metadata."""
        return self._estimate(*read_file(name, parameters or {}, self._modes), as_of_us)

    def _run(
        self, statement: Statement, given: Mapping[str, Any], as_of_us: int | None
    ) -> QueryResult:
        began = time.monotonic()
        if statement.kind not in EXECUTED:
            table = answer_from_contracts(statement, self._modes)
            return QueryResult(table, time.monotonic() - began, None, 0)
        columns_of_user = _columns(statement)
        values = bound_values(statement, given)
        with DuckDBSession() as session:
            plan_scans(session, statement, values)
        self._require_history(statement, as_of_us)
        text = athena_text(statement, str(self._settings.project), values, as_of_us)
        query = AthenaQuery(
            self._clients,
            str(self._settings.athena_workgroup),
            timeout_seconds=self._timeout_seconds,
            poll_seconds=self._poll_seconds,
        )
        try:
            execution, columns, rows = query.run(text)
        except QueryError as error:
            raise QueryError(f"{_place(error, columns_of_user)}{error}") from error
        return QueryResult(
            arrow_table(columns, rows),
            time.monotonic() - began,
            None,
            execution.data_scanned_in_bytes or 0,
            _details(execution),
        )

    def _estimate(
        self, statement: Statement, given: Mapping[str, Any], as_of_us: int | None
    ) -> Estimate:
        values = bound_values(statement, given)
        if statement.kind not in EXECUTED:
            return total_estimate((), ())
        with DuckDBSession() as session:
            scans = plan_scans(session, statement, values)
        iceberg = self._load(statement)
        relations = [source.relation for source in statement.sources]
        snapshots = snapshots_at(iceberg, relations, as_of_us)
        return total_estimate(scans, [self._scan(scan, iceberg, snapshots) for scan in scans])

    def _load(self, statement: Statement) -> dict[str, Table]:
        """The Iceberg tables that a statement reads, by name."""
        tables = {
            source.relation.table
            for source in statement.sources
            if source.relation.mode is StorageMode.ICEBERG
        }
        return {
            table: load_iceberg_table(self._clients, self._settings, table)
            for table in sorted(tables)
        }

    def _require_history(self, statement: Statement, as_of_us: int | None) -> None:
        """Say what is wrong with a moment before Athena does, which knows no other storage mode."""
        if as_of_us is not None:
            relations = [source.relation for source in statement.sources]
            snapshots_at(self._load(statement), relations, as_of_us)

    def _scan(
        self, scan: Scan, iceberg: Mapping[str, Table], snapshots: Mapping[str, int]
    ) -> TableScan:
        relation = scan.source.relation
        if relation.mode is StorageMode.ICEBERG:
            table = relation.table
            files, total = _iceberg_scan(iceberg[table], table, scan.times, snapshots.get(table))
        else:
            files, total = self._projected_scan(relation.table, scan.times)
        return TableScan(
            str(relation), _hours(files), total, len(files), sum(file.bytes for file in files)
        )

    def _projected_scan(
        self, table: str, times: TimeRange
    ) -> tuple[Sequence[DataFile], int | None]:
        warehouse = warehouse_uri(str(self._settings.bucket))
        files = list_parquet_files(self._clients, warehouse, table, times)
        more = has_files_outside(self._clients, warehouse, table, times)
        return files, None if more else _hours(files)


def _iceberg_scan(
    found: Table, table: str, times: TimeRange, snapshot_id: int | None
) -> tuple[Sequence[DataFile], int | None]:
    with lake_errors(f"planning a scan of iceberg.{table}"):
        column = partition_column(table)
        files = iceberg_files(found, column, times, snapshot_id)
        return files, _hours(iceberg_files(found, column, TimeRange(), snapshot_id))


def _hours(files: Sequence[DataFile]) -> int:
    return len({file.hour_us for file in files})


def _details(execution: AthenaQueryExecution) -> dict[str, str | int]:
    return {
        "query_id": execution.query_id or "",
        "workgroup": execution.work_group or "",
        "engine_milliseconds": execution.engine_execution_time_in_millis or 0,
        "queued_milliseconds": execution.query_queue_time_in_millis or 0,
    }


def _columns(statement: Statement) -> dict[str, str]:
    """Where the user's text has each column first; Athena counts in the text that it was sent."""
    nodes = reversed(list(statement.tree.find_all(exp.Column)) if statement.tree else [])
    return {node.name.lower(): position(node) for node in nodes}


def _place(error: QueryError, columns: Mapping[str, str]) -> str:
    named = re.search(r"Column '(?:[^']*\.)?([^'.]+)' cannot be resolved", str(error))
    return columns.get(named[1].lower(), "") if named else ""
