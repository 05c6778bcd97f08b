"""Views as Athena writes them: written to the letter as Terraform does, read whoever wrote them."""

from __future__ import annotations

import base64
import json

import pytest

from tick_pipeline.resources.aws.glue_views import decode_view, encode_view, view_definitions
from tick_pipeline.storage import StorageMode


def test_a_definition_is_written_as_terraforms_jsonencode_does() -> None:
    text = encode_view({"schema": "s", "originalSql": "a < b & 'é'", "columns": [{"type": "t"}]})
    encoded = text.removeprefix("/* Presto View: ").removesuffix(" */")
    assert base64.b64decode(encoded).decode() == (
        '{"columns":[{"type":"t"}],"originalSql":"a \\u003c b \\u0026 \'é\'","schema":"s"}'
    )


@pytest.mark.parametrize("mode", StorageMode, ids=str)
def test_what_is_written_reads_back(mode: StorageMode) -> None:
    for definition in view_definitions("tick-pipeline", mode).values():
        assert decode_view(encode_view(definition)) == definition
        assert f"tick_pipeline_{mode}.raw" in definition["originalSql"]
        assert "@" not in definition["originalSql"]
        plain = base64.b64encode(json.dumps(definition).encode()).decode()
        assert decode_view(f"/* Presto View: {plain} */ ") == definition


@pytest.mark.parametrize(
    "text",
    ["", "select 1", "/* Presto View: *** */", "/* Presto View: abc */", "/* Presto View: W10= */"],
)
def test_what_nobody_can_read_is_empty(text: str) -> None:
    assert decode_view(text) == {}
