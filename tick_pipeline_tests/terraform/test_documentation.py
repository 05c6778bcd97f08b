"""terraform/README.md and the decisions tell what is there: files, targets, inputs, sums."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline_tests.docs.pages import ROOT, page

if TYPE_CHECKING:
    from pathlib import Path

TERRAFORM = ROOT / "terraform"
RENDER = TERRAFORM / "scripts" / "render_docs.py"
README = page(TERRAFORM / "README.md")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))

_CELL = re.compile(r"(?<!\\)\|")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its header."""
    section = README.text.split(f"\n## {heading}\n", maxsplit=1)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in _CELL.split(row)[1:-1]] for row in rows[2:]]


def test_the_tables_of_inputs_and_outputs_are_those_of_the_configuration() -> None:
    """After a wanted change: `make tf-docs`."""
    ended = subprocess.run(
        [sys.executable, str(RENDER), "--check"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "")


def test_check_tells_of_a_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and without writing; without --check it is written."""
    module: dict[str, Any] = runpy.run_path(str(RENDER))
    old = tmp_path / "README.md"
    old.write_text(README.text.replace("| `region` |", "| `regions` |"))
    main = module["main"]
    monkeypatch.setitem(main.__globals__, "PAGE", old)
    before = old.read_text()
    monkeypatch.setattr(sys, "argv", ["render_docs", "--check"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (
        "render_docs: terraform/README.md is out of date; run `make tf-docs`"
    )
    assert old.read_text() == before
    monkeypatch.setattr(sys, "argv", ["render_docs"])
    main()
    assert old.read_text() == README.text
    assert capsys.readouterr().out == "terraform/README.md\n"


def test_a_page_without_the_comments_is_refused() -> None:
    rendered = runpy.run_path(str(RENDER))["rendered"]
    with pytest.raises(ValueError, match="the page has no lines <!-- inputs -->"):
        rendered("# Nothing\n")


def test_what_a_table_makes_of_hcl() -> None:
    """Quotes, heredocs, objects, pipes, null, and a description that is too long."""
    inputs = runpy.run_path(str(RENDER))["inputs_table"]
    long = "Second. " + "Third, which goes on and on. " * 7
    assert inputs(
        'variable "a" {\n  type = string\n  description = "One | of `<x>`, <y>."\n}\n'
        f'variable "b" {{\n  type = map(object({{ c = number }}))\n  default = null\n'
        f"  description = <<-TEXT\n    First,\n    on two lines. {long}\n  TEXT\n}}\n"
    ) == (
        "| name | type | default | description |\n"
        "| --- | --- | --- | --- |\n"
        "| `a` | `string` | none, give it | One \\| of `<x>`, &lt;y>. |\n"
        "| `b` | `map(object)` | `null` | First, on two lines. Second."
        + " Third, which goes on and on." * 5
        + " |\n"
    )


def test_every_file_of_the_configuration_has_its_row() -> None:
    files = {path.name for path in TERRAFORM.glob("*.tf") if not path.stem.endswith("override")}
    files -= {"backend.tf"}  # a user's own
    folders = {f"modules/{path.name}/" for path in (TERRAFORM / "modules").iterdir()}
    named = [row[0].strip("`") for row in table("Files")]
    assert files | folders <= set(named)
    assert [name for name in named if not (TERRAFORM / name).exists()] == []
    assert len(named) == len(set(named))


def test_every_make_target_and_variable_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
    commands = README.of_program("make")
    assert {"tf-plan", "tf-apply", "tf-destroy", "tf-docs", "env"} <= {
        words[0] for words in commands
    }
    for target, *assignments in commands:
        assert target in targets
        assert {text.partition("=")[0] for text in assignments} <= variables


def test_every_link_leads_somewhere() -> None:
    for link in README.links:
        name, _, anchor = link.partition("#")
        target = README.path.parent / name if name else README.path
        assert target.exists(), link
        assert not anchor or anchor in page(target.resolve()).headings, link


def test_every_variable_that_is_named_is_one() -> None:
    """Names of two words in backticks, or assignments of them."""
    of_settings = runpy.run_path(str(RENDER))["blocks"]
    known = set(of_settings((TERRAFORM / "variables.tf").read_text(), "variable"))
    known |= set(of_settings((TERRAFORM / "outputs.tf").read_text(), "output"))
    known |= {"table_optimizers", "table_maintenance"}
    named = {span.split(" = ")[0] for span in README.spans}
    named = {name for name in named if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name)}
    assert named - known == set()


def test_the_cost_of_the_demo_adds_up() -> None:
    rows = table("Cost")
    *stations, (title, *_, total, _, _) = [[cell.strip("*") for cell in row] for row in rows]
    assert title == "sum"
    assert float(total) == pytest.approx(sum(float(row[3]) for row in stations))


def test_the_cost_of_the_demo_follows_from_its_load() -> None:
    """The stations whose amounts are no guess: 60 ticks/s for three hours, by the prices told."""
    told = {row[0]: float(row[3]) for row in table("Cost")[:-1]}
    ticks = 60 * 3 * 3600
    gigabytes = ticks * 220 / 1024**3
    counted = ticks * 5 / 1024**2  # each as 5 KB
    exact = {
        "Kinesis, one shard": 3 * 0.015 + ticks / 1e6 * 0.014,
        "Firehose to Iceberg": gigabytes * 0.075,
        "Firehose to Parquet": counted * (0.029 + 0.018 + 0.02) + 200 / 1000 * 0.005 + 3 * 0.07,
        "Glue, batch": 12 * 3 / 60 * 2 * 0.44,
        "Glue, streaming": 2 * 0.44,
        "Athena": 400 * 10 / 1024**2 * 5,
    }
    assert {name: round(usd, 2) for name, usd in exact.items()} == {
        name: told[name] for name in exact
    }


@pytest.mark.parametrize("path", DECISIONS, ids=[path.stem for path in DECISIONS])
def test_a_decision_has_its_three_sections_on_one_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequence",
    ]
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert len(text.splitlines()) <= 45


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
