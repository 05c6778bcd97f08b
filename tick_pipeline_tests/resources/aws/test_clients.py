"""AWS's errors are one line each, with what to do; no client needs more than the settings."""

# boto3 makes its clients at run time.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)

from tick_pipeline.errors import AwsError, SettingsError
from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import AwsClients, aws_errors
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.aws_settings import AWS_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

_KEY, _TOKEN = "AKIAIOSFODNN7EXAMPLE", "IQoJb3JpZ2luX2VjEXAMPLE"


@pytest.fixture(autouse=True)
def _on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AWS_SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("ExpiredTokenException", "renew them"),
        ("UnrecognizedClientException", "renew them"),
        ("AccessDeniedException", "terraform/iam.tf"),
        ("com.amazon.coral.service#AccessDeniedException", "terraform/iam.tf"),
        ("ResourceNotFoundException", "PutRecords failed"),
    ],
)
def test_a_refusal_is_one_line_with_code_and_advice(code: str, advice: str) -> None:
    answer = {"Error": {"Code": code, "Message": "not\nthis time"}}
    with (
        pytest.raises(AwsError, match=f"reading ticks: .*not this time.*{advice}|{advice}") as told,
        aws_errors("reading ticks"),
    ):
        raise ClientError(answer, "PutRecords")  # pyright: ignore[reportArgumentType]
    assert told.value.code == code.rsplit("#", 1)[-1]
    assert str(told.value).startswith("reading ticks: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (NoCredentialsError(), "TICK_PIPELINE_AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="https://kinesis.x"), "TICK_PIPELINE_AWS_REGION"),
        (ConnectTimeoutError(endpoint_url="https://kinesis.x"), "TICK_PIPELINE_AWS_REGION"),
    ],
)
def test_a_call_that_did_not_come_through_is_one_line_with_advice(
    error: Exception, advice: str
) -> None:
    with pytest.raises(AwsError, match=f"reading ticks: .*{advice}"), aws_errors("reading ticks"):
        raise error


@pytest.mark.parametrize(
    "text",
    [
        f"The security token {_KEY} is invalid",
        f"AWS_SECRET_ACCESS_KEY={_TOKEN}",
        f'{{"SessionToken": "{_TOKEN}"}}',
        f"X-Amz-Security-Token={_TOKEN}&X-Amz-Signature={_TOKEN}",
        f"X-Amz-Credential={_KEY}%2F20260101",
    ],
)
def test_a_message_carries_no_secret(text: str) -> None:
    told = without_secrets(text)
    assert _KEY not in told
    assert _TOKEN not in told
    assert "***" in told


def test_other_text_stays_as_it_is() -> None:
    text = "Stream ticks under account 000000000000 not found: arn:aws:kinesis:us-east-1:1:stream/t"
    assert without_secrets(text) == text


def test_clients_speak_to_the_region_and_endpoint_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not to those of the shell, which may be another project's."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    clients = AwsClients(load_settings())
    assert clients.client("kinesis").meta.region_name == "us-east-1"
    assert clients.client("kinesis") is clients.client("kinesis")
    monkeypatch.setenv("TICK_PIPELINE_AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert AwsClients(load_settings()).client("s3").meta.endpoint_url == "http://127.0.0.1:9"


def test_an_unknown_profile_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("TICK_PIPELINE_AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="TICK_PIPELINE_AWS_PROFILE=nobody"):
        AwsClients(load_settings()).client("s3")
