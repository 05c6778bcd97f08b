"""The Glue Data Catalog as Athena reads it, for DuckDB: Iceberg tables, projected Parquet tables, views.

A table is an Arrow dataset whose files know which hour they hold, so DuckDB's own pushdown of a filter leaves
files out; those that are read at all count as scanned.
"""

# boto3, pyarrow and duckdb have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUntypedFunctionDecorator=false
from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import sqlglot
from botocore.exceptions import ClientError
from pyiceberg.table import StaticTable
from pyiceberg.transforms import HourTransform
from sqlglot import exp

from tick_pipeline_tests.twin.athena_dialect import duckdb_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

_ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
_DUCKDB = {"varchar": "VARCHAR", "bigint": "BIGINT", "double": "DOUBLE"}
_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
_HOUR_US = 3_600_000_000
_FORMAT = ds.ParquetFileFormat()


class QueryFailedError(Exception):
    """A query ends FAILED; the message is Athena's, `category` 2 an error of the user."""

    def __init__(self, message: str, category: int = 2) -> None:
        super().__init__(message)
        self.category = category


class _Object(io.RawIOBase):
    """An object in S3, fetched when it is first read."""

    def __init__(self, s3: Any, uri: str, size: int, note: Callable[[str, int], None]) -> None:
        self._s3, self._uri, self._size, self._note = s3, uri, size, note
        self._content: bytes | None = None
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        if self._content is None:
            parts = urlsplit(self._uri)
            found = self._s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
            self._content = bytes(found["Body"].read())
            self._note(self._uri, self._size)
        end = self._size if size is None or size < 0 else self._at + size
        found = self._content[self._at : end]
        self._at += len(found)
        return found


@dataclass
class AthenaCatalog:
    """The relations of one query, in one DuckDB connection.

    Attributes:
        glue: boto3's client.
        s3: boto3's client.
        file_io: PyIceberg's properties of S3.
        connection: DuckDB's.
        scanned: URI -> bytes of each file that was read.
    """

    glue: Any
    s3: Any
    file_io: dict[str, str]
    connection: duckdb.DuckDBPyConnection
    scanned: dict[str, int] = field(default_factory=dict[str, int])
    _known: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def add_relations(self, tree: exp.Expr, database: str | None) -> None:
        """Make every table and view that a statement names; names without a database get theirs.

        Raises:
            QueryFailedError: one is not there, or not to be read.
        """
        ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        for node in tree.find_all(exp.Table):
            if (node.name in ctes and not node.db) or not isinstance(node.this, exp.Identifier):
                continue
            name = (node.db or database or "default").lower(), node.name.lower()
            node.set("db", exp.to_identifier(name[0]))
            node.set("catalog", None)
            if (version := node.args.get("version")) is not None:
                self._add_as_of(node, *name, version)
            elif name not in self._known:
                self._known.add(name)
                self._add(*name, self._table(*name, place(node)))

    def _table(self, database: str, name: str, at: str) -> dict[str, Any]:
        try:
            return self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
        names = [item["Name"] for item in self.glue.get_databases()["DatabaseList"]]
        if database not in names:
            raise QueryFailedError(f"SCHEMA_NOT_FOUND: {at}Schema '{database}' does not exist")
        raise QueryFailedError(
            f"TABLE_NOT_FOUND: {at}Table 'awsdatacatalog.{database}.{name}' does not exist"
        )

    def _add(self, database: str, name: str, table: dict[str, Any]) -> None:
        self.connection.execute(f'create schema if not exists "{database}"')
        if table.get("TableType") == "VIRTUAL_VIEW":
            self._add_view(database, name, table)
            return
        parameters = table["Parameters"]
        if parameters.get("table_type", "").upper() == "ICEBERG":
            files, columns = self._iceberg(parameters["metadata_location"]), "*"
        else:
            files, columns = self._projected(table), _as_hive_reads(table)
        registered = f"{database}__{name}"
        self.connection.register(registered, files)
        self.connection.execute(
            f'create view "{database}"."{name}" as select {columns} from "{registered}"'
        )

    def _add_as_of(self, node: exp.Table, database: str, name: str, version: exp.Version) -> None:
        """FOR TIMESTAMP AS OF, which Iceberg tables alone have."""
        table = self._table(database, name, place(node))
        parameters = table.get("Parameters", {})
        if parameters.get("table_type", "").upper() != "ICEBERG":
            raise QueryFailedError(
                "NOT_SUPPORTED: This connector does not support versioned tables"
            )
        moment = f"select epoch_ms({duckdb_sql(version.expression)})"
        row = self.connection.execute(moment).fetchone()
        assert row is not None
        location = parameters["metadata_location"]
        stored = StaticTable.from_metadata(location, self.file_io)
        snapshot = stored.snapshot_as_of_timestamp(int(row[0]))
        if snapshot is None:
            raise QueryFailedError(
                f'INVALID_ARGUMENTS: No version history table "{database}"."{name}" at or before {row[0]}'
            )
        registered = f"{database}__{name}__{snapshot.snapshot_id}"
        self.connection.register(registered, self._iceberg(location, snapshot.snapshot_id))
        for part in ("version", "db"):
            node.set(part, None)
        node.set("this", exp.to_identifier(registered, quoted=True))
        if not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(name)))

    def _add_view(self, database: str, name: str, table: dict[str, Any]) -> None:
        encoded = _VIEW.fullmatch(table["ViewOriginalText"])
        assert encoded is not None, table["ViewOriginalText"]
        definition = json.loads(base64.b64decode(encoded[1]))
        tree = sqlglot.parse_one(definition["originalSql"], read="athena")
        self.add_relations(tree, definition["schema"])
        self.connection.execute(f'create view "{database}"."{name}" as {duckdb_sql(tree)}')
        stored = [
            (column["name"], _duckdb_type(column["type"])) for column in definition["columns"]
        ]
        made = self.connection.execute(f'describe "{database}"."{name}"').fetchall()
        if stored != [(str(row[0]), str(row[1])) for row in made]:
            raise QueryFailedError(
                f"INVALID_VIEW: View 'awsdatacatalog.{database}.{name}' is stale or in invalid state: {made}"
            )

    def _iceberg(self, metadata_location: str, snapshot_id: int | None = None) -> Any:
        table = StaticTable.from_metadata(metadata_location, self.file_io)
        schema = pa.schema(
            [(column.name, _ARROW[str(column.field_type)]) for column in table.schema().fields]
        )
        hours = [
            table.schema().find_column_name(part.source_id)
            for part in table.spec().fields
            if isinstance(part.transform, HourTransform)
        ]
        scan = table.scan(snapshot_id=snapshot_id)
        tasks = list(scan.plan_files())
        if any(task.delete_files for task in tasks):
            for task in tasks:
                self._note(task.file.file_path, task.file.file_size_in_bytes)
            return scan.to_arrow().cast(schema)
        return self._dataset(
            schema,
            [
                (
                    task.file.file_path,
                    task.file.file_size_in_bytes,
                    _in_hour(hours[0], task.file.partition[0]) if hours else None,
                )
                for task in tasks
            ],
        )

    def _projected(self, table: dict[str, Any]) -> Any:
        columns = table["StorageDescriptor"]["Columns"]
        keys = [key["Name"] for key in table["PartitionKeys"]]
        schema = pa.schema(
            [(column["Name"], _ARROW[column["Type"]]) for column in columns]
            + [(key, pa.string()) for key in keys]
        )
        found: list[tuple[str, int, Any]] = []
        for uri, size, values in self._projected_objects(table, keys):
            guarantee = None
            for key, value in values.items():
                same = pc.field(key) == value
                guarantee = same if guarantee is None else guarantee & same
            found.append((uri, size, guarantee))
        return self._dataset(schema, found)

    def _projected_objects(
        self, table: dict[str, Any], keys: list[str]
    ) -> Iterator[tuple[str, int, dict[str, str]]]:
        """Objects in folders that the template makes of values that the projection has."""
        parameters = table["Parameters"]
        if parameters.get("projection.enabled") != "true":
            return
        pattern = re.escape(parameters["storage.location.template"])
        for key in keys:
            pattern = pattern.replace(re.escape(f"${{{key}}}"), f"(?P<{key}>[^/]+)")
        folder = re.compile(rf"{pattern}/(?P<name_>.+)")
        location = urlsplit(table["StorageDescriptor"]["Location"])
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=location.netloc, Prefix=location.path.lstrip("/")
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                uri = f"s3://{location.netloc}/{entry['Key']}"
                match = folder.fullmatch(uri)
                if match is None or match["name_"].rpartition("/")[2].startswith(("_", ".")):
                    continue
                values = {key: match[key] for key in keys}
                if all(_is_projected(parameters, *item) for item in values.items()):
                    yield uri, int(entry["Size"]), values

    def _dataset(self, schema: pa.Schema, files: list[tuple[str, int, Any]]) -> Any:
        fragments = [
            _FORMAT.make_fragment(
                _Object(self.s3, uri, size, self._note), partition_expression=guarantee
            )
            for uri, size, guarantee in files
        ]
        return ds.FileSystemDataset(fragments, schema, _FORMAT)

    def _note(self, uri: str, size: int) -> None:
        self.scanned[uri] = size


