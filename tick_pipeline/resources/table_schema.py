"""Where a stored table is not what its contract says: the catalog's columns, and those of the data files."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
# (pyarrow and parts of pyiceberg have no types)
from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import arrow_schema, iceberg_schema
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.data_files import parquet_files, time_filter
from tick_pipeline.resources.footers import GONE, local_footers
from tick_pipeline.resources.iceberg import open_catalog, partition_column
from tick_pipeline.storage import StorageMode, iceberg_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.resources.footers import Footer, ReadFooters

NO_TABLE = "the catalog has no such table"


def schema_drift(
    home: Home, mode: StorageMode, table: str, start_us: int, end_us: int
) -> list[str]:
    """One line for each difference between what is stored and the contract; none where they agree.

    Compared are the columns' names and types, not their order or nullability: those of the data
    files of the hours that [start, end) touches, by their footers, and those of Iceberg's catalog,
    with its partitioning. A file may lack a column that the contract lets be added.

    Args:
        home: whose tables.
        mode: of which storage mode.
        table: a stored table.
        start_us: start of the window of the data files, microseconds.
        end_us: its end, exclusive.
    """
    times = TimeRange(start_us, end_us)
    if mode is StorageMode.PARQUET_PROJECTION:
        lines = files_drift(
            mode,
            table,
            lambda: [file.path for file in parquet_files(home, table, times)],
            local_footers,
        )
    else:
        try:
            stored = open_catalog(home.path).load_table(iceberg_identifier(table))
        except NoSuchTableError:
            return [f"{mode}.{table}: {NO_TABLE}"]
        lines = iceberg_drift(stored, table, times, local_footers)
    return [f"{mode}.{table}: {line}" for line in lines]


def iceberg_drift(
    stored: Table, table: str, times: TimeRange, read_footers: ReadFooters
) -> Iterator[str]:
    """How an Iceberg table differs from its contract: its schema and partitioning, then its data files.

    Args:
        stored: the table, as the catalog has it.
        table: its name.
        times: of the data files that are looked at.
        read_footers: of those files.
    """
    yield from _catalog_drift(stored, table)
    yield from files_drift(
        StorageMode.ICEBERG, table, lambda: _iceberg_paths(stored, table, times), read_footers
    )


def files_drift(
    mode: StorageMode, table: str, list_paths: Callable[[], list[str]], read_footers: ReadFooters
) -> Iterator[str]:
    """How data files differ from the contract: a line for each difference, however many files it is in."""
    contract = table_contract(table)
    expected = _arrow_columns(arrow_schema(contract, mode))
    # Files of before a column was added never get it; they read as null there, or as its default.
    may_lack = {
        column.name
        for column in contract.fields
        if not column.required or column.default is not None
    }
    footers = read_footers(list_paths())
    if GONE in footers.values():
        # A writer may have swapped an hour after it was listed; its new files are there now.
        footers = read_footers(list_paths())
    found: dict[str, list[str]] = {}
    for path, footer in sorted(footers.items()):
        for fault in _faults(footer, expected, may_lack):
            found.setdefault(fault, []).append(path)
    for fault, paths in found.items():
        yield f"{fault} (in {len(paths)} of {len(footers)} files, as {paths[0]})"


def differences(
    stored: dict[str, str], expected: dict[str, str], may_lack: Collection[str] = ()
) -> Iterator[str]:
    """A line for each column, name -> type, that is missing, of another type, or too many."""
    for name, kind in expected.items():
        if name not in stored:
            if name not in may_lack:
                yield f"column {name} is missing, the contract says {kind}"
        elif stored[name] != kind:
            yield f"column {name} is {stored[name]}, the contract says {kind}"
    for name, kind in stored.items():
        if name not in expected:
            yield f"column {name} is {kind}, the contract has no such column"


def _catalog_drift(stored: Table, table: str) -> Iterator[str]:
    for difference in differences(_iceberg_columns(stored.schema()), _contract_columns(table)):
        yield f"{difference} (in the catalog)"
    partitioning = ", ".join(
        f"{field.transform}({stored.schema().find_column_name(field.source_id)})"
        for field in stored.spec().fields
    )
    wanted = f"hour({partition_column(table)})"
    if partitioning != wanted:
        yield f"it is partitioned by {partitioning or 'nothing'}, it must be by {wanted} (in the catalog)"


def _faults(footer: Footer, expected: dict[str, str], may_lack: Collection[str]) -> list[str]:
    if isinstance(footer, str):
        return [footer]
    return list(differences(_arrow_columns(footer.schema.to_arrow_schema()), expected, may_lack))


def _iceberg_paths(stored: Table, table: str, times: TimeRange) -> list[str]:
    """Data files of the current snapshot; of every hour where the column that tells it has drifted."""
    column = partition_column(table)
    is_kept = _iceberg_columns(stored.schema()).get(column) == _contract_columns(table)[column]
    row_filter = time_filter(column, times) if is_kept else AlwaysTrue()
    scan = stored.refresh().scan(row_filter=row_filter)
    return [task.file.file_path.removeprefix("file://") for task in scan.plan_files()]


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
