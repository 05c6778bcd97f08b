"""How long runs of Glue jobs are waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Looks are as far apart as a tenth of what has passed: so long a run's end may go unseen.
_GROWTH = 1.1


@dataclass(frozen=True)
class Pace:
    """How long runs are waited for, in seconds.

    Attributes:
        first_poll: from the start to the first look at a run; each next wait is a tenth longer.
        longest_poll: between two looks.
        queue: what a run may take beside its own Timeout, which counts from when it has its workers. A run
            waits up to 20 minutes for them (https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html).
        outage: how long Glue may not answer.
        busy: how long another run may keep this one from starting.
        lost: how long a run whose start was not answered is looked for.
        stop: until a run that is stopped has ended.
    """

    first_poll: float = 0.5
    longest_poll: float = 5.0
    queue: float = 30 * 60.0
    outage: float = 10 * 60.0
    busy: float = 60.0
    lost: float = 15.0
    stop: float = 180.0

    def waits(self) -> Iterator[float]:
        """The waits between looks, without end."""
        seconds = self.first_poll
        while True:
            yield seconds
            seconds = min(seconds * _GROWTH, self.longest_poll)
