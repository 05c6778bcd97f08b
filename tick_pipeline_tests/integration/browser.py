"""A page of a real, headless browser."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tick_pipeline_tests.integration.web import CHROMIUM_VARIABLE, find_chromium

if TYPE_CHECKING:
    from collections.abc import Generator

#: A browser starts and draws in a second or two, on a busy machine in more.
_PATIENCE_MS = 120_000.0


@contextmanager
def open_page(*, width: int, height: int, **options: Any) -> Generator[Page]:
    """A new page; the test is skipped where there is no browser.

    Args:
        width: of its window, pixels.
        height: the same.
        options: more of Playwright's new_page.
    """
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"no browser: install chromium, or name one in {CHROMIUM_VARIABLE}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=_PATIENCE_MS,
        )
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.set_default_timeout(_PATIENCE_MS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield page
        browser.close()
