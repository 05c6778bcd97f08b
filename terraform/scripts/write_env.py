"""Writes Terraform's outputs into a .env file as TICK_PIPELINE_<NAME>; every other line stays as it is.

    terraform output -json | python write_env.py FILE

An output without a value, as that of a storage mode that is off, takes its line away. Run by `make env`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PREFIX = "TICK_PIPELINE_"
_LINE = re.compile(rf"\s*(?:export\s+)?({PREFIX}[A-Z0-9_]+)\s*=")


def merged(lines: list[str], outputs: dict[str, Any]) -> list[str]:
    """The lines of a .env file with the outputs' values in them.

    Args:
        lines: of the file as it is.
        outputs: name of an output -> its value; None takes the line away.
    """
    values = {f"{PREFIX}{name.upper()}": value for name, value in outputs.items()}
    kept = [line for line in lines if not ((m := _LINE.match(line)) and m[1] in values)]
    return kept + [f"{name}={value}" for name, value in values.items() if value is not None]


def main() -> None:
    """Read the outputs and write the file."""
    file = Path(sys.argv[1])
    try:
        outputs = {name: output["value"] for name, output in json.load(sys.stdin).items()}
    except ValueError:
        outputs = {}
    if not outputs:
        sys.exit("write_env: Terraform has no outputs; run `make tf-apply` first")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    temporary = file.with_name(f"{file.name}.new")
    temporary.write_text("\n".join(merged(lines, outputs)) + "\n", encoding="utf-8")
    temporary.replace(file)
    sys.stdout.write(f"{file}: {len(outputs)} settings of Terraform's outputs\n")


if __name__ == "__main__":
    main()
