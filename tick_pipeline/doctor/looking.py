"""Looking at something that may refuse: what was refused is a finding, and the other looks go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from tick_pipeline.doctor.findings import Figure, Finding, Verdict
from tick_pipeline.errors import (
    NO_CREDENTIALS,
    NOT_REACHED,
    AwsError,
    InputError,
    TickPipelineError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: As IAM says it: `User: arn:… is not authorized to perform: glue:GetTable on resource: arn:…`.
#: Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_NOT_AUTHORIZED = re.compile(
    r"(?:User: (?P<who>\S+) is )?not authorized to perform:? (?P<action>[a-z0-9-]+:\w+)"
    r"(?: on (?:the )?resource:? (?P<resource>[^\s)]+))?"
)
_OPERATION = re.compile(r"AWS refuses (?P<operation>\w+)")
#: Codes of a call that never came through: the next ones would not either, and each would wait long.
_UNREACHED = frozenset({NOT_REACHED, NO_CREDENTIALS})


class Looker:
    """Looks at one thing after the other, and remembers what it could not see.

    Args:
        identity: who asks, where AWS does not name it: a profile, or the credential chain.
    """

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._unseen: list[Finding] = []
        self._unreached: AwsError | None = None

    def look(self, subject: str, work: Callable[[], T], *, given: bool = False) -> T | None:
        """What the work gives; None where it failed, which `unseen` tells.

        Args:
            subject: what is looked at, for people.
            work: the look.
            given: the user gave what is looked at.

        Raises:
            InputError: it was given, and cannot be used.
        """
        if self._unreached is not None:
            self._unseen.append(_unseen(subject, self._unreached, self._identity))
            return None
        try:
            return work()
        except (TickPipelineError, OSError) as error:
            if given and isinstance(error, InputError):
                raise
            if isinstance(error, AwsError) and error.code in _UNREACHED:
                self._unreached = error
            self._unseen.append(_unseen(subject, error, self._identity))
            return None

    def unseen(self) -> list[Finding]:
        """What could not be looked at since the last call, one finding for each reason."""
        found, self._unseen = self._unseen, []
        by_reason: dict[str, Finding] = {}
        for finding in found:
            by_reason.setdefault(finding.next + str(finding.evidence.get("reason")), finding)
        return list(by_reason.values())


def _unseen(subject: str, error: TickPipelineError | OSError, identity: str) -> Finding:
    message = " ".join(str(error).split())
    evidence: dict[str, Figure] = {"reason": message}
    if not isinstance(error, AwsError) or "AWS refuses" not in message:
        told = f"{subject} could not be looked at"
        return Finding(
            subject, Verdict.UNKNOWN, told, "not-seen", evidence, "do what the reason says"
        )
    said = _NOT_AUTHORIZED.search(message)
    operation = _OPERATION.search(message)
    action = said["action"] if said else operation["operation"] if operation else "the call"
    resource = (said and said["resource"]) or message.partition(":")[0]
    who = (said and said["who"]) or identity
    return Finding(
        subject,
        Verdict.UNKNOWN,
        f"{subject} could not be looked at: {who} may not {action}",
        "missing-grant",
        {"action": action, "on": resource, "who": who, **evidence},
        f"let {who} do {action} on {resource} (terraform/iam.tf), or take another role by "
        "TICK_PIPELINE_AWS_PROFILE",
    )
