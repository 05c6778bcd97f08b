"""`lab`: failures in a sandbox, which the doctor has to find; the HOME of the settings is not touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.cli.options import AsJson
from tick_pipeline.cli.output import cell, progress_bar, show, show_json, show_table
from tick_pipeline.errors import WorkError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.doctor.lab.experiment import Outcome

_ALL = "all"

app = typer.Typer(
    help="Break a sandbox, and see whether the doctor finds it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_failures(as_json: AsJson = False) -> None:
    """Show the failures that `lab run` takes."""
    from tick_pipeline.doctor.lab.failures import FAILURES

    failures = {name: failure.description for name, failure in FAILURES.items()}
    if as_json:
        show_json(failures)
        return
    show_table(("failure", "what is done"), failures.items())


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="A failure that `lab list` shows, or all.")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the sandbox behind, to look at.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Break a sandbox, let the doctor find it, mend it by the command he names, and let him look again."""
    from tick_pipeline.doctor.lab.experiment import run_experiment
    from tick_pipeline.doctor.lab.failures import FAILURES, find_failure

    wanted = list(FAILURES.values()) if name == _ALL else [find_failure(name)]
    settings = load_settings()
    outcomes: list[Outcome] = []
    for failure in wanted:
        with progress_bar(f"lab: {failure.name}"):
            outcomes.append(run_experiment(failure, settings, keep=keep))
        if not as_json:
            _show(outcomes[-1])
    if as_json:
        show_json(outcomes)
    _raise_for(outcomes)


def _show(outcome: Outcome) -> None:
    show(f"\n{outcome.failure} ({outcome.seconds:.0f} s): {outcome.done}")
    if not outcome.found:
        show("  not found")
    for finding in outcome.found:
        show(f"  found   {finding.verdict.value}: {finding.statement}")
        for name, value in finding.evidence.items():
            show(f"          {name}: {cell(value)}")
        show(f"  next    {finding.next}")
    for ended in outcome.cure:
        show(f"  ran     {ended.command}: exit code {ended.code}{ended.told and f', {ended.told}'}")
    if outcome.healed and outcome.after:
        show(f"  again   the doctor finds nothing of it any more; in all: {outcome.after.value}")
    for finding in outcome.left or ():
        show(f"  again   still {finding.verdict.value}: {finding.statement}")
    if outcome.no_cure:
        show(f"  no cure {outcome.no_cure}")
    if outcome.folder:
        show(f"  kept    {outcome.folder}")


def _raise_for(outcomes: Sequence[Outcome]) -> None:
    """End with exit code 1 where the doctor missed a failure, or what he says does not help.

    Raises:
        WorkError: which.
    """
    missed = [outcome.failure for outcome in outcomes if not outcome.found]
    ill = [outcome.failure for outcome in outcomes if outcome.healed is False]
    told = [f"the doctor did not find {', '.join(missed)}"] if missed else []
    told += [f"the cure did not help against {', '.join(ill)}"] if ill else []
    if told:
        raise WorkError("; ".join(told))
