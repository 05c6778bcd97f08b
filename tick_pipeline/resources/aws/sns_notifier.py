"""Notifications on AWS: a topic of SNS, which sends them on to whoever subscribed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import SettingsError
from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import aws_errors

if TYPE_CHECKING:
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.settings import Settings

#: Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT_CHARACTERS, _MESSAGE_BYTES = 100, 256 * 1024
_CUT = " ..."


class SnsNotifier:
    """The port on the topic that Terraform made.

    Args:
        clients: of AWS.
        settings: names the topic.
    """

    def __init__(self, clients: AwsClients, settings: Settings) -> None:
        self._clients = clients
        self._topic = settings.sns_topic_arn

    def notify(self, subject: str, text: str) -> None:
        """See Notifier.

        Raises:
            AwsError: the topic did not take it.
            SettingsError: no topic is named.
        """
        if self._topic is None:
            raise SettingsError(
                "TICK_PIPELINE_SNS_TOPIC_ARN is not set, so nobody can be told: `make env` writes it into .env"
            )
        with aws_errors(f"notifying {self._topic}"):
            self._clients.client("sns").publish(
                TopicArn=self._topic,
                Subject=_subject(subject),
                Message=_message(without_secrets(text) or subject),
            )


def _subject(text: str) -> str:
    """What SNS takes as a subject: printable ASCII, one line, at most 100 characters."""
    line = " ".join(without_secrets(text).split()).encode("ascii", "replace").decode()
    line = "".join(sign if sign.isprintable() else "?" for sign in line) or "tick_pipeline"
    if len(line) <= _SUBJECT_CHARACTERS:
        return line
    return line[: _SUBJECT_CHARACTERS - len(_CUT)] + _CUT


def _message(text: str) -> str:
    """As much of a text as one message holds, with a sign where it was cut."""
    whole = text.encode()
    if len(whole) <= _MESSAGE_BYTES:
        return text
    return whole[: _MESSAGE_BYTES - len(_CUT)].decode(errors="ignore") + _CUT
