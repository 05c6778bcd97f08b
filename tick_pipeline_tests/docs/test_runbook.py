"""The runbook: every command of it works, and it tells of every check, finding and alarm that there is."""

# pyarrow has no types, parts of pyiceberg neither
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tick_pipeline.definitions import defs
from tick_pipeline.event_time import format_short, now_us
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.docs.pages import ROOT, Page, page
from tick_pipeline_tests.integration.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

RUNBOOK = page(ROOT / "docs" / "runbook.md")
#: Of Dagster's own kind: told as "freshness".
_FRESHNESS = "freshness_check"


def _commands(told: Page) -> list[str]:
    return [line for block in told.blocks("sh") for line in block.splitlines()]


def _in_trouble(folder: Path) -> Pipeline:
    """Three hours of trades with a gap, among them what cannot be stored, landed in both modes."""
    pipeline = Pipeline(folder / "home")
    trades = folder / "trades.csv"
    rows = "".join(f"2026-01-31T{hour:02}:30:00Z,AAPL,190.5,{hour}\n" for hour in range(9, 12))
    trades.write_text(f"event_time,symbol,price,volume\n{rows}", encoding="utf-8")
    pipeline.json("replay", str(trades))
    with pipeline.here():
        stream = open_deployment(load_settings()).stream()
        stream.put(pa.array(["AAPL"] * 2), pa.array([b"garbage", b'{"price": "1.5"}'], pa.binary()))
    pipeline.json("deliver")
    return pipeline


@pytest.mark.spark
def test_the_commands_of_the_runbook_work(tmp_path: Path) -> None:
    """All of them, in their order, over tables with something wrong in them."""
    pipeline = _in_trouble(tmp_path)
    for line in _commands(RUNBOOK):
        (arguments,) = Page(RUNBOOK.path, f"```sh\n{line}\n```\n").of_program("tick-pipeline")
        given = [_filled_in(word, pipeline) for word in arguments]
        code, _, errors = pipeline.run(*given)
        # The doctor says so where something has failed, and here it has.
        assert code in ({0, 1} if given == ["doctor"] else {0}), (given, errors)


def _filled_in(word: str, pipeline: Pipeline) -> str:
    if word == "SNAPSHOT":
        stored = open_catalog(pipeline.home).load_table("iceberg.aggregated_1m")
        stored.append(stored.schema().as_arrow().empty_table())
        (_, before, *_) = pipeline.json("maintain", "history", "aggregated_1m")
        return str(before["snapshot"])
    return format_short(now_us()) if word == "NOW" else word


def test_the_runbook_tells_of_every_check() -> None:
    names = {check.name for check in defs().resolve_asset_graph().asset_check_keys}
    assert names - set(RUNBOOK.spans) == {_FRESHNESS}
    assert "| freshness |" in RUNBOOK.text


def test_the_runbook_tells_of_every_finding_of_the_doctor() -> None:
    """Their names are the only texts of the judges that are words with `-` between them."""
    named = {
        node.value
        for path in (ROOT / "tick_pipeline" / "doctor").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z]+(-[a-z]+)+", str(node.value))
    }
    assert {"no-arrivals", "stopped-delivery", "stray-objects", "small-files"} <= named
    assert named - set(RUNBOOK.spans) == set()


def test_the_runbook_tells_of_every_alarm() -> None:
    """By its name, or the part of it that stands before a mode's, a job's or a workgroup's."""
    text = (ROOT / "terraform" / "alarms.tf").read_text(encoding="utf-8")
    described = re.compile(
        r'^ +(?:.*: )?"?([a-z]+(?:-[a-z]+)+)(-\$\{.*\})?"? =>? \{\n +description', re.MULTILINE
    )
    names = {f"{name}-*" if varies else name for name, varies in described.findall(text)}
    assert {"stream-behind", "landing-late-*", "job-failures"} <= names
    assert names - set(RUNBOOK.spans) == set()
