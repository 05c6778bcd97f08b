"""What Athena says of a query that did not succeed, as this project's errors, each one line."""

# PyAthena and botocore are typed in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from tick_pipeline.errors import AwsError, QueryError, TickPipelineError
from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import aws_errors, error_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyathena.error import Error
    from pyathena.model import AthenaQueryExecution

#: Athena's kinds of errors: its own, ours, and others'.
#: https://docs.aws.amazon.com/athena/latest/APIReference/API_AthenaError.html
_USER = 2
_SCAN_LIMIT = re.compile(r"bytes scanned limit", re.IGNORECASE)
_DENIED = re.compile(
    r"access ?denied|not authorized to perform|insufficient (?:lake formation )?permission",
    re.IGNORECASE,
)
_MISSING = re.compile(r"(?:TABLE|SCHEMA)_NOT_FOUND: .*?'([^']+)' does not exist")
_LOST = re.compile(r"query ?execution .*(?:was )?not found|does not exist", re.IGNORECASE)
#: Places in the text that was sent, which is not the user's own.
_PLACE = re.compile(r"\bline \d+:\d+: ")
_MIB = 1 << 20


def call_error(error: Error, what: str) -> TickPipelineError:
    """A call that was refused or did not come through.

    Args:
        error: PyAthena's, which carries botocore's as its cause.
        what: was done, as `Athena query <id>`.
    """
    cause = error.__cause__
    if isinstance(cause, ClientError) and _is_malformed(cause):
        return QueryError(f"the SQL cannot be run: {_plain(_message(cause))}")
    if isinstance(cause, ClientError) and _is_lost(cause):
        return AwsError(
            f"{what}: Athena knows it no more ({_plain(_message(cause))}), so its rows are lost; run it again",
            code="QueryLost",
        )
    if isinstance(cause, (ClientError, BotoCoreError)):
        try:
            with aws_errors(what):
                raise cause
        except AwsError as told:
            return told
    return AwsError(f"{what}: {_plain(str(error))}")


def query_error(
    execution: AthenaQueryExecution, what: str, scan_limit_bytes: Callable[[], int | None]
) -> TickPipelineError:
    """A query that FAILED or was CANCELLED.

    Args:
        execution: what Athena tells of it.
        what: it is, as `Athena query <id>`.
        scan_limit_bytes: asks for the workgroup's limit.
    """
    reason = _plain(execution.state_change_reason or "Athena gives no reason")
    if _SCAN_LIMIT.search(reason):
        limit = scan_limit_bytes()
        size = f" ({limit / _MIB:,.0f} MiB)" if limit else ""
        return QueryError(
            f"the query would scan more than the workgroup {execution.work_group} lets one query scan{size}: "
            "filter on its time column, or on year, month, day and hour; --estimate tells what it would read"
        )
    if execution.state == "CANCELLED":
        return AwsError(f"{what} was cancelled ({reason}); run it again", code="QueryCancelled")
    if missing := _MISSING.search(reason):
        name = missing[1].removeprefix("awsdatacatalog.")
        return QueryError(
            f"{name} is not in the Glue Data Catalog; `terraform apply` makes it, and TICK_PIPELINE_PROJECT "
            "names its database"
        )
    if _DENIED.search(reason):
        return AwsError(
            f"{what}: AWS refuses to read what it names ({reason}); terraform/iam.tf has what each role may do",
            code="AccessDeniedException",
        )
    if execution.error_category == _USER:
        return QueryError(reason)
    return AwsError(f"{what} failed in Athena itself ({reason}); run it again", code="QueryFailed")


def _is_malformed(error: ClientError) -> bool:
    response: dict[str, Any] = dict(error.response)
    return (
        error.operation_name == "StartQueryExecution"
        and response.get("AthenaErrorCode") == "MALFORMED_QUERY"
    )


def _is_lost(error: ClientError) -> bool:
    return (
        error.operation_name == "GetQueryExecution"
        and error_code(error) == "InvalidRequestException"
        and _LOST.search(_message(error)) is not None
    )


def _message(error: ClientError) -> str:
    response: dict[str, Any] = dict(error.response)
    return str(response.get("Error", {}).get("Message", ""))


def _plain(text: str) -> str:
    return without_secrets(" ".join(_PLACE.sub("", text).split()))
