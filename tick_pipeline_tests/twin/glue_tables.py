"""Glue's CreateTable of the twin: an Iceberg table gets its first metadata, as AWS gives it one; the emulator gives none."""

# boto3 and PyIceberg's catalog have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchNamespaceError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema

from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.gateway import RefusalError

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.gateway import Gateway


@dataclass
class GlueTables:
    """The service.

    Attributes:
        gateway: whose emulator keeps the catalog.
        target: of its calls.
        operations: that it answers.
    """

    gateway: Gateway
    target: str = "AWSGlue"
    operations: frozenset[str] = frozenset({"CreateTable"})
    _clients: list[Any] = field(default_factory=list[Any])

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make the table: here if it is to be an Iceberg table, else by the emulator.

        Raises:
            RefusalError: it is there already, or its database is not.
        """
        if "OpenTableFormatInput" in request:
            self._create_iceberg(request)
            return {}
        try:
            self._glue.create_table(**request)
        except ClientError as error:
            told: dict[str, Any] = dict(error.response)
            code, message = (told["Error"][name] for name in ("Code", "Message"))
            raise RefusalError(code, message) from error
        return {}

    def close(self) -> None:
        """Nothing runs, and nothing is remembered."""

    def _create_iceberg(self, request: dict[str, Any]) -> None:
        """By OpenTableFormatInput.

        Source: https://docs.aws.amazon.com/glue/latest/webapi/API_CreateIcebergTableInput.html
        """
        iceberg = request["OpenTableFormatInput"]["IcebergInput"]
        table = iceberg["CreateIcebergTableInput"]
        keys = {
            "s3.access-key-id": ACCESS_KEY,
            "s3.secret-access-key": SECRET_KEY,
            "s3.region": REGION,
        }
        endpoint = {"s3.endpoint": self.gateway.emulator_url}
        catalog = GlueCatalog("glue", client=self._glue, **keys, **endpoint)
        identifier = (request["DatabaseName"], request["TableInput"]["Name"])
        try:
            catalog.create_table(
                identifier,
                _schema(table["Schema"]),
                location=table["Location"],
                partition_spec=_partition_spec(table.get("PartitionSpec", {})),
                properties={
                    **table.get("Properties", {}),
                    "format-version": iceberg.get("Version", "2"),
                },
            )
        except TableAlreadyExistsError as error:
            raise RefusalError("AlreadyExistsException", "Table already exists.") from error
        except NoSuchNamespaceError as error:
            raise RefusalError("EntityNotFoundException", str(error)) from error

    @property
    def _glue(self) -> Any:
        if not self._clients:
            untyped: Any = boto3
            self._clients.append(
                untyped.client(
                    "glue",
                    endpoint_url=self.gateway.emulator_url,
                    region_name=REGION,
                    aws_access_key_id=ACCESS_KEY,
                    aws_secret_access_key=SECRET_KEY,
                )
            )
        return self._clients[0]


def _schema(given: dict[str, Any]) -> Schema:
    fields = [
        {
            "id": one["Id"],
            "name": one["Name"],
            "type": _type(one["Type"]),
            "required": one.get("Required", False),
            "doc": one.get("Doc"),
        }
        for one in given["Fields"]
    ]
    return Schema.model_validate({"type": "struct", "schema-id": 0, "fields": fields})


def _type(given: Any) -> Any:
    """A type is a JSON document; Terraform has it as text."""
    return json.loads(given) if isinstance(given, str) and given.startswith('"') else given


def _partition_spec(given: dict[str, Any]) -> PartitionSpec:
    names = {
        "SourceId": "source-id",
        "FieldId": "field-id",
        "Name": "name",
        "Transform": "transform",
    }
    fields = [
        {names[name]: value for name, value in one.items()} for one in given.get("Fields", [])
    ]
    return PartitionSpec.model_validate({"spec-id": given.get("SpecId", 0), "fields": fields})
