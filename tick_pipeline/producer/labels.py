"""The labels of a run: what was injected, written before it is put."""

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
