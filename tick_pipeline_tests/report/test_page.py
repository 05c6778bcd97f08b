"""The page: one file that asks nobody, whatever the figures and names in it are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typing_extensions import override

from tick_pipeline.errors import WorkError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE
from tick_pipeline.plots.picture import Alert, Band, Candle, Picture
from tick_pipeline.report.comparison import AwsCost, MonthlyCost, TableParity
from tick_pipeline.report.page import page_text, write_page
from tick_pipeline.report.remembered import TableState, Upkeep
from tick_pipeline.resources.table_stats import TableStats
from tick_pipeline.storage import TABLES, StorageMode
from tick_pipeline_tests.report.figures import (
    HOUR_US,
    ICEBERG,
    NOT_MEASURED,
    PARQUET,
    check,
    comparison,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.report.conftest import Reported

_MOST_BYTES = 3_000_000
_ODD = "<b>&\"'</script><script>alert(1)</script>"


class Page(HTMLParser):
    """What a page loads, and the text that people see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loading: list[str] = []
        self.seen: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = [tag] if tag in {"script", "style"} else []
        self.loading += [f"{tag} {name}={value}" for name, value in attrs if name in _LOADS]

    @override
    def handle_endtag(self, tag: str) -> None:
        self._inside = []

    @override
    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.seen.append(data)

    @property
    def text(self) -> str:
        """Blanks of any length are one."""
        return " ".join(" ".join(self.seen).split())


_LOADS = ("src", "href", "data", "action", "srcset", "poster")


def picture(symbol: str, event_id: str) -> Picture:
    at_us = np.array([HOUR_US, HOUR_US + US_PER_MINUTE])
    limits = np.array([1.0, 2.0])
    return Picture(
        symbol=symbol,
        storage_mode=PARQUET.value,
        start_us=HOUR_US,
        end_us=HOUR_US + 2 * US_PER_MINUTE,
        candles=(Candle(HOUR_US, 1.0, 2.0, 0.5, 1.5, 10.0),),
        band=Band(at_us, limits, limits / 2, limits * 2.0),
        threshold=5,
        window_minutes=10,
        alerts=(Alert(event_id, HOUR_US, 1.5, "return", 0.1, 0.0, 0.01, 10.0, 100),),
    )


@pytest.fixture(scope="module")
def text(reported: Reported) -> str:
    return reported.page.read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_is_forbidden_to(text: str) -> None:
    assert Page(text).loading == []
    assert not re.search(r"@import|url\(\s*['\"]?https?:", text)
    assert "default-src 'none'" in text
    assert len(text.encode()) < _MOST_BYTES


def test_every_section_stands_with_how_it_was_measured(text: str) -> None:
    sections = re.findall(r'<section id="([a-z]+)">(.*?)</section>', text, re.DOTALL)
    names = "parity queries storage writing freshness late upkeep cost market checks"
    assert [name for name, _ in sections] == names.split()
    for name, inside in sections:
        assert '<p class="how"><b>How:</b>' in inside or 'class="missing"' in inside, name


def test_the_page_shows_what_was_measured(reported: Reported, text: str) -> None:
    seen, measured = Page(text).text, reported.comparison
    assert f"Measured on {measured.ticks:,} ticks of the 24 hours up to 2026-03-01 11:00" in seen
    assert seen.count("equal") >= len(TABLES)
    for query in measured.queries:
        assert query.question in seen
    assert "One hour, by a filter on the time" in seen


def test_names_from_the_data_are_text_and_no_markup() -> None:
    """An id of an event is whatever its sender wrote."""
    odd = comparison(
        symbol=_ODD,
        checks=(check("error", HOUR_US, description=_ODD, check=_ODD),),
        cost=replace(NOT_MEASURED, why=_ODD, command=_ODD),
    )
    text = page_text(odd, [picture(_ODD, _ODD)])
    assert "<script>alert(1)" not in text
    assert "<b>&" not in text
    assert "1 anomaly, one-minute candles" in Page(text).text
    # The check's name, twice in "not measured", the symbol in the text and above its chart.
    assert Page(text).text.count(_ODD) == 5


