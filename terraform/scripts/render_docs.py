"""The tables of inputs and outputs in terraform/README.md, from variables.tf and outputs.tf.

    python render_docs.py [--check]

Each table stands between two comments, `<!-- inputs -->` and `<!-- /inputs -->`, and so for outputs; the rest of the page
stays as it is. Run by `make tf-docs`; with --check nothing is written, and exit code 1 means that the page is out of date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

FOLDER = Path(__file__).parent.parent
PAGE = FOLDER / "README.md"
#: A description that is longer keeps only the sentences that fit, the first in any case.
CHARACTERS = 200
#: A default that is longer is told by its keys.
DEFAULT_CHARACTERS = 50

_PLAIN = SerializationOptions(
    with_comments=False, explicit_blocks=False, preserve_heredocs=False, strip_string_quotes=True
)
_BETWEEN_SENTENCES = re.compile(r"(?<=[.]) (?=[A-Z0-9`])")


def blocks(text: str, kind: str) -> dict[str, dict[str, Any]]:
    """The blocks of one kind, by their names, in the order of the text.

    Args:
        text: of a .tf file.
        kind: `variable` or `output`.
    """
    found: dict[str, dict[str, Any]] = {}
    for block in values(text).get(kind, []):
        found.update(block)
    return found


def values(text: str) -> dict[str, Any]:
    """What a .tf or .tfvars file sets, by the names; strings are Python's, without quotes."""
    untyped: Any = hcl2  # its dicts have no types
    return untyped.loads(text, serialization_options=_PLAIN)


def inputs_table(text: str) -> str:
    """The table of variables.tf."""
    rows = [
        (f"`{name}`", _type(block), _default(block), _description(block))
        for name, block in blocks(text, "variable").items()
    ]
    return _table(("name", "type", "default", "description"), rows)


def outputs_table(text: str) -> str:
    """The table of outputs.tf."""
    rows = [(f"`{name}`", _description(block)) for name, block in blocks(text, "output").items()]
    return _table(("name", "description"), rows)


def rendered(page: str, folder: Path = FOLDER) -> str:
    """The page with its tables made anew.

    Args:
        page: text of README.md.
        folder: where variables.tf and outputs.tf lie.

    Raises:
        ValueError: the page lacks the comments that a table stands between.
    """
    tables = {
        "inputs": inputs_table((folder / "variables.tf").read_text(encoding="utf-8")),
        "outputs": outputs_table((folder / "outputs.tf").read_text(encoding="utf-8")),
    }
    for name, table in tables.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        if not (begin and end):
            raise ValueError(f"the page has no lines <!-- {name} --> and <!-- /{name} -->")
        page = f"{before}{begin}{table}{end}{after}"
    return page


def _type(block: dict[str, Any]) -> str:
    written = str(block["type"]).removeprefix("${").removesuffix("}")
    # An object's fields are for variables.tf to tell.
    return f"`{re.sub(r'object[(][{].*[}][)]', 'object', written)}`"


def _default(block: dict[str, Any]) -> str:
    if "default" not in block:
        return "none, give it"
    text = json.dumps(block["default"])
    if text.startswith("{") and len(text) > DEFAULT_CHARACTERS:
        return ", ".join(f"`{key}`" for key in block["default"])
    return f"`{text}`"


def _description(block: dict[str, Any]) -> str:
    text, *others = _BETWEEN_SENTENCES.split(" ".join(str(block["description"]).split()))
    for sentence in others:
        if len(f"{text} {sentence}") > CHARACTERS:
            break
        text = f"{text} {sentence}"
    # Outside of backticks Markdown would take it for a tag.
    return re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", text)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def main() -> None:
    """Write the page, or tell that it is out of date."""
    parser = argparse.ArgumentParser(description="The tables of inputs and outputs in README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    try:
        wanted = rendered(page)
    except ValueError as error:
        sys.exit(f"render_docs: {PAGE.name}: {error}")
    if page == wanted:
        return
    if check:
        sys.exit(f"render_docs: terraform/{PAGE.name} is out of date; run `make tf-docs`")
    PAGE.write_text(wanted, encoding="utf-8")
    sys.stdout.write(f"terraform/{PAGE.name}\n")


if __name__ == "__main__":
    main()
