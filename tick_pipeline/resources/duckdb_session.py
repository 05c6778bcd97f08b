"""One DuckDB session: in memory, without network, that sees the relations of one statement and no other file."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
# (pyarrow, duckdb and its extension packages have no types)
from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.rules import Dialect
from tick_pipeline.contracts.types import duckdb_columns
from tick_pipeline.errors import QueryError, RuntimeMissingError, WorkError
from tick_pipeline.queries.dialect import placeholders, to_duckdb
from tick_pipeline.queries.relations import VIEWS
from tick_pipeline.queries.views import view_sql
from tick_pipeline.storage import PARTITION_KEYS, StorageMode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from sqlglot import exp
    from typing_extensions import Self

    from tick_pipeline.queries.relations import Relation

#: Its name for people.
DUCKDB = "DuckDB on this machine"
_BATCH_ROWS = 10_000
#: In the order in which DuckDB needs them: Iceberg reads its manifests with avro.
_EXTENSIONS = ("avro", "httpfs", "iceberg")


class DuckDBSession:
    """A connection with the relations of one statement as views; close it after use."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                # What is loaded is ours alone, and its signature was checked: see _checked_extensions.
                "allow_unsigned_extensions": "true",
                "temp_directory": str(Path(tempfile.gettempdir()) / f"tick_pipeline_{os.getpid()}"),
            }
        )
        # Timestamps are read, printed and cut to hours in the session's zone.
        self.connection.execute("set timezone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def constant(
        self, expression: exp.Expr, kind: type[int | str], values: Mapping[str, Any]
    ) -> int | str | None:
        """An expression without columns: an instant in microseconds, an integer or a text; or None."""
        names = placeholders(expression)
        text = to_duckdb(expression)
        cast = (
            f"try_cast({text} as varchar)"
            if kind is str
            else f"case when typeof({text}) like 'TIMESTAMP%' then epoch_us(try_cast({text} as timestamptz))"
            # A fraction is no bound of whole microseconds.
            f" when typeof({text}) like '%INT%' then try_cast({text} as bigint) end"
        )
        try:
            row = self.connection.execute(
                f"select {cast}",
                {name: values[name] for name in names},
            ).fetchone()
        except (duckdb.Error, KeyError):
            # Then the statement itself fails with DuckDB's message; here nothing is known.
            return None
        return row[0] if row and isinstance(row[0], kind) else None

    def add_iceberg_table(
        self, table: str, metadata_location: str, snapshot_id: int | None = None
    ) -> None:
        """Add `iceberg.<table>` as its current snapshot is, or another."""
        self._load_iceberg()
        of_then = "" if snapshot_id is None else f", snapshot_from_id = {snapshot_id}"
        location = _literal(metadata_location)
        text = f"select * from iceberg_scan({location}{of_then})"  # noqa: S608  (of the catalog)
        self._create(StorageMode.ICEBERG, table, text)

    def add_parquet_table(self, table: str, paths: Sequence[str]) -> None:
        """Add `parquet_projection.<table>` as the given files, or as an empty table without any."""
        mode = StorageMode.PARQUET_PROJECTION
        columns = duckdb_columns(table_contract(table), mode) | dict.fromkeys(
            PARTITION_KEYS, "varchar"
        )
        typed = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())
        text = f"select {typed} where false"
        if paths:
            files = ", ".join(_literal(_without_globs(path)) for path in paths)
            # By name: Spark and landing may write the columns in another order, and a file that was
            # written before the contract got a column has it not.
            options = "hive_partitioning = true, hive_types_autocast = false, union_by_name = true"
            text += f" union all by name select * from read_parquet([{files}], {options})"  # noqa: S608
            text = f"select {', '.join(columns)} from ({text})"  # noqa: S608  (quoted)
        self._create(mode, table, text)

    def add_views(self, relations: Iterable[Relation]) -> None:
        """Add `ticks` and `received` of those relations; their raw tables must be there."""
        for relation in relations:
            if relation.name in VIEWS:
                text = view_sql(relation.name, relation.mode, Dialect.DUCKDB)
                self._create(relation.mode, relation.name, text)

    def lock(self, folder: Path) -> None:
        """Nothing but files below `folder` can be read from now on, and no setting changes."""
        # Each form in which a path can be written: DuckDB compares texts.
        forms = {str(folder), _without_globs(str(folder)), folder.as_uri()}
        allowed = ", ".join(_literal(f"{form}/") for form in sorted(forms))
        self.connection.execute(f"set allowed_directories = [{allowed}]")
        self.connection.execute("set enable_external_access = false")
        self.connection.execute("set lock_configuration = true")

    def rows(self) -> pa.RecordBatchReader:
        """The rows of the statement that was executed last, as a stream.

        What is a bigint in Athena (a sum, for one) and 128 bits wide in DuckDB is a bigint again.
        """
        types = [str(column[1]) for column in self.connection.description or []]
        reader = self.connection.to_arrow_reader(_BATCH_ROWS)
        if "HUGEINT" not in types:
            return reader
        fields = [
            field.with_type(pa.int64()) if kind == "HUGEINT" else field
            for field, kind in zip(reader.schema, types, strict=True)
        ]
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in reader))

    def _create(self, mode: StorageMode, name: str, text: str) -> None:
        self.connection.execute(f"create schema if not exists {mode}")
        self.connection.execute(f"create view {mode}.{name} as {text}")

    def _load_iceberg(self) -> None:
        for path in _checked_extensions():
            self.connection.execute(f"load {_literal(str(path))}")


@lru_cache
def _checked_extensions() -> tuple[Path, ...]:
    """The extensions' files, whose signatures DuckDB has checked: once a process, for it takes 0.25 s."""
    paths = tuple(_extension(name) for name in _EXTENSIONS)
    with duckdb.connect(config={"allow_unsigned_extensions": "false"}) as connection:
        for path in paths:
            connection.execute(f"load {_literal(str(path))}")
    return paths


def _extension(name: str) -> Path:
    package = import_module(f"duckdb_extension_{name}")
    path = (
        Path(str(package.__file__)).parent
        / "extensions"
        / f"v{duckdb.__version__}"
        / f"{name}.duckdb_extension"
    )
    if not path.exists():
        raise RuntimeMissingError(
            f"DuckDB {duckdb.__version__} finds no extension {name} at {path}; "
            f"install duckdb-extension-{name}=={duckdb.__version__}, as `make setup` does"
        )
    return path


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _without_globs(path: str) -> str:
    """A path whose `*`, `?` and `[` stand for themselves in read_parquet."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)


class FilesChangedError(WorkError):
    """A file of the plan was not there any more."""


@contextmanager
def one_line_errors() -> Generator[None]:
    """DuckDB's errors as this project's, each one line.

    Raises:
        QueryError: the statement cannot be run.
        FilesChangedError: a file of the plan was gone.
        WorkError: memory ran out.
    """
    try:
        yield
    except duckdb.IOException as error:
        raise FilesChangedError(
            f"a file cannot be read, or changed under the query; run it again: {first_line(error)}"
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise WorkError(
            f"the query needs more memory than there is: {first_line(error)}"
        ) from error
    except (duckdb.Error, pa.ArrowInvalid) as error:
        raise QueryError(first_line(error)) from error


def first_line(error: Exception) -> str:
    """DuckDB's message without the picture of its own text, which is not what the user wrote."""
    text = re.sub(r"\n+LINE \d+:.*", "", str(error), flags=re.DOTALL)
    return " ".join(text.split())