def test_what_was_not_measured_is_said_with_its_command() -> None:
    bare = comparison(
        lateness=(),
        minutes=(),
        queries=(),
        hour_us=None,
        symbol=None,
        landings=NOT_MEASURED,
        baseline=NOT_MEASURED,
        checks=(),
        tables=tuple(
            TableStats(mode, table, 0, 0, 0, 0) for mode in StorageMode for table in TABLES
        ),
    )
    text = page_text(bare, [])
    seen = Page(text).text
    assert seen.count("Not measured: nobody did. This measures it: tick-pipeline status") == 4
    for told in (
        "No ticks in these hours",
        "nothing to compare",
        "the hours looked at hold no ticks",
        "No candles in these hours",
        "No run of Dagster has evaluated a check yet",
    ):
        assert told in seen
    # Nothing is drawn, so nothing that draws is there.
    assert "Bokeh" not in text


def test_a_difference_is_told_also_where_the_mode_that_is_shown_holds_nothing() -> None:
    parity = (TableParity("raw", 3), *(TableParity(table, 0) for table in TABLES[1:]))
    empty = comparison(parity=parity, lateness=(), minutes=(), queries=())
    seen = Page(page_text(empty, [])).text
    assert "3 hours differ aggregated_1m" in seen
    assert "may still be landing" not in seen
    assert (
        "3 hours differ , may still be landing"
        in Page(page_text(replace(empty, settled=False), [])).text
    )


def test_ticks_that_were_never_late_have_no_chart_of_lateness() -> None:
    level = comparison()
    on_time = tuple(replace(minute, max_lateness_seconds=0.0) for minute in level.minutes)
    text = page_text(replace(level, minutes=on_time), [])
    assert "Every tick was sent at its event time" in Page(text).text


def test_runs_over_other_hours_have_no_bars_side_by_side() -> None:
    """In the section of writing there are no others."""
    runs = list(comparison().read_modes)
    [run] = runs[0].runs
    runs[0] = replace(runs[0], runs=(replace(run, end_us=run.end_us + US_PER_HOUR),))
    for modes, bars in ((comparison().read_modes, 2), (tuple(runs), 0)):
        text = page_text(comparison(read_modes=modes), [])
        [section] = re.findall(r'<section id="writing">(.*?)</section>', text, re.DOTALL)
        assert section.count('class="bar ') == bars


def test_upkeep_and_cost_are_tables() -> None:
    before, after = TableState(40, 4_000_000, 12, 0.5), TableState(1, 3_000_000, 2, 0.1)
    done = Upkeep(ICEBERG, "raw", HOUR_US, 2.5, before, after)
    of_parquet = replace(
        done,
        mode=PARQUET,
        before=replace(before, snapshots=None),
        after=replace(after, snapshots=None),
    )
    bills = (
        MonthlyCost(ICEBERG, 760.59, {"Glue": 700.0, "Firehose": 60.59}),
        MonthlyCost(PARQUET, 841.84, {"Glue": 700.0, "Firehose": 141.84}),
    )
    cost = AwsCost("57 ticks a second", bills, "list prices of us-east-1", ("tax",))
    seen = Page(page_text(comparison(upkeep=(done, of_parquet), cost=cost), [])).text
    assert "raw Iceberg 40 1 3.81 MiB 2.86 MiB 12 2 0.50 s 0.10 s 2.5 s 2026-03-01 09:00:00" in seen
    assert "raw Parquet 40 1 3.81 MiB 2.86 MiB \u2013 \u2013 0.50 s" in seen
    assert "Firehose $60.59 $141.84" in seen
    assert "$841.84 a month" in seen


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """And leaves nothing behind."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "index.html").mkdir()
    for folder in (tmp_path / "file", tmp_path):
        with pytest.raises(WorkError, match=r"index\.html cannot be written: .*; --out names"):
            write_page(folder / "index.html", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "index.html"]
