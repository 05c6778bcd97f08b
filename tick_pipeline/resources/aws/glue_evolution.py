"""Projected tables and views of the Glue Data Catalog, brought to their contracts."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.clients import aws_errors, error_code
from tick_pipeline.resources.aws.glue_views import (
    decode_view,
    encode_view,
    view_columns,
    view_definitions,
)
from tick_pipeline.resources.aws.projected_tables import column_types, glue_columns
from tick_pipeline.resources.schema_evolution import Step, column_steps, stored_problems
from tick_pipeline.storage import StorageMode, glue_database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tick_pipeline.resources.aws.clients import AwsClients

NO_ENTITY = "EntityNotFoundException"
#: What a table is read with and written by; Glue refuses the rest of what it tells.
#: Source: https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
_INPUT = (
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
)
_DIGEST_CHARACTERS = 12


def read_glue_table(clients: AwsClients, database: str, name: str) -> dict[str, Any]:
    """A table or view as the catalog has it.

    Raises:
        AwsError: it is not there (its code is NO_ENTITY), or was not to be read.
    """
    with aws_errors(f"reading {database}.{name}"):
        try:
            return clients.client("glue").get_table(DatabaseName=database, Name=name)["Table"]
        except ClientError as error:
            if error_code(error) != NO_ENTITY:
                raise
            raise AwsError(
                f"reading {database}.{name}: the Glue Data Catalog has none; `terraform apply` makes it",
                code=NO_ENTITY,
            ) from error


class ProjectedTable:
    """A Parquet table with partition projection; see Stored in schema_evolution.py.

    Args:
        clients: of AWS.
        project: of Terraform.
        table: its name.
    """

    def __init__(self, clients: AwsClients, project: str, table: str) -> None:
        self._clients = clients
        self._database = glue_database(project, StorageMode.PARQUET_PROJECTION)
        self._table = table
        self._name = f"{StorageMode.PARQUET_PROJECTION}.{table}"

    def problems(self) -> list[str]:
        """See Stored."""
        stored = column_types(_columns(self._read()))
        return stored_problems(self._name, self._table, stored, column_types(self._wanted))

    def steps(self) -> list[Step]:
        """See Stored."""
        stored = _described(_columns(self._read()))
        return column_steps(self._name, stored, _described(self._wanted))

    def apply(self) -> None:
        """See Stored. The columns are put in the contract's order, as Terraform has them."""
        stored = self._read()
        known = {column["Name"]: column for column in _columns(stored)}
        columns = [{**known.get(column["Name"], {}), **column} for column in self._wanted]
        descriptor = {**stored["StorageDescriptor"], "Columns": columns}
        _update(self._clients, stored, StorageDescriptor=descriptor)

    @property
    def _wanted(self) -> list[dict[str, str]]:
        return glue_columns(table_contract(self._table))

    def _read(self) -> dict[str, Any]:
        return read_glue_table(self._clients, self._database, self._table)


class GlueView:
    """A view of one storage mode; see Stored in schema_evolution.py.

    Args:
        clients: of AWS.
        project: of Terraform.
        mode: whose.
        view: its name.
    """

    def __init__(self, clients: AwsClients, project: str, mode: StorageMode, view: str) -> None:
        self._clients = clients
        self._project = project
        self._mode = mode
        self._view = view

    def problems(self) -> list[str]:
        """None: a view holds no data. It must be there."""
        self._read()
        return []

    def steps(self) -> list[Step]:
        """See Stored."""
        stored = self._read()
        before = decode_view(stored.get("ViewOriginalText", ""))
        types = column_types(_columns(stored))
        if before == self._wanted and types == column_types(self._columns):
            return []
        name = f"{self._mode}.{self._view}"
        return [Step(name, "write the view", _digest(before), _digest(self._wanted))]

    def apply(self) -> None:
        """See Stored."""
        stored = self._read()
        descriptor = {**stored["StorageDescriptor"], "Columns": self._columns}
        _update(
            self._clients,
            stored,
            StorageDescriptor=descriptor,
            ViewOriginalText=encode_view(self._wanted),
        )

    @property
    def _wanted(self) -> dict[str, Any]:
        return view_definitions(self._project, self._mode)[self._view]

    @property
    def _columns(self) -> list[dict[str, str]]:
        return view_columns(self._mode, self._view)

    def _read(self) -> dict[str, Any]:
        database = glue_database(self._project, self._mode)
        return read_glue_table(self._clients, database, self._view)


def _columns(stored: dict[str, Any]) -> list[dict[str, Any]]:
    return stored.get("StorageDescriptor", {}).get("Columns", [])


def _described(columns: Iterable[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {
        column["Name"]: (column.get("Type", ""), column.get("Comment", "")) for column in columns
    }


def _digest(definition: dict[str, Any]) -> str:
    if not definition:
        return "nothing that can be read"
    text = json.dumps(definition, sort_keys=True)
    return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"


def _update(clients: AwsClients, stored: dict[str, Any], **changed: Any) -> None:
    """Write a table over the version that was read, so that nobody's change in between is lost."""
    database, name = stored["DatabaseName"], stored["Name"]
    # An empty text, as of an owner, is told but not taken.
    kept = {key: stored[key] for key in _INPUT if stored.get(key)}
    version = {"VersionId": stored["VersionId"]} if "VersionId" in stored else {}
    with aws_errors(f"writing {database}.{name}"):
        clients.client("glue").update_table(
            DatabaseName=database, TableInput={**kept, **changed}, **version
        )
