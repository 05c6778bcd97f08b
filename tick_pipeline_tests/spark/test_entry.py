"""The frame around every job."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tick_pipeline.spark.entry import send_glue_metrics

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_on_glue_a_job_makes_the_context_that_its_metrics_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package awsglue is Glue's alone: here stands one that notes what it is given."""
    package = tmp_path / "awsglue"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "context.py").write_text("made = []\nGlueContext = made.append\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    session: Any = SimpleNamespace(sparkContext="the context")
    send_glue_metrics(session)
    context: Any = sys.modules.pop("awsglue.context")
    del sys.modules["awsglue"]
    assert context.made == ["the context"]


def test_elsewhere_there_is_nothing_to_send() -> None:
    session: Any = SimpleNamespace()
    send_glue_metrics(session)
