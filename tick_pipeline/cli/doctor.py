"""`doctor`: what is wrong with the pipeline, by four questions in the order of the ticks' way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import cell, progress_bar, show_json
from tick_pipeline.errors import WorkError
from tick_pipeline.event_time import format_short
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.doctor.findings import Answer, Diagnosis, Finding

_STYLES = {"ok": "green", "warn": "yellow", "unknown": "magenta", "fail": "bold red"}
_PIPE_WIDTH = 240


def doctor(
    query: Annotated[
        str | None,
        typer.Option("--query", help="Also judge this SQL: does it read the right files?"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong: does data come in, does it land, is it described, do queries read the right files."""
    from tick_pipeline.doctor.examination import examine
    from tick_pipeline.doctor.findings import document

    settings = load_settings()
    with progress_bar("four questions"):
        diagnosis = examine(deployment_of(settings), settings, sql=query)
    if as_json:
        show_json(document(diagnosis))
    else:
        show_diagnosis(diagnosis)
    raise_for(diagnosis)


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """All findings for people, what is wrong with its evidence; on stdout."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=_PIPE_WIDTH)
    console.print(
        f"{diagnosis.deployment}: {diagnosis.where}, at {format_short(diagnosis.looked_us)}",
        markup=False,
    )
    for number, answer in enumerate(diagnosis.answers, 1):
        console.print(_title(number, answer))
        for finding in answer.findings:
            console.print(_text(finding))


def raise_for(diagnosis: Diagnosis) -> None:
    """End with exit code 1 where something has failed, or could not be looked at.

    Raises:
        WorkError: the first and worst of that, and what to do.
    """
    from tick_pipeline.doctor.findings import Verdict

    bad = [item for item in diagnosis.findings if item.verdict.rank >= Verdict.UNKNOWN.rank]
    if bad:
        first = next((item for item in bad if item.verdict is Verdict.FAIL), bad[0])
        more = f"; {len(bad) - 1} more above" if len(bad) > 1 else ""
        raise WorkError(f"{first.statement}; next: {first.next}{more}")


def _title(number: int, answer: Answer) -> Text:
    style = _STYLES[answer.verdict.value]
    return Text.assemble(
        "\n", (f"{number}. {answer.question.value} ", "bold"), (answer.verdict.value, style)
    )


def _text(finding: Finding) -> Text:
    verdict = finding.verdict.value
    text = Text.assemble("   ", (f"{verdict:<8}", _STYLES[verdict]), finding.statement)
    if not finding.failure:
        return text
    text.append(f" [{finding.failure}]", "dim")
    told = {name: value for name, value in finding.evidence.items() if value not in (None, "")}
    width = max(map(len, told), default=0)
    for name, value in told.items():
        text.append(f"\n             {name:<{width}}  ", "dim")
        text.append(cell(value))
    if finding.next:
        text.append("\n       next: ", "bold")
        text.append(finding.next, "cyan")
    return text
