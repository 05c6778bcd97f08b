"""Merging small files of a Parquet table's hour, where a file is part of the table as soon as it has its name.

The merged file gets its name first, then those that it replaces go: nothing is ever missing, and in between
their rows stand twice, which the view `ticks` removes. It carries their names, so whoever finds them
beside it, after a kill in between, knows them for what they are. What landed meanwhile has another
name, and stays.
"""

# pyarrow has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.contracts.types import arrow_schema
from tick_pipeline.errors import WorkError
from tick_pipeline.landing.raw_files import parquet_layout
from tick_pipeline.resources.footers import read_footer
from tick_pipeline.storage import StorageMode, is_merged, merged_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tick_pipeline.resources.object_store import Store, StoredFile
    from tick_pipeline.settings import Settings

#: In a merged file's footer: the names of the files that it replaces.
_REPLACES = b"tick-pipeline.replaces"


@dataclass(frozen=True)
class Leftovers:
    """What killed merges left.

    Attributes:
        files: those that stand beside one which replaces them.
        unclear: folder of an hour -> why nobody can tell them there.
    """

    files: list[StoredFile]
    unclear: dict[str, str]


def find_leftovers(store: Store, files: Iterable[StoredFile]) -> Leftovers:
    """Find what killed merges left, from the ends of merged files alone.

    Args:
        store: the table's folder.
        files: of the table.

    Raises:
        AwsError: S3 refused a call, or did not answer.
    """
    by_folder: dict[str, list[StoredFile]] = {}
    for file in files:
        by_folder.setdefault(file.folder, []).append(file)
    found = Leftovers([], {})
    for folder, of_hour in by_folder.items():
        merged = [file for file in of_hour if is_merged(file.name)]
        try:
            if len(of_hour) > 1:
                gone = {name for file in merged for name in _replaces(store, file)}
                found.files.extend(file for file in of_hour if file.name in gone)
        except UnmergeableError as error:
            found.unclear[folder] = str(error)
    return found


class UnmergeableError(WorkError):
    """Files of an hour that stay as they are."""


@dataclass(frozen=True)
class MergedFile:
    """A file to put in the place of others.

    Attributes:
        path: in the table's folder.
        content: its bytes.
        landed_us: when the newest of its rows landed, microseconds.
    """

    path: str
    content: bytes
    landed_us: int


def merged_file(
    store: Store, table: str, files: Sequence[StoredFile], settings: Settings
) -> MergedFile:
    """One sorted file with the rows of some files of an hour.

    Args:
        store: the table's folder.
        table: its name.
        files: of one hour.
        settings: of Parquet files.

    Raises:
        UnmergeableError: a file is not to be read, or has a column that the contract has not.
        AwsError: S3 refused a call, or did not answer.
    """
    schema = arrow_schema(table_contract(table), StorageMode.PARQUET_PROJECTION)
    rows = pa.concat_tables([_rows(store, file, schema) for file in files])
    rows = rows.sort_by([("symbol", "ascending"), ("event_ts", "ascending")])
    names = [file.name for file in files]
    landed_us = max(file.landed_us for file in files)
    rows = rows.replace_schema_metadata({_REPLACES: json.dumps(names)})
    path = f"{files[0].folder}/{merged_name(names, landed_us)}"
    return MergedFile(path, _encoded(rows, settings), landed_us)


def _rows(store: Store, file: StoredFile, schema: pa.Schema) -> pa.Table:
    """A file's rows in the contract's columns; one that was added since it was written is null."""
    try:
        found = pq.read_table(pa.BufferReader(store.read(file.path)))
        unknown = sorted(set(found.column_names) - set(schema.names))
        if unknown:
            raise UnmergeableError(
                f"{store.uri}/{file.path} has the column {unknown[0]}, which the contract has not; the hour was "
                "left as it is: the check schema_drift tells more"
            )
        empty = schema.empty_table()
        whole = pa.concat_tables([empty, found], promote_options="permissive")
        return whole.select(schema.names).cast(schema)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(store, file, error) from error


def _unreadable(store: Store, file: StoredFile, error: Exception) -> UnmergeableError:
    said = " ".join(str(error).split())
    return UnmergeableError(
        f"{store.uri}/{file.path} is not to be read ({said}); the hour was left as it is"
    )


def _encoded(rows: pa.Table, settings: Settings) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        row_group_size=settings.parquet_row_group_rows,
        **parquet_layout(rows.schema, settings),
    )
    return sink.getvalue().to_pybytes()


def _replaces(store: Store, file: StoredFile) -> list[str]:
    try:
        footer = read_footer(lambda size: store.read(file.path, last_bytes=size))
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(store, file, error) from error
    return [str(name) for name in json.loads((footer.metadata or {}).get(_REPLACES, b"[]"))]
