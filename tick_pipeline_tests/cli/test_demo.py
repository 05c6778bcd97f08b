"""`demo` has its HOME to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.cli.main import run
from tick_pipeline.spark.locks import exclusive

if TYPE_CHECKING:
    import pytest

    from tick_pipeline.home import Home


def test_two_demos_in_one_home_are_refused_before_a_tick_is_sent(
    here: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one would check the candles of the other's ticks, which are still to come."""
    with exclusive(here.locks / "demo.lock", what="the test"):
        assert run(["demo", "--minutes", "1"]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("tick-pipeline: another process holds the demo of ")
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert not list(here.labels.iterdir())
