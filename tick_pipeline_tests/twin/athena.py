"""Athena of the twin: SQL over the Glue catalog and S3 of the emulator, executed on DuckDB.

The emulator's own speaks DuckDB's dialect and knows neither Iceberg nor projection. It keeps the workgroups,
saved queries and tags.
"""

# boto3 has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import boto3
import sqlglot
from botocore.exceptions import ClientError
from sqlglot.errors import SqlglotError

from tick_pipeline_tests.twin.athena_execution import ENDED, EXPLAIN, Execution
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.gateway import RefusalError

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.gateway import Gateway

_PAGE = 1000
_TOKEN_CHARACTERS = (32, 128)


class Athena:
    """See gateway.Service.

    Attributes:
        slow_seconds: how long a query takes at least.
        scan_limit_bytes: in place of the workgroup's, of which AWS takes none below 10 MB.
        executions: every query that was started, in order.
    """

    target = "AmazonAthena"
    operations = frozenset(
        {
            "StartQueryExecution",
            "GetQueryExecution",
            "BatchGetQueryExecution",
            "ListQueryExecutions",
            "GetQueryResults",
            "StopQueryExecution",
        }
    )

    def __init__(self, gateway: Gateway) -> None:
        self.slow_seconds = 0.0
        self.scan_limit_bytes: int | None = None
        self.executions: list[Execution] = []
        self._emulator_url = gateway.emulator_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._lost: list[str] = []
        self._broken: list[tuple[str, int]] = []

    def lose(self, query: str) -> None:
        """Know nothing of queries whose text or id this is part of, once they are started."""
        self._lost.append(query)

    def break_next(self, reason: str, category: int = 1) -> None:
        """Let the next query FAIL with that reason; the category says whose error it is."""
        self._broken.append((reason, category))

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """See gateway.Service."""
        if operation == "StartQueryExecution":
            return self._start(request)
        if operation == "ListQueryExecutions":
            return {"QueryExecutionIds": [item.id for item in reversed(self.executions)]}
        if operation == "BatchGetQueryExecution":
            found = [self._find(query_id) for query_id in request["QueryExecutionIds"]]
            return {"QueryExecutions": [item.describe() for item in found]}
        execution = self._find(request["QueryExecutionId"])
        if operation == "GetQueryExecution":
            return {"QueryExecution": execution.describe()}
        if operation == "StopQueryExecution":
            execution.cancel()
            return {}
        return _results(execution, request)

    def close(self) -> None:
        """See gateway.Service."""
        for execution in self.executions:
            execution.cancel()
        self.executions.clear()
        self._lost.clear()
        self._broken.clear()
        self.slow_seconds = 0.0
        self.scan_limit_bytes = None

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        token = str(request["ClientRequestToken"])
        assert _TOKEN_CHARACTERS[0] <= len(token) <= _TOKEN_CHARACTERS[1], token
        workgroup = request.get("WorkGroup", "primary")
        configuration = self._configuration(workgroup)
        _check_syntax(str(request["QueryString"]))
        with self._lock:
            for known in self.executions:
                if known.request["ClientRequestToken"] == token:
                    if known.request != request:
                        raise _invalid("Idempotent parameters do not match")
                    return {"QueryExecutionId": known.id}
            execution = Execution(
                request,
                workgroup,
                _output(configuration, request),
                self._client,
                self._file_io,
                self.scan_limit_bytes or configuration.get("BytesScannedCutoffPerQuery"),
                self.slow_seconds,
                self._broken.pop(0) if self._broken else None,
            )
            execution.output += f"{execution.id}.csv"
            self.executions.append(execution)
        execution.start()
        return {"QueryExecutionId": execution.id}

    def _find(self, query_id: str) -> Execution:
        for execution in self.executions:
            lost = any(part in execution.text or part == query_id for part in self._lost)
            if execution.id == query_id and not lost:
                return execution
        raise _invalid(f"QueryExecution {query_id} was not found")

    def _configuration(self, workgroup: str) -> dict[str, Any]:
        try:
            found = self._client("athena").get_work_group(WorkGroup=workgroup)["WorkGroup"]
        except ClientError as error:
            raise _invalid("WorkGroup is not found.") from error
        return found["Configuration"]

    def _client(self, service: str) -> Any:
        """boto3's client of the emulator itself: a fault of the test is not ours."""
        with _MAKING:
            if service not in self._clients:
                untyped: Any = boto3
                self._clients[service] = untyped.Session().client(
                    service,
                    endpoint_url=self._emulator_url,
                    region_name=REGION,
                    aws_access_key_id=ACCESS_KEY,
                    aws_secret_access_key=SECRET_KEY,
                )
            return self._clients[service]

    @property
    def _file_io(self) -> dict[str, str]:
        return {
            "s3.endpoint": self._emulator_url,
            "s3.region": REGION,
            "s3.access-key-id": ACCESS_KEY,
            "s3.secret-access-key": SECRET_KEY,
        }


#: boto3 makes one client at a time.
_MAKING = threading.Lock()


def _check_syntax(text: str) -> None:
    try:
        sqlglot.parse_one(EXPLAIN.sub("", text, count=1), read="athena")
    except SqlglotError as error:
        first: dict[str, Any] = getattr(error, "errors", [{}])[0]
        message = (
            f"line {first.get('line', 1)}:{first.get('col', 1)}: mismatched input "
            f"'{first.get('highlight', '')}'. Expecting: <query>"
        )
        raise _invalid(message, AthenaErrorCode="MALFORMED_QUERY") from error


def _output(configuration: dict[str, Any], request: dict[str, Any]) -> str:
    of_group = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    of_client = request.get("ResultConfiguration", {}).get("OutputLocation")
    enforced = configuration.get("EnforceWorkGroupConfiguration", True)
    found = of_group if enforced and of_group else of_client or of_group
    if not found:
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return str(found).rstrip("/") + "/"


def _results(execution: Execution, request: dict[str, Any]) -> dict[str, Any]:
    if execution.state not in ENDED:
        raise _invalid(f"Query has not yet finished. Current state: {execution.state}")
    if execution.answer is None:
        raise _invalid(f"Query did not finish successfully. Final query state: {execution.state}")
    return execution.answer.page(
        int(request.get("NextToken", 0)), int(request.get("MaxResults", _PAGE))
    )


def _invalid(message: str, **details: Any) -> RefusalError:
    return RefusalError("InvalidRequestException", message, **details)
