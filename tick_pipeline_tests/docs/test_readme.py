"""README and docs/ tell nothing that is not there: paths, commands, options, settings, names, output."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import pytest
import typer

from tick_pipeline.cli.main import app
from tick_pipeline_tests.docs.names import (
    asset_names,
    dagster_names,
    known_names,
    setting_names,
)
from tick_pipeline_tests.docs.pages import README, ROOT, Page, page, pages
from tick_pipeline_tests.integration.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
#: Names the real trades to the tests; no setting of the product.
_OF_TESTS = {"TICK_PIPELINE_TEST_REAL_TRADES"}
_SUFFIXES = (".py", ".md", ".toml", ".yaml", ".json", ".sql", ".png", ".lock")
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
_LINES_AT_MOST = 150

each_page = pytest.mark.parametrize("told", pages(), ids=[told.path.name for told in pages()])


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))


@each_page
def test_every_path_is_there(told: Page) -> None:
    """As seen from the root, the package or the page; what HOME will hold stands in angle brackets."""
    paths = {span for span in told.spans if _is_path(span)} - asset_names()
    assert [path for path in sorted(paths) if not _exists(path, told)] == []


@each_page
def test_every_link_leads_somewhere(told: Page) -> None:
    for link in told.links:
        name, _, anchor = link.partition("#")
        target = told.path.parent / name if name else told.path
        assert target.exists(), link
        assert not anchor or anchor in page(target).headings, link


@each_page
def test_every_make_target_and_variable_is_in_the_makefile(told: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
    for target, *assignments in told.of_program("make"):
        assert target in targets
        assert {text.partition("=")[0] for text in assignments} <= variables


@each_page
def test_every_command_line_is_accepted(told: Page) -> None:
    """Parsed as the command would, not run; a command named without arguments has only to be one."""
    for arguments in told.of_program("tick-pipeline"):
        command, rest = _command(arguments)
        if rest:
            command.make_context(command.name, rest)


@each_page
def test_every_option_that_is_named_alone_is_one(told: Page) -> None:
    named = {span for span in told.spans if re.fullmatch(r"--[a-z-]+", span)}
    assert named <= {"--help", *_options(typer.main.get_command(app))}


@each_page
def test_every_setting_that_is_named_is_one(told: Page) -> None:
    named = set(re.findall(r"TICK_PIPELINE_[A-Z]+(?:_[A-Z]+)*", told.text))
    assert named <= setting_names() | _OF_TESTS


@each_page
def test_every_name_in_backticks_is_one_of_the_project(told: Page) -> None:
    """Names of two words or more: they stand for nothing else."""
    named = {span for span in told.spans if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", span)}
    assert named - known_names() == set()


def test_every_name_in_readme_is_one_of_the_project() -> None:
    """In its diagram and its output, too."""
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", text)) - known_names() == set()
    keys = set(re.findall(r"(?<![\w/])(?:iceberg|parquet_projection|stream)/\w+", text))
    assert keys - asset_names() == set()


def test_readme_names_every_asset_check_job_schedule_and_sensor() -> None:
    """What Dagster makes for itself (`__ASSET_JOB`, freshness checks) aside."""
    text = README.read_text(encoding="utf-8")
    own = {name for name in dagster_names() if not name.startswith("__")} - {"freshness_check"}
    assert {name for name in own | asset_names() if name not in text} == set()


def test_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= _LINES_AT_MOST


@pytest.mark.spark
def test_the_commands_of_readme_work(tmp_path: Path) -> None:
    """All of them, in their order, in a HOME of their own."""
    pipeline = Pipeline(tmp_path / "home")
    rows = "".join(f"2026-01-31T{hour:02}:30:00Z,AAPL,190.5,{hour}\n" for hour in range(9, 12))
    trades = tmp_path / "trades.csv.gz"
    trades.write_bytes(gzip.compress(f"event_time,symbol,price,volume\n{rows}".encode()))
    for arguments in page(README).of_program("tick-pipeline"):
        code, _, errors = pipeline.run(*arguments)
        assert code == 0, (arguments, errors)
    assert not pipeline.home.exists()


def _is_path(span: str) -> bool:
    looks = "/" in span or span.startswith(".") or span.endswith(_SUFFIXES)
    return looks and _PATH.fullmatch(span) is not None


def _exists(path: str, told: Page) -> bool:
    if path in IGNORED or f"{path}/" in IGNORED:
        return True
    folders = (ROOT, ROOT / "tick_pipeline", told.path.parent)
    return any(found for folder in folders for found in folder.glob(path.rstrip("/")))


def _command(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the arguments name, and what is left for it."""
    command: Any = typer.main.get_command(app)
    while arguments and hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    return command, arguments


def _options(command: Any) -> set[str]:
    """Every option of a command and of those below it."""
    own = {name for parameter in command.params for name in parameter.opts}
    return own.union(*(_options(below) for below in getattr(command, "commands", {}).values()))
