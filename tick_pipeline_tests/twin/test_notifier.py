"""A notification on AWS reaches who subscribed to the topic, cut to what SNS takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.defs.operations.notifications import run_failure_notifier
from tick_pipeline.errors import AwsError, SettingsError
from tick_pipeline.orchestration.instance import open_instance
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.sns_notifier import SnsNotifier
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline_tests.aws_settings import AWS_SETTINGS
from tick_pipeline_tests.defs.looks import KEY, Looks, copies

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline_tests.twin.twin import Twin


@pytest.fixture
def on_twin(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name a topic of the twin."""
    arn = twin.client("sns").create_topic(Name="alerts")["TopicArn"]
    named = {"TICK_PIPELINE_SNS_TOPIC_ARN": arn, "TICK_PIPELINE_AWS_ENDPOINT_URL": twin.url}
    for name, value in {**AWS_SETTINGS, **named}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def inbox(twin: Twin, settings: Settings) -> str:
    """URL of a queue that gets what the topic gets."""
    queue = twin.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    asked = twin.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    twin.client("sns").subscribe(
        TopicArn=settings.sns_topic_arn, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"]
    )
    return queue


def received(twin: Twin, queue: str) -> tuple[str, str]:
    """Subject and text of the one message of a queue."""
    (message,) = twin.client("sqs").receive_message(
        QueueUrl=queue, WaitTimeSeconds=20, MaxNumberOfMessages=10
    )["Messages"]
    body = json.loads(message["Body"])
    return body["Subject"], body["Message"]


def test_a_subscriber_gets_subject_and_text(twin: Twin, on_twin: Settings) -> None:
    queue = inbox(twin, on_twin)
    SnsNotifier(AwsClients(on_twin), on_twin).notify("raw is late", "two hours\nof iceberg")
    assert received(twin, queue) == ("raw is late", "two hours\nof iceberg")


def test_what_sns_would_refuse_is_cut_and_secrets_are_left_out(
    twin: Twin, on_twin: Settings
) -> None:
    queue = inbox(twin, on_twin)
    subject = "candles of \N{EURO SIGN}\nfailed: " + "x" * 200
    text = "AWS_SECRET_ACCESS_KEY=EXAMPLEKEY\n" + "\N{EURO SIGN}" * 100_000
    SnsNotifier(AwsClients(on_twin), on_twin).notify(subject, text)
    told, message = received(twin, queue)
    assert told.startswith("candles of ? failed: xxx")
    assert told.endswith(" ...")
    assert len(told) == 100
    assert len(message.encode()) <= 256 * 1024
    assert message.endswith(" ...")
    assert "EXAMPLEKEY" not in message


def test_a_topic_that_is_gone_is_one_line(twin: Twin, on_twin: Settings) -> None:
    twin.client("sns").delete_topic(TopicArn=on_twin.sns_topic_arn)
    with pytest.raises(AwsError, match="notifying arn:aws:sns"):
        SnsNotifier(AwsClients(on_twin), on_twin).notify("subject", "text")


def test_without_a_topic_nobody_is_told_in_silence(
    on_twin: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TICK_PIPELINE_SNS_TOPIC_ARN")
    settings = load_settings()
    with pytest.raises(SettingsError, match="TICK_PIPELINE_SNS_TOPIC_ARN"):
        SnsNotifier(AwsClients(settings), settings).notify("subject", "text")


def test_three_failed_runs_are_one_message_once_the_topic_takes_it(
    twin: Twin, on_twin: Settings, home: Home
) -> None:
    """A look that SNS refuses loses nothing, and no message quotes the credential that the runs did."""
    sns, notifier = twin.client("sns"), SnsNotifier(AwsClients(on_twin), on_twin)
    with open_instance(home, on_twin) as instance:
        looks = Looks(run_failure_notifier(on_twin), instance, notifier)
        looks.look()
        for _ in range(3):
            copies.execute_in_process(instance=instance, raise_on_error=False)
        sns.delete_topic(TopicArn=on_twin.sns_topic_arn)
        assert looks.look().startswith("not told, so tried again at the next look: notifying arn:")
        sns.create_topic(Name="alerts")
        queue = inbox(twin, on_twin)
        looks.look()
        assert looks.look() == "nothing to tell"
    subject, text = received(twin, queue)
    assert subject.startswith("copies failed 3 times: ValueError: no such folder")
    assert "newest run: " in text
    assert KEY not in subject + text
