"""Definitions of Glue jobs: the emulator's, with the fields that it forgets."""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.gateway import RefusalError

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.gateway import Gateway

_FORGOTTEN = ("ExecutionProperty", "ExecutionClass", "MaintenanceWindow", "NotificationProperty")


class GlueDefinitions:
    """Answers CreateJob and GetJob.

    Args:
        gateway: that it belongs to.
    """

    target = "AWSGlue"
    operations = frozenset({"CreateJob", "GetJob"})

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._kept: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Raises:
            RefusalError: the call is refused.
        """
        if operation == "GetJob":
            return {"Job": self.definition(request["JobName"])}
        try:
            self._glue.create_job(**request)
        except ClientError as error:
            refused: dict[str, Any] = dict(error.response)
            code, said = (refused["Error"][key] for key in ("Code", "Message"))
            raise RefusalError(code, said) from error
        self._kept[request["Name"]] = {
            name: request[name] for name in _FORGOTTEN if name in request
        }
        return {"Name": request["Name"]}

    def definition(self, name: str) -> dict[str, Any]:
        """A job, as GetJob has it.

        Raises:
            RefusalError: there is none.
        """
        try:
            job = self._glue.get_job(JobName=name)["Job"]
        except ClientError as error:
            raise RefusalError(
                "EntityNotFoundException", f"Entity {name} is not found (Job)"
            ) from error
        return {
            "ExecutionProperty": {"MaxConcurrentRuns": 1},
            "ExecutionClass": "STANDARD",
            **job,
            **self._kept.get(name, {}),
        }

    def close(self) -> None:
        """Forget everything."""
        self._kept.clear()

    @cached_property
    def _glue(self) -> Any:
        """boto3's client of the emulator itself."""
        untyped: Any = boto3
        return untyped.Session().client(
            "glue",
            endpoint_url=self._gateway.emulator_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
