"""Who reads the stream and how far each has come: what retention and merging must not overtake."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.errors import StreamError
from tick_pipeline.home import exclusive, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Consumers:
    """One JSON file per consumer: shard -> last sequence number read, a decimal string.

    Attributes:
        folder: where the files lie.
    """

    folder: Path

    def names(self) -> list[str]:
        """Every registered consumer, by name."""
        return sorted(path.stem for path in self.folder.glob("[!_]*.json"))

    def register(self, consumer: str) -> None:
        """Make the stream keep what the consumer has not read; again is no change."""
        self.commit(consumer, {})

    def unregister(self, consumer: str) -> None:
        """Forget a consumer, so that it holds nothing back any more.

        Raises:
            StreamError: there is none of that name.
        """
        try:
            self._file(consumer).unlink()
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none"
            raise StreamError(
                f"no consumer {consumer!r} is registered; registered: {known}"
            ) from None

    def positions(self, consumer: str) -> dict[str, str]:
        """Last sequence number read per shard; a shard that it never read, or a consumer unknown, is absent.

        Raises:
            StreamError: the name is not legal, or its file cannot be read.
        """
        path = self._file(consumer)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return {str(shard): str(int(last)) for shard, last in document["positions"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StreamError(
                f"{path} cannot be read ({error}); delete it and the consumer begins anew"
            ) from error

    def commit(self, consumer: str, positions: Mapping[str, str]) -> None:
        """Note how far the consumer has come, whole or not at all; a position never goes back.

        Raises:
            StreamError: the name is not legal, or a position is no number.
            BusyError: another process holds the consumer's file for too long.
        """
        path = self._file(consumer)
        new = {shard: parse_sequence(last) for shard, last in positions.items()}
        with exclusive(self.folder / f"_{consumer}.lock", what=f"the positions of {consumer!r}"):
            old = {shard: int(last) for shard, last in self.positions(consumer).items()}
            merged = old | {shard: max(last, old.get(shard, 0)) for shard, last in new.items()}
            if merged != old or not path.exists():
                as_text = {shard: str(last) for shard, last in sorted(merged.items())}
                write_atomically(path, json.dumps({"consumer": consumer, "positions": as_text}))

    def slowest(self, shard_id: str) -> int | None:
        """The sequence number up to which every consumer has read the shard; None without consumers."""
        read = [int(self.positions(name).get(shard_id, "0")) for name in self.names()]
        return min(read, default=None)

    def _file(self, consumer: str) -> Path:
        if not _NAME.fullmatch(consumer):
            raise StreamError(
                f"consumer {consumer!r} must be 1 to 64 of letters, digits, '.', '_' and '-', not beginning with a sign"
            )
        return self.folder / f"{consumer}.json"


def parse_sequence(text: str) -> int:
    """A sequence number as an integer; "0" stands before the first record.

    Raises:
        StreamError: it is no decimal.
    """
    if not (text.isascii() and text.isdecimal()):
        raise StreamError(
            f"{text!r} is no sequence number of the local stream; it must be a decimal"
        )
    return int(text)