def place(node: exp.Expr) -> str:
    """`line 1:8: ` of a node, as Athena counts."""
    for child in node.walk():
        if "line" in child.meta and "col" in child.meta:
            start = int(child.meta["col"]) - (int(child.meta["end"]) - int(child.meta["start"]))
            return f"line {child.meta['line']}:{start}: "
    return ""


def _in_hour(column: str | None, hour: int | None) -> Any:
    if column is None or hour is None:
        return None
    begin, end = (
        pa.scalar((hour + more) * _HOUR_US, pa.timestamp("us", tz="UTC")) for more in (0, 1)
    )
    return (pc.field(column) >= begin) & (pc.field(column) < end)


def _as_hive_reads(table: dict[str, Any]) -> str:
    """A Hive timestamp has milliseconds and no zone, whatever is in the file."""
    columns = [
        f'rounded_timestamp("{column["Name"]}", 1000) as "{column["Name"]}"'
        if column["Type"] == "timestamp"
        else f'"{column["Name"]}"'
        for column in table["StorageDescriptor"]["Columns"]
    ]
    return ", ".join([*columns, *(f'"{key["Name"]}"' for key in table["PartitionKeys"])])


def _is_projected(parameters: dict[str, str], key: str, value: str) -> bool:
    assert parameters[f"projection.{key}.type"] == "integer"
    first, last = (int(text) for text in parameters[f"projection.{key}.range"].split(","))
    digits = int(parameters.get(f"projection.{key}.digits", "0"))
    return value.isdecimal() and first <= int(value) <= last and value == f"{int(value):0{digits}d}"


def _duckdb_type(athena_type: str) -> str:
    if athena_type.startswith("timestamp") and athena_type.endswith("with time zone"):
        return "TIMESTAMP WITH TIME ZONE"
    return _DUCKDB[athena_type]
