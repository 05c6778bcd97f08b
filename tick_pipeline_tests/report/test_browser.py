"""The page in a browser: no complaint, no request, in the light, in the dark and on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tick_pipeline_tests.report.browser import Opened, open_browser

if TYPE_CHECKING:
    from collections.abc import Generator

    from tick_pipeline_tests.report.conftest import Reported

_LIGHT, _DARK, _PAPER = "rgb(251, 250, 248)", "rgb(19, 22, 26)", "rgb(255, 255, 255)"
#: The colour of the labels of an axis, inside of its chart.
_LABEL = """() => {
  const inside = (node) => [...node.querySelectorAll("*")].flatMap((element) =>
    element.shadowRoot ? [...element.shadowRoot.querySelectorAll("svg text"), ...inside(element.shadowRoot)] : [])
  const [first] = inside(document)
  return first && getComputedStyle(first).fill
}"""


@pytest.fixture(scope="module")
def opened(reported: Reported) -> Generator[Opened]:
    with open_browser() as browser:
        browser.goto(reported.page)
        yield browser


def await_colour(opened: Opened, colour: str) -> None:
    """Wait until that is the page's background."""
    expect(opened.page.locator("body")).to_have_css("background-color", colour)


def test_the_page_opens_without_a_complaint_and_asks_nobody(opened: Opened) -> None:
    charts = opened.page.locator(".chart")
    expect(charts).to_have_count(3)
    opened.page.wait_for_function(
        """() => [...document.querySelectorAll(".chart")].every(
          (chart) => chart.getBoundingClientRect().height > 100)"""
    )
    assert opened.page.locator("h1").inner_text().startswith("For this data: ")
    assert opened.complaints == []
    assert opened.outside == []


def test_the_page_fits_its_window(opened: Opened) -> None:
    """On a desk and on a phone nothing but a table scrolls sideways."""
    for width in (1280, 390):
        opened.page.set_viewport_size({"width": width, "height": 900})
        # Charts are drawn anew once the window has its new width: a frame or two, on a busy machine more.
        opened.page.wait_for_function(
            "width => document.documentElement.scrollWidth <= width", arg=width
        )
    opened.page.set_viewport_size({"width": 1280, "height": 900})


def test_colours_follow_the_system_and_then_the_switch(opened: Opened) -> None:
    page = opened.page
    await_colour(opened, _LIGHT)
    # While a chart is drawn anew it has no labels.
    of_light = page.wait_for_function(_LABEL).json_value()
    page.emulate_media(color_scheme="dark")
    await_colour(opened, _DARK)
    # Charts follow, too.
    page.wait_for_function(f"light => ![undefined, light].includes(({_LABEL})())", arg=of_light)
    page.get_by_role("button", name="Light").click()
    await_colour(opened, _LIGHT)
    page.wait_for_function(f"light => ({_LABEL})() === light", arg=of_light)
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    await_colour(opened, _DARK)
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Auto").click()
    await_colour(opened, _LIGHT)


def test_paper_is_white_whatever_the_screen_is(opened: Opened) -> None:
    opened.page.emulate_media(color_scheme="dark", media="print")
    await_colour(opened, _PAPER)
    expect(opened.page.get_by_role("button", name="Dark")).to_be_hidden()
    assert len(opened.page.pdf(prefer_css_page_size=True)) > 50_000
    opened.page.emulate_media(color_scheme="light", media="screen")


def test_the_modes_can_be_told_apart_in_either_theme(opened: Opened) -> None:
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        assert opened.colour(".bar.iceberg") != opened.colour(".bar.parquet_projection")
    opened.page.emulate_media(color_scheme="light")
