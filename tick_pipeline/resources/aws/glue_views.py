"""The views `ticks` and `received` in the Glue Data Catalog, as Athena itself writes a view.

The statement, its catalog and its columns are one JSON text in base64 (terraform/glue_catalog.tf writes the same).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, cast

from tick_pipeline.queries.saved import saved_views
from tick_pipeline.storage import StorageMode, glue_database

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Signs that Terraform's jsonencode writes by their number.
_ESCAPED = "<>&\u2028\u2029"
_TEXT = re.compile(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/")


def view_definitions(project: str, mode: StorageMode) -> dict[str, dict[str, Any]]:
    """View -> its definition in a mode's database, as the text of the catalog holds it."""
    database = glue_database(project, mode)
    return {
        name: {
            "originalSql": _with_databases(view["sql"], project),
            "catalog": "awsdatacatalog",
            "schema": database,
            "columns": [
                {"name": column["name"], "type": column["athena_type"]}
                for column in view["columns"]
            ],
        }
        for name, view in saved_views()[mode.value].items()
    }


def view_columns(mode: StorageMode, name: str) -> list[dict[str, str]]:
    """A view's columns as Glue takes them."""
    return [
        {"Name": column["name"], "Type": column["glue_type"]}
        for column in saved_views()[mode.value][name]["columns"]
    ]


def encode_view(definition: Mapping[str, Any]) -> str:
    """A definition as `ViewOriginalText`, to the letter as Terraform writes it: its next apply then changes nothing.

    Source: https://developer.hashicorp.com/terraform/language/functions/jsonencode
    """
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for sign in _ESCAPED:
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"/* Presto View: {base64.b64encode(text.encode()).decode()} */"


def decode_view(text: str) -> dict[str, Any]:
    """The definition in a `ViewOriginalText`; empty where there is none, or none that can be read."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return {}
    try:
        found: Any = json.loads(base64.b64decode(match[1], validate=True))
    except (ValueError, binascii.Error):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _with_databases(sql: str, project: str) -> str:
    for mode in StorageMode:
        sql = sql.replace(f"@{mode}@", glue_database(project, mode))
    return sql
