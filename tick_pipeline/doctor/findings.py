"""What the doctor found: verdicts with their evidence, under four questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Figure: TypeAlias = "str | int | float | None"


class Verdict(str, Enum):
    """How bad it is, from good to bad; what could not be looked at may be as bad as can be."""

    OK = "ok"
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Verdict).index(self)


class Question(Enum):
    """The four questions, in the order of the ticks' way: an answer explains those after it."""

    ENTERING = "is data entering the stream?"
    LEAVING = "is it leaving into the tables?"
    STORED = "does the metadata describe what landed?"
    READING = "does the query read the right files?"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what, as `delivery`.
        verdict: how it stands.
        statement: that in one line, with the figure that matters.
        failure: name of what is wrong, as `stopped-delivery`; empty where nothing is.
        evidence: figures by name.
        next: the command, or the step, to do now; empty where there is nothing to do.
    """

    subject: str
    verdict: Verdict
    statement: str
    failure: str = ""
    evidence: dict[str, Figure] = field(default_factory=dict[str, Figure])
    next: str = ""


@dataclass(frozen=True)
class Answer:
    """The findings to one question."""

    question: Question
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst(finding.verdict for finding in self.findings)


@dataclass(frozen=True)
class Diagnosis:
    """All that the doctor has to say of a deployment at one moment.

    Attributes:
        deployment: `local` or `aws`.
        where: where its tables lie.
        looked_us: when, microseconds.
        answers: to the four questions, in their order.
    """

    deployment: str
    where: str
    looked_us: int
    answers: tuple[Answer, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its answers."""
        return worst(answer.verdict for answer in self.answers)

    @property
    def findings(self) -> list[Finding]:
        """All findings, in the order of the questions."""
        return [finding for answer in self.answers for finding in answer.findings]

    def of_failure(self, name: str) -> list[Finding]:
        """The findings that name a failure."""
        return [finding for finding in self.findings if finding.failure == name]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst verdict; OK of none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.OK)


def ok(subject: str, statement: str, **evidence: Figure) -> Finding:
    """A finding of something that is as it should be."""
    return Finding(subject, Verdict.OK, statement, evidence=_named(evidence))


def some(lines: Sequence[str], most: int = 5) -> dict[str, Figure]:
    """The first of many lines as evidence, and how many more there are."""
    shown: dict[str, Figure] = {str(number): line for number, line in enumerate(lines[:most], 1)}
    return shown | ({"more": len(lines) - most} if len(lines) > most else {})


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """A diagnosis as plain values, for scripts."""
    return {
        "deployment": diagnosis.deployment,
        "where": diagnosis.where,
        "looked_us": diagnosis.looked_us,
        "verdict": diagnosis.verdict.value,
        "answers": [
            {
                "question": answer.question.value,
                "verdict": answer.verdict.value,
                "findings": [
                    {
                        "subject": finding.subject,
                        "verdict": finding.verdict.value,
                        "failure": finding.failure or None,
                        "statement": finding.statement,
                        "evidence": finding.evidence,
                        "next": finding.next or None,
                    }
                    for finding in answer.findings
                ],
            }
            for answer in diagnosis.answers
        ],
    }


def _named(evidence: dict[str, Figure]) -> dict[str, Figure]:
    return {name.replace("_", " "): value for name, value in evidence.items()}
