"""What an error of Glue says about the call: whether it may have been done, and whether it passes."""

# pyright: reportMissingTypeStubs=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from tick_pipeline.resources.aws.clients import error_code, http_status

if TYPE_CHECKING:
    from tick_pipeline.errors import AwsError

_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"}
)
#: Refusals of which nobody knows whether what was asked is being done.
#: Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-exceptions.html
_UNCLEAR = frozenset({"InternalServiceException", "InternalFailure", "OperationTimeoutException"})
_SERVER_ERRORS = 500


def is_unclear(error: AwsError) -> bool:
    """Whether a call may have been done although it failed: its answer was lost, or AWS does not know."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return error_code(cause) in _UNCLEAR or http_status(cause) >= _SERVER_ERRORS
    # botocore's ConnectionError is of a connection that was never there.
    return isinstance(cause, HTTPClientError) and not isinstance(cause, ConnectionError)


def passes(error: AwsError) -> bool:
    """Whether asking again later may help."""
    return (
        error.code in _THROTTLED
        or is_unclear(error)
        or isinstance(error.__cause__, (ConnectionError, HTTPClientError))
    )
