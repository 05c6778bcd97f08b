"""The labels of a run: what was injected, one JSON object a line, written before it is put.

Each has a `kind`; times are microseconds since the epoch, UTC.

    run                  source, the request, start_us, end_us, tick_sizes; always the first line
    spike, flash_crash   symbol, start_us, end_us (of its last trade, or planned), size_sigmas (its
                         first return in deviations of the baseline, signed), sigma
    halt                 symbol, start_us, end_us
    duplicate            event_id, symbol, event_ts, sequence, conflicting
    late                 event_id, symbol, event_ts, sequence, lateness_us
    bad_record           of the tick that it stands for: event_id, symbol, event_ts, sequence; class
                         (malformed or invalid), what (is wrong), reason (that landing will tell)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tick_pipeline.errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self  # in typing from 3.11 on


class LabelsFile:
    """JSON lines, each one injected thing; the first line tells the run.

    A line reaches the operating system before `write` returns, so a label outlives the killing of
    the process that wrote it; a label of something that was not put any more is possible.
    """

    def __init__(self, path: Path) -> None:
        """Begin a new file.

        Raises:
            HomeError: it cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise HomeError(f"labels cannot be written to {path}: {error.strerror}") from error

    def write(self, labels: Iterable[dict[str, Any]]) -> None:
        """Append labels, one line each.

        Raises:
            HomeError: they cannot be written.
        """
        text = b"".join(msgspec.json.encode(label) + b"\n" for label in labels)
        try:
            while text:
                text = text[self._file.write(text) :]
        except OSError as error:
            raise HomeError(f"labels cannot be written to {self.path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
