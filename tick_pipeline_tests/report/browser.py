"""A browser for pages in files: what it asks for, what it complains about, and pictures."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tick_pipeline_tests.integration.browser import open_page

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from playwright.sync_api import Page


@dataclass
class Opened:
    """An open page, and what happened while it was."""

    page: Page
    asked: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def goto(self, path: Path) -> None:
        """Open a report and wait until its charts are drawn."""
        self.page.goto(path.as_uri())
        self.page.wait_for_function("document.documentElement.dataset.charts === 'drawn'")

    @property
    def outside(self) -> list[str]:
        """What was asked of anyone but the file."""
        return [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))]

    def colour(self, of: str) -> str:
        """The computed background of the first element that a selector finds."""
        script = "selector => getComputedStyle(document.querySelector(selector)).backgroundColor"
        return self.page.evaluate(script, of)


@contextmanager
def open_browser(*, width: int = 1280, height: int = 900) -> Generator[Opened]:
    """A page of a headless browser in the light, with what it asks for and complains about."""
    options = {"color_scheme": "light", "timezone_id": "UTC"}
    with open_page(width=width, height=height, **options) as page:
        opened = Opened(page)
        page.on("request", lambda request: opened.asked.append(request.url))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                opened.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )
        yield opened
