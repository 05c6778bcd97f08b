"""Where a stored table is not what its contract says: the catalog's columns, and those of the data files."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow and parts of pyiceberg have no types)
from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import arrow_schema, iceberg_schema
from tick_pipeline.event_time import as_datetime
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import parquet_files
from tick_pipeline.resources.iceberg import open_catalog, partition_column
from tick_pipeline.storage import StorageMode, iceberg_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyiceberg.table import Table

    from tick_pipeline.home import Home

_GONE = "a data file is not there"
_UNREADABLE = "a data file cannot be read as Parquet"


def schema_drift(
    home: Home, mode: StorageMode, table: str, start_us: int, end_us: int
) -> list[str]:
    """One line for each difference between what is stored and the contract; none where they agree.

    Compared are the columns' names and types, not their order or nullability: those of the data
    files of the hours that [start, end) touches, by their footers, and those of Iceberg's catalog,
    with its partitioning.

    Args:
        home: whose tables.
        mode: of which storage mode.
        table: a stored table.
        start_us: start of the window of the data files, microseconds.
        end_us: its end, exclusive.
    """
    expected = _arrow_columns(arrow_schema(table_contract(table), mode))
    if mode is StorageMode.PARQUET_PROJECTION:
        times = TimeRange(start_us, end_us)
        lines = _files_drift(
            expected, lambda: [file.path for file in parquet_files(home, table, times)]
        )
    else:
        try:
            stored = open_catalog(home.path).load_table(iceberg_identifier(table))
        except NoSuchTableError:
            return [f"{mode}.{table}: the catalog has no such table"]
        lines = [
            *_catalog_drift(stored, table),
            *_files_drift(expected, lambda: _iceberg_paths(stored, table, start_us, end_us)),
        ]
    return [f"{mode}.{table}: {line}" for line in lines]


def _catalog_drift(stored: Table, table: str) -> Iterator[str]:
    for difference in _differences(_iceberg_columns(stored.schema()), _contract_columns(table)):
        yield f"{difference} (in the catalog)"
    partitioning = ", ".join(
        f"{field.transform}({stored.schema().find_column_name(field.source_id)})"
        for field in stored.spec().fields
    )
    wanted = f"hour({partition_column(table)})"
    if partitioning != wanted:
        yield f"it is partitioned by {partitioning or 'nothing'}, it must be by {wanted} (in the catalog)"


def _files_drift(expected: dict[str, str], list_paths: Callable[[], list[str]]) -> Iterator[str]:
    """A line for each difference, however many files it is in."""
    footers = {path: _read_footer(path) for path in list_paths()}
    if _GONE in footers.values():
        # A writer may have swapped an hour after it was listed; its new files are there now.
        footers = {path: _read_footer(path) for path in list_paths()}
    found: dict[str, list[str]] = {}
    for path, footer in sorted(footers.items()):
        faults = [footer] if isinstance(footer, str) else _differences(footer, expected)
        for fault in faults:
            found.setdefault(fault, []).append(path)
    for fault, paths in found.items():
        yield f"{fault} (in {len(paths)} of {len(footers)} files, as {paths[0]})"


def _differences(stored: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    for name, kind in expected.items():
        if name not in stored:
            yield f"column {name} is missing, the contract says {kind}"
        elif stored[name] != kind:
            yield f"column {name} is {stored[name]}, the contract says {kind}"
    for name, kind in stored.items():
        if name not in expected:
            yield f"column {name} is {kind}, the contract has no such column"


def _iceberg_paths(stored: Table, table: str, start_us: int, end_us: int) -> list[str]:
    """Data files of the current snapshot; of every hour where the column that tells it has drifted."""
    column = partition_column(table)
    is_kept = _iceberg_columns(stored.schema()).get(column) == _contract_columns(table)[column]
    start, end = (as_datetime(us).isoformat() for us in (start_us, end_us))
    of_hours = f"{column} >= '{start}' and {column} < '{end}'"
    scan = stored.refresh().scan(row_filter=of_hours if is_kept else AlwaysTrue())
    return [task.file.file_path.removeprefix("file://") for task in scan.plan_files()]


def _read_footer(path: str) -> dict[str, str] | str:
    """A file's columns, or why there are none."""
    try:
        return _arrow_columns(pq.read_schema(path))
    except FileNotFoundError:
        return _GONE
    except (OSError, pa.ArrowException):
        return _UNREADABLE


def _contract_columns(table: str) -> dict[str, str]:
    return _iceberg_columns(Schema.model_validate(iceberg_schema(table_contract(table))))


def _iceberg_columns(schema: Schema) -> dict[str, str]:
    return {field.name: str(field.field_type) for field in schema.fields}


def _arrow_columns(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(_parquet_type(field.type)) for field in schema}


def _parquet_type(kind: pa.DataType) -> pa.DataType:
    """The type without what only Arrow knows of it, which a file of Arrow's tells beside its own."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, tz="UTC")
    return kind
