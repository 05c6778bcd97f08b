"""What the live mode says: its processes' lines, or a dashboard's notices; and whether Dagster answers."""

from __future__ import annotations

import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text
from typing_extensions import override

_COLOURS = {"producer": "cyan", "delivery": "green", "anomalies": "magenta", "dagster": "blue"}
_NEWEST = 3
_ASK_SECONDS = 1.0


class _LastingConsole(Console):
    """Stderr; where nobody reads it any more, as after a Ctrl-C that ended `| tee`, too, it is quiet."""

    @override
    def on_broken_pipe(self) -> None:
        """Nothing ends for that, least of all the end of what runs."""
        self.quiet = True


class Told:
    """What the processes say: lines on stderr, or, of what is said about them, notices of a dashboard.

    Args:
        as_lines: whether it is lines.
    """

    def __init__(self, *, as_lines: bool) -> None:
        self._console = _LastingConsole(stderr=True, highlight=False, soft_wrap=True)
        self._as_lines = as_lines
        self._dashboard_ended = False
        self._notices: list[str] = []

    @property
    def newest(self) -> tuple[str, ...]:
        """The newest lines about the processes."""
        return tuple(self._notices[-_NEWEST:])

    def tell(self, name: str, line: str) -> None:
        """Take a line of a process, or without a name one about them."""
        if not name:
            self._notices.append(line)
            if self._dashboard_ended:
                self._console.print(Text(line))
        if self._as_lines:
            style = _COLOURS.get(name, "bold yellow")
            self._console.print(Text.assemble((f"{name or 'live':<9} | ", style), line))

    def end_dashboard(self) -> None:
        """Tell again what went with it, and from now on each notice as a line."""
        if self._as_lines:
            return
        self._dashboard_ended = True
        for notice in self._notices:
            self._console.print(Text(notice))


class WebInterface:
    """Whether Dagster's web interface answers yet.

    Attributes:
        url: where; None without one.
        up_seconds: until it answered; None before.
    """

    def __init__(self, port: int | None) -> None:
        from tick_pipeline.live.plan import url_of

        self.url = None if port is None else url_of(port)
        self.up_seconds: float | None = None
        self._began = time.monotonic()
        self._next = 0.0

    def __str__(self) -> str:
        """For people: where it is, and whether it answers."""
        if self.url is None:
            return "without a web interface"
        return self.url if self.up_seconds is not None else f"{self.url} is not up yet"

    def has_come_up(self) -> bool:
        """Whether it answers for the first time."""
        now = time.monotonic()
        if self.url is None or self.up_seconds is not None or now < self._next:
            return False
        self._next = now + _ASK_SECONDS
        if not _answers(self.url):
            return False
        self.up_seconds = round(time.monotonic() - self._began, 1)
        return True


def _answers(url: str) -> bool:
    """Whether Dagster does; asked without a proxy, whatever the environment names."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
