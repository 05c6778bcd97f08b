"""The examination: four questions in order, to a deployment that may refuse some of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.doctor import entering, leaving, reading, stored
from tick_pipeline.doctor.findings import Answer, Diagnosis, Question
from tick_pipeline.doctor.gathering import Gathering
from tick_pipeline.doctor.looking import Looker
from tick_pipeline.event_time import now_us

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Finding
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.settings import Settings


def examine(deployment: Deployment, settings: Settings, *, sql: str | None = None) -> Diagnosis:
    """Look at a deployment and judge it; nothing is changed but that an absent HOME begins.

    Args:
        deployment: which.
        settings: of it.
        sql: a query of the user's, asked about with the last question.

    Raises:
        HomeError: HOME is of another version, or none.
    """
    looked_us = now_us()
    where = f"{deployment.warehouse}, HOME {deployment.home.path}"
    profile = settings.aws_profile
    identity = f"the profile {profile}" if profile else "who AWS's credential chain gives"
    looker = Looker(identity)
    gathering = Gathering(deployment, settings, looker, looked_us)

    def answer(question: Question, findings: list[Finding]) -> Answer:
        return Answer(question, (*findings, *looker.unseen()))

    return Diagnosis(
        deployment=settings.deployment,
        where=where,
        looked_us=looked_us,
        answers=(
            answer(Question.ENTERING, entering.judge(gathering.entering())),
            answer(Question.LEAVING, leaving.judge(gathering.leaving())),
            answer(Question.STORED, stored.judge(*gathering.stored())),
            answer(Question.READING, reading.judge(*gathering.reading(sql))),
        ),
    )
