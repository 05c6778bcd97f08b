"""The dashboard on a terminal: drawn anew each second, looked at in the background."""

from __future__ import annotations

import time
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

from rich.live import Live

from tick_pipeline.cli.dashboard.layout import draw
from tick_pipeline.event_time import now_us

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from typing_extensions import Self

    from tick_pipeline.cli.dashboard.look import LiveState, Look
    from tick_pipeline.cli.dashboard.looker import Looker

_DRAW_SECONDS = 1.0
#: A look takes less, unless it waits for AWS.
_LAST_LOOK_SECONDS = 2.0


def can_draw(console: Console) -> bool:
    """Whether a console is a terminal on which a line can be drawn anew."""
    return console.is_terminal and not console.is_dumb_terminal


class Screen:
    """The terminal as long as the block lasts; `refresh` it several times a second.

    Args:
        looker: looks.
        console: the terminal.
        every_seconds: between two looks, so far as looking is not slower.
    """

    def __init__(self, looker: Looker, console: Console, every_seconds: float) -> None:
        self._looker, self._console, self._every_seconds = looker, console, every_seconds
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._thread: Thread | None = None
        self._seen: Look | None = None
        self._looking: Future[Look] | None = None
        self._look_at = self._draw_at = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)
        # One that waits for AWS need not be waited for, and its thread does not outlive the process.
        if self._thread is not None:
            self._thread.join(_LAST_LOOK_SECONDS)

    def refresh(self, live: LiveState | None = None) -> None:
        """Draw what is known, and have it looked at again when it is time.

        Raises:
            Exception: what a look raised; one that a port raises on purpose is shown instead.
        """
        now = time.monotonic()
        if self._looking is not None and self._looking.done():
            self._seen, self._looking, self._draw_at = self._looking.result(), None, now
        if self._looking is None and now >= self._look_at:
            self._look_at = now + self._every_seconds
            self._looking = Future()
            self._thread = Thread(target=self._look, args=(self._looking,), daemon=True)
            self._thread.start()
        if self._seen is not None and now >= self._draw_at:
            self._draw_at = now + _DRAW_SECONDS
            self._live.update(self._drawn(self._seen, live), refresh=True)

    def _look(self, looking: Future[Look]) -> None:
        try:
            looking.set_result(self._looker.look())
        except BaseException as error:  # noqa: BLE001  (it is raised again where it is asked for)
            looking.set_exception(error)

    def _drawn(self, look: Look, live: LiveState | None) -> RenderableType:
        width, height = self._console.size
        return draw(look, now_us(), width=width, height=height, live=live)
