"""What the log of a Spark job says of its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tick_pipeline.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL_LINES = 40
#: How Python and Java name an uncaught error, and Java its cause, in a log.
_ERROR_LINE = re.compile(
    r'(?:Exception in thread "[^"]*" |Caused by: )?[\w.$]*(?:Error|Exception): '
)
#: With the module before it in a log of Python's, without in a message of Glue's.
_BUSY = re.compile(rf"(?:{re.escape(BusyError.__module__)}\.)?\b{BusyError.__name__}: (.*)")


def last_error(log: Path) -> str:
    """The last line of a log that tells an error: Python's own, else the last of any."""
    return error_of(lines_of(log))


def error_of(lines: Sequence[str]) -> str:
    """The last line that tells an error: Python's own, else the last of any."""
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    # Where the JVM refuses to start, Python knows only that; the JVM said why.
    causes = [line for line in errors if "JAVA_GATEWAY_EXITED" not in line]
    last = (causes or errors or lines or ["it said nothing"])[-1]
    return last.removeprefix("Caused by: ")[:300]


def tail_of(lines: Sequence[str]) -> str:
    """The last lines of a log, for people.

    A hundred lines of which library of Java's called which would push the error out.
    """
    return "\n".join([line for line in lines if not line.lstrip().startswith("at ")][-_TAIL_LINES:])


def lines_of(log: Path) -> list[str]:
    """A log's lines, without blank ones."""
    texts = log.read_text("utf-8", "replace").splitlines()
    return [text.strip() for text in texts if text.strip()]


def busy_reason(error: str) -> str | None:
    """What a job said of another process in its way; None where its error was another one."""
    found = _BUSY.search(error)
    return None if found is None else found[1]
