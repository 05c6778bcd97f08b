"""The drawings: a PNG small enough to be sent along, an HTML that asks nobody."""

# Pillow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from PIL import Image

from tick_pipeline.plots.html import html_text
from tick_pipeline.plots.png import png_bytes
from tick_pipeline_tests.integration.browser import open_page

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.plots.picture import Picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def test_a_png_has_the_size_that_was_asked_for(picture: Picture) -> None:
    data = png_bytes(picture, 800, 400)
    assert data.startswith(SIGNATURE)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (800, 400)
    assert 5_000 < len(data) <= 100_000


def test_equal_pictures_are_equal_bytes(picture: Picture) -> None:
    assert png_bytes(picture, 400, 200) == png_bytes(picture, 400, 200)


def test_alerts_of_each_metric_and_side_are_drawn_apart(picture: Picture) -> None:
    """Pixels of each colour are there with the alerts, and not without."""

    def colours(data: bytes) -> set[tuple[int, ...]]:
        with Image.open(io.BytesIO(data)) as image:
            found = image.convert("RGB").getcolors(1 << 20) or []
        return {colour for _, colour in found if isinstance(colour, tuple)}

    of_return, of_price, of_volume = (0xD5, 0x5E, 0x00), (0x00, 0x72, 0xB2), (0x7B, 0x3F, 0xA0)
    with_alerts = colours(png_bytes(picture))
    assert {of_return, of_price} <= with_alerts
    assert of_volume not in with_alerts
    assert not {of_return, of_price} & colours(png_bytes(replace(picture, alerts=())))


def test_a_picture_without_candles_or_alerts_is_a_picture(picture: Picture) -> None:
    bare = replace(picture, candles=(), alerts=())
    assert png_bytes(bare).startswith(SIGNATURE)
    assert "0 alerts" in html_text(bare)


def test_the_html_holds_the_alerts_and_what_is_told_of_them(picture: Picture) -> None:
    text = html_text(picture)
    for alert in picture.alerts:
        assert alert.event_id in text
    assert '"zscore"' in text
    assert '"sample_count"' in text
    assert "-40.25" in text
    assert len(text) < 2_000_000


def test_the_html_refers_to_nothing_else(picture: Picture) -> None:
    """No element loads anything, and the policy would forbid it."""
    loading: list[str] = []

    class Loads(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            loading.extend(
                f"{tag} {name}={value}"
                for name, value in attrs
                if name in ("src", "href", "data", "action")
            )

    text = html_text(picture)
    Loads().feed(text)
    assert loading == []
    assert not re.search(r"@import|url\(\s*['\"]?https?:", text)
    assert "default-src 'none'" in text


def test_a_browser_draws_the_html_and_asks_for_nothing(picture: Picture, tmp_path: Path) -> None:
    page_path = tmp_path / "picture.html"
    page_path.write_text(html_text(picture), encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []
    with open_page(width=1200, height=700) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_path.as_uri())
        page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0 && Bokeh.index")
        page.wait_for_selector("canvas")
    others = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert others == []
    assert [text for text in said if "rror" in text or "efused" in text] == []
