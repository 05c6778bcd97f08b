"""What refuses is a finding that names the grant, and the other looks go on."""

from __future__ import annotations

import pytest

from tick_pipeline.doctor.looking import Looker
from tick_pipeline.errors import (
    NO_CREDENTIALS,
    NOT_REACHED,
    AwsError,
    HomeError,
    InputError,
    QueryError,
)

DENIED = "AccessDeniedException"
SAID = (
    "User: arn:aws:sts::123:assumed-role/reader/me is not authorized to perform: glue:GetTable on resource: "
    "arn:aws:glue:us-east-1:123:table/ticks/raw because no identity-based policy allows it"
)


def refusing(error: Exception) -> object:
    raise error


@pytest.mark.parametrize(
    ("message", "action", "on", "who"),
    [
        (
            f"reading iceberg.raw: AWS refuses GetTable ({DENIED}: {SAID}); terraform/iam.tf has …",
            "glue:GetTable",
            "arn:aws:glue:us-east-1:123:table/ticks/raw",
            "arn:aws:sts::123:assumed-role/reader/me",
        ),
        (
            "reading the metrics of ticks: AWS refuses GetMetricData (AccessDenied: no)",
            "GetMetricData",
            "reading the metrics of ticks",
            "the profile ops",
        ),
    ],
)
def test_a_missing_grant_is_named(message: str, action: str, on: str, who: str) -> None:
    looker = Looker("the profile ops")
    assert looker.look("the table", lambda: refusing(AwsError(message, code=DENIED))) is None
    assert looker.look("another", lambda: 7) == 7
    (finding,) = looker.unseen()
    assert (finding.failure, finding.verdict.value) == ("missing-grant", "unknown")
    assert {name: finding.evidence[name] for name in ("action", "on", "who")} == {
        "action": action,
        "on": on,
        "who": who,
    }
    assert f"let {who} do {action} on {on}" in finding.next
    assert looker.unseen() == []


@pytest.mark.parametrize("error", [HomeError("no table"), OSError(28, "disk full", "/x")])
def test_what_fails_otherwise_is_told_with_its_reason(error: Exception) -> None:
    looker = Looker("nobody")
    looker.look("the files", lambda: refusing(error))
    looker.look("the files again", lambda: refusing(error))
    (finding,) = looker.unseen()
    assert (finding.failure, finding.verdict.value) == ("not-seen", "unknown")
    assert finding.evidence == {"reason": str(error)}


@pytest.mark.parametrize("code", [NOT_REACHED, NO_CREDENTIALS])
def test_after_a_call_that_nobody_answered_no_other_is_made(code: str) -> None:
    looker = Looker("nobody")
    looker.look("first", lambda: refusing(AwsError("reading: AWS was not reached", code=code)))
    assert looker.look("second", lambda: pytest.fail("it was made")) is None
    assert len(looker.unseen()) == 1
    looker.look("third", lambda: pytest.fail("it was made"))
    assert looker.unseen()[0].subject == "third"


def test_what_the_user_gave_and_cannot_be_used_is_their_error() -> None:
    looker = Looker("nobody")
    with pytest.raises(InputError, match="no such column"):
        looker.look("query", lambda: refusing(QueryError("no such column")), given=True)
    looker.look("standard query", lambda: refusing(QueryError("no such column")))
    assert looker.unseen()[0].verdict.value == "unknown"
