"""AWS, as the settings name it: clients by the standard credential chain, and its errors in one line."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  (botocore's own name)
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from tick_pipeline import __version__
from tick_pipeline.errors import NO_CREDENTIALS, NOT_REACHED, AwsError, SettingsError
from tick_pipeline.redaction import without_secrets

if TYPE_CHECKING:
    from collections.abc import Generator

    from tick_pipeline.settings import Settings

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_ATTEMPTS = 5
_EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationErrorException",
    }
)
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)


class AwsClients:
    """Clients of AWS's services, made when asked for and kept.

    Args:
        settings: region, profile and endpoint.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients: dict[str, Any] = {}

    @cached_property
    def session(self) -> Any:
        """boto3's session.

        Raises:
            AwsError: the AWS configuration cannot be read.
            SettingsError: the profile is not known.
        """
        try:
            with aws_errors("reading the AWS configuration"):
                return boto3.Session(
                    profile_name=self._settings.aws_profile, region_name=self._settings.aws_region
                )
        except AwsError as error:
            if not isinstance(error.__cause__, ProfileNotFound):
                raise
            raise SettingsError(
                f"TICK_PIPELINE_AWS_PROFILE={self._settings.aws_profile}: no such profile in the AWS "
                "configuration; `aws configure list-profiles` lists them"
            ) from error

    @property
    def options(self) -> dict[str, Any]:
        """What a client is made with, for those who make theirs of the session."""
        endpoint = self._settings.aws_endpoint_url
        return {
            "endpoint_url": endpoint,
            "config": Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                # Throttling, lost connections and errors of the service, with back-off and jitter.
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                # One host cannot stand for every bucket.
                s3={"addressing_style": "path"} if endpoint else {},
                user_agent_extra=f"tick_pipeline/{__version__}",
            ),
        }

    def client(self, service: str) -> Any:
        """boto3's client of a service.

        Raises:
            AwsError: the AWS configuration or its credentials cannot be read.
            SettingsError: the profile is not known.
        """
        if service not in self._clients:
            session = self.session
            with aws_errors(f"preparing to call {service}"):
                self._clients[service] = session.client(service, **self.options)
        return self._clients[service]


@contextmanager
def aws_errors(what: str) -> Generator[None]:
    """AWS's errors as this project's, each one line: what failed, why, and what to do.

    Args:
        what: was done, as `reading the stream ticks`.

    Raises:
        AwsError: a call was refused, or did not come through.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        raise AwsError(f"{what}: {_explained(error, code)}", code=code) from error
    except BotoCoreError as error:
        raise AwsError(
            f"{what}: {_explained_without_answer(error)}", code=_code_without_answer(error)
        ) from error


def error_code(error: ClientError) -> str:
    """AWS's name of an error, without its namespace."""
    response: Any = error.response
    return str(response.get("Error", {}).get("Code", "")).rsplit("#", 1)[-1]


def http_status(error: ClientError) -> int:
    """HTTP's status of an error that AWS answered with; 0 where it is not known."""
    response: Any = error.response
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _explained(error: ClientError, code: str) -> str:
    response: Any = error.response
    said = without_secrets(" ".join(str(response.get("Error", {}).get("Message", "")).split()))
    if code in _EXPIRED:
        return f"AWS does not take the credentials ({code}: {said}); renew them, then try again"
    if code in _DENIED:
        return f"AWS refuses {error.operation_name} ({code}: {said}); terraform/iam.tf has what each role may do"
    return f"{error.operation_name} failed ({code or 'no code'}: {said})"


def _code_without_answer(error: BotoCoreError) -> str:
    if isinstance(error, _NO_CREDENTIALS):
        return NO_CREDENTIALS
    return NOT_REACHED if isinstance(error, ConnectionError) else ""


def _explained_without_answer(error: BotoCoreError) -> str:
    said = without_secrets(" ".join(str(error).split()))
    if isinstance(error, _NO_CREDENTIALS):
        return f"there are no AWS credentials ({said}); set TICK_PIPELINE_AWS_PROFILE, or sign in as the AWS CLI does"
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return f"AWS was not reached ({said}); look at the network and TICK_PIPELINE_AWS_REGION"
    return said
