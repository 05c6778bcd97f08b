"""The end of what a run of a Glue job said, from CloudWatch Logs."""

# boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import aws_errors, error_code

if TYPE_CHECKING:
    from tick_pipeline.resources.aws.clients import AwsClients

#: Standard output and error of the script; Spark's own messages. Which of the two has a traceback differs
#: between releases of Glue. Source: https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
_KINDS = ("output", "error")
_EVENTS = 200


def log_tail(clients: AwsClients, groups: str, run_id: str) -> list[str]:
    """The last lines of a run's driver, of both log groups by their time; none where it said nothing.

    Args:
        clients: of AWS.
        groups: what stands before `/output` and `/error` in the groups' names.
        run_id: of the run, which its log stream is named after.

    Raises:
        AwsError: CloudWatch Logs did not give them.
    """
    logs = clients.client("logs")
    with aws_errors(f"reading the log of the Glue run {run_id}"):
        events = [event for kind in _KINDS for event in _events(logs, f"{groups}/{kind}", run_id)]
    return [
        without_secrets(line)
        for event in sorted(events, key=lambda event: event["timestamp"])
        for line in event["message"].splitlines()
        if line.strip()
    ]


def _events(logs: Any, group: str, stream: str) -> list[dict[str, Any]]:
    try:
        answer = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=_EVENTS, startFromHead=False
        )
    except ClientError as error:
        # A run that ended early has none.
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise
    return list(answer["events"])
