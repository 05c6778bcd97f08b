"""`contracts`: the record types, the gate for a change of one, and the live tables that follow it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tick_pipeline.cli.options import AsJson, deployment_of
from tick_pipeline.cli.output import say, show, show_json, show_table
from tick_pipeline.errors import ContractError, WorkError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.contracts.contract import Contract

app = typer.Typer(help="The record types: check their files, and bring live tables to them.")


@app.callback()
def group() -> None:
    """The record types: check their files, and bring live tables to them."""


@app.command("check")
def check(
    against: Annotated[
        str | None,
        typer.Option(
            help="The older side: a contract's JSON file, a folder of them, or a git revision."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the contract files; with --against, refuse a change that old data could not live with."""
    from tick_pipeline.contracts.compatibility import incompatibilities
    from tick_pipeline.contracts.contract import contract_names, load_contract

    current = {name: load_contract(name) for name in contract_names()}
    problems: list[str] = []
    compared: list[str] = []
    for old in _older(against) if against is not None else []:
        compared.append(old.name)
        if old.name in current:
            problems.extend(incompatibilities(old, current[old.name]))
        else:
            problems.append(f"{old.name}: the contract was removed")
    if as_json:
        show_json({"contracts": list(current), "compared": compared, "problems": problems})
    else:
        for name, contract in current.items():
            suffix = f", compared with {against}" if name in compared else ""
            show(f"{name}: {len(contract.fields)} fields, key {', '.join(contract.key)}{suffix}")
    if problems:
        raise WorkError(f"incompatible with {against}: {'; '.join(problems)}")


@app.command("apply")
def apply(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the live tables and views to the contracts; columns are added, none is dropped or retyped."""
    evolution = deployment_of(load_settings()).tables().evolve(dry_run=dry_run)
    if as_json:
        show_json({"dry_run": dry_run, "steps": evolution.steps, "notes": evolution.notes})
        return
    if not evolution.steps:
        show("every live table is as its contract says")
        return
    show_table(
        ("table", "would do" if dry_run else "done", "before", "after"),
        [(step.table, step.change, step.before, step.after) for step in evolution.steps],
    )
    for note in evolution.notes:
        say(note)


def _older(against: str) -> list[Contract]:
    from tick_pipeline.contracts.contract import parse_contract

    path = Path(against)
    try:
        if path.is_dir():
            texts = {str(file): file.read_text("utf-8") for file in sorted(path.glob("*.json"))}
        elif path.is_file():
            texts = {against: path.read_text("utf-8")}
        else:
            texts = _texts_of_revision(against)
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"--against {against} cannot be read: {error}") from error
    if not texts:
        raise ContractError(f"--against {against}: no contract file there")
    return [parse_contract(text, where=where) for where, text in texts.items()]


def _texts_of_revision(revision: str) -> dict[str, str]:
    """Contract files of a git revision of the checkout that this package runs from."""
    folder = Path(__file__).parents[1] / "contracts"
    if revision.startswith("-"):
        raise ContractError(f"--against {revision}: no file, folder or git revision of that name")
    try:
        listed = _git(folder, "ls-tree", "--name-only", revision, "./")
        names = [name for name in listed.splitlines() if name.endswith(".json")]
        return {
            f"{revision}:{name}": _git(folder, "show", f"{revision}:./{name}") for name in names
        }
    except FileNotFoundError as error:
        raise ContractError(f"--against {revision}: git is not installed") from error
    except subprocess.CalledProcessError as error:
        raise ContractError(
            f"--against {revision}: no file, folder or git revision of that name"
        ) from error


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607  (git is where the user has it)
        check=True,
        capture_output=True,
        text=True,
    ).stdout
