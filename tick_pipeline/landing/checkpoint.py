"""What one mode's delivery has done and what it is about to do, in one small file per mode.

The range of a flush is written down before anything of the flush is, and names every object of it:
whoever is killed in between writes the same objects again, over the old ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import LandingError
from tick_pipeline.home import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = 1
_NAME_DIGITS = 16


@dataclass(frozen=True)
class Range:
    """Records of one shard: those after one sequence number up to another, inclusive.

    Attributes:
        after: None where the shard is read from its beginning.
        last: last sequence number.
    """

    after: str | None
    last: str


@dataclass(frozen=True)
class Plan:
    """One flush: its number within the mode, its records, and so the names of its objects.

    Attributes:
        flush: 1 for a mode's first.
        ranges: shard -> range.
        records: how many records these ranges hold, of all shards.
    """

    flush: int
    ranges: dict[str, Range]
    records: int

    @property
    def name(self) -> str:
        """Base name of every object of the flush: a function of the plan alone."""
        text = json.dumps([[shard, r.after, r.last] for shard, r in sorted(self.ranges.items())])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f"{self.flush:010d}-{digest[:_NAME_DIGITS]}"


@dataclass(frozen=True)
class Checkpoint:
    """Where a mode's delivery stands.

    Attributes:
        flush: number of the last flush that is done; 0 before the first.
        positions: shard -> last sequence number that is landed or kept as an error.
    """

    flush: int = 0
    positions: dict[str, str] = field(default_factory=dict[str, str])

    def after(self, plan: Plan) -> Checkpoint:
        """The checkpoint once the plan is done."""
        last = {shard: item.last for shard, item in plan.ranges.items()}
        return Checkpoint(plan.flush, {**self.positions, **last})

    def to_json(self) -> str:
        """As one line, the form in which it travels with an Iceberg snapshot."""
        return json.dumps({"flush": self.flush, "positions": dict(sorted(self.positions.items()))})


def parse_checkpoint(text: str, *, where: str) -> Checkpoint:
    """The checkpoint of a line that `to_json` made; `where` names it in an error.

    Raises:
        LandingError: the text is no checkpoint.
    """
    try:
        document = json.loads(text)
        return Checkpoint(int(document["flush"]), _texts(document["positions"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LandingError(f"{where} holds no checkpoint of a delivery: {text[:80]!r}") from error


class CheckpointFile:
    """A mode's file: its checkpoint, and the flush that is planned and not known to be done."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[Checkpoint, Plan | None]:
        """What it holds; a file that is not there is the beginning.

        Raises:
            LandingError: it cannot be read.
        """
        try:
            document: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if document["version"] != _VERSION:
                raise LandingError(
                    f"{self._path} is of version {document['version']}, this tick_pipeline needs "
                    f"{_VERSION}; deliver with the release that wrote it"
                )
            checkpoint = Checkpoint(int(document["flush"]), _texts(document["positions"]))
            planned = document["planned"]
            return checkpoint, _parse_plan(planned) if planned else None
        except FileNotFoundError:
            return Checkpoint(), None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LandingError(
                f"{self._path} cannot be read ({error!r}); without it the delivery cannot tell what "
                "has landed: restore it, or `tick-pipeline reset` to begin anew"
            ) from error

    def write(self, checkpoint: Checkpoint, planned: Plan | None = None) -> None:
        """Replace what it holds, durably, before the call returns."""
        document = {
            "version": _VERSION,
            "flush": checkpoint.flush,
            "positions": checkpoint.positions,
            "planned": planned
            and {
                "flush": planned.flush,
                "records": planned.records,
                "ranges": {shard: [r.after, r.last] for shard, r in planned.ranges.items()},
            },
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(document))


def _parse_plan(document: dict[str, Any]) -> Plan:
    ranges = {
        str(shard): Range(None if after is None else str(after), str(last))
        for shard, (after, last) in document["ranges"].items()
    }
    return Plan(int(document["flush"]), ranges, int(document["records"]))


def _texts(document: dict[str, Any]) -> dict[str, str]:
    return {str(shard): str(position) for shard, position in document.items()}
