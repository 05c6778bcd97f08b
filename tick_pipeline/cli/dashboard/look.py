"""What the dashboard shows at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.live.supervisor import ChildState
    from tick_pipeline.resources.landing import Backlog
    from tick_pipeline.resources.stream_run import StreamRunStatus


@dataclass(frozen=True)
class Arrivals:
    """What comes into a shard, or into all of them where the stream tells of no shard.

    Attributes:
        name: of the shard.
        per_second: records, since the look before; None at the first.
        records: that can be read; None where nobody tells.
        newest_us: arrival of the newest, microseconds; None without any.
    """

    name: str
    per_second: float | None
    records: int | None
    newest_us: int | None


@dataclass(frozen=True)
class Look:
    """All of it; a part is None until it was looked at, or while it cannot be.

    Attributes:
        deployment: which.
        home: path of HOME.
        arrivals: of each shard.
        backlog: storage mode -> what waits to land.
        newest_hours: table -> storage mode -> start of its newest UTC hour of late, microseconds.
        stream: the streaming job of anomalies.
        candles: the newest of each symbol, those with the most trades first.
        alerts: the newest anomalies, newest first.
        errors: storage mode -> error records of the last day.
        failures: part -> why it could not be looked at.
    """

    deployment: str
    home: str
    arrivals: tuple[Arrivals, ...] | None = None
    backlog: Mapping[str, Backlog] | None = None
    newest_hours: Mapping[str, Mapping[str, int | None]] | None = None
    stream: StreamRunStatus | None = None
    candles: tuple[dict[str, Any], ...] | None = None
    alerts: tuple[dict[str, Any], ...] | None = None
    errors: Mapping[str, ErrorSummary] | None = None
    failures: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class LiveState:
    """What the live mode adds.

    Attributes:
        processes: of it.
        web: the web interface: where, and whether it answers.
        notices: what it told of late, newest last.
    """

    processes: tuple[ChildState, ...]
    web: str
    notices: tuple[str, ...]
