"""How far each reader of what lands is, so that landing keeps what one of them has not read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.home import write_atomically

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.storage import StorageMode


#: A reader that was switched off must not keep every snapshot from then on.
_FORGOTTEN_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Mark:
    """How far raw was read, or what one has to have read; see resources/landed.py.

    Attributes:
        table: which raw: one that was made anew is another, and numbers what lands in it from the begin.
        number: it grows with what lands in that table.
    """

    table: str
    number: int

    def __str__(self) -> str:
        return f"{self.table}={self.number}"

    def covers(self, other: Mark) -> bool:
        """Whether who has read up to here has read what has the other."""
        return self.table == other.table and self.number >= other.number


class ReadMarks:
    """A mark for each reader and storage mode, one small file each, in HOME."""

    def __init__(self, home: Home) -> None:
        self._folder = home.landing / "read"

    def keep(self, reader: str, mode: StorageMode, number: int) -> None:
        """Remember that a reader needs nothing up to a mark any more.

        Args:
            reader: its name, as `landed_hours`.
            mode: whose raw.
            number: of the mark.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._folder / f"{mode}-{reader}", str(number))

    def smallest(self, mode: StorageMode) -> int | None:
        """The number of the reader that is last; None where nobody has looked for a week.

        A file that cannot be read as a mark counts as a reader that has read nothing.
        """
        texts = [
            path.read_text(encoding="utf-8")
            for path in self._folder.glob(f"{mode}-*")
            if time.time() - path.stat().st_mtime < _FORGOTTEN_SECONDS
        ]
        return min((int(text) if text.isdecimal() else 0 for text in texts), default=None)
