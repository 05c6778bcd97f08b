"""What a command that makes whole hours says at its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tick_pipeline.cli.hours import say_next
from tick_pipeline_tests.twin.glue_stand_in import REPORT

if TYPE_CHECKING:
    import pytest


def test_the_query_that_shows_what_was_made_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    say_next([REPORT], "latest_candles")
    assert capsys.readouterr().err == "next: tick-pipeline query --file latest_candles\n"


def test_hours_without_ticks_are_told_and_how_to_find_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say_next([replace(REPORT, rows=0)], "latest_candles")
    told = capsys.readouterr().err
    assert told.startswith("raw has no ticks in these hours; the newest: tick-pipeline query ")
    assert f"from {REPORT.storage_mode}.ticks" in told
