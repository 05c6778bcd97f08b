"""What a command shows: its result on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from rich.progress import Task


def say(text: str) -> None:
    """One line for people, on stderr, so that stdout carries the result alone."""
    print(text, file=sys.stderr)  # noqa: T201


def show(text: str) -> None:
    """One line of the result, on stdout."""
    print(text)  # noqa: T201


def show_json(document: Any) -> None:
    """The result as one JSON document, on stdout; dataclasses, enums, paths, dates and decimals are plain values."""
    print(json.dumps(document, default=plain, indent=2, allow_nan=False))  # noqa: T201


def plain(value: Any) -> Any:
    """A value as JSON can hold it.

    Raises:
        TypeError: no such value is known.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table, on stdout; columns of numbers are right-aligned."""
    kept = [tuple(row) for row in rows]
    table = Table(title=title or None, title_justify="left", title_style="bold")
    for position, column in enumerate(columns):
        numeric = all(isinstance(row[position], (int, float, type(None))) for row in kept)
        table.add_column(column, justify="right" if numeric and kept else "left", overflow="fold")
    for row in kept:
        table.add_row(*(cell(value) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        # A pipe has no width: a table must not be cut to eighty columns there.
        console = Console(highlight=False, width=240)
    console.print(table)


def cell(value: Any) -> str:
    """A value for people: whole numbers grouped by thousands, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.2f}"  # noqa: PLR2004
    return str(value)


def human_bytes(count: float) -> str:
    """A size for people: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


class _CountColumn(ProgressColumn):
    """`123,456 ticks  98,765/s`."""

    def render(self, task: Task) -> Text:
        rate = f"  {task.speed:,.0f}/s" if task.speed else ""
        return Text(f"{task.completed:,.0f}{rate}")


class ProgressBar:
    """One line of progress."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None)

    def update(self, completed: float, total: float | None = None) -> None:
        """Tell how far it is; without a total the bar only shows that it lives."""
        self._progress.update(self._task, completed=completed, total=total)


@contextmanager
def progress_bar(description: str) -> Generator[ProgressBar]:
    """A progress line on stderr while the block runs; it shows nothing where stderr is no terminal."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _CountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield ProgressBar(progress, description)
