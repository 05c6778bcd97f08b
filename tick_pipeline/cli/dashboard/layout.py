"""The dashboard as rich draws it: a pure function of what was seen, the time and the size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, as_datetime, hour_floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from tick_pipeline.cli.dashboard.look import Arrivals, LiveState, Look
    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.resources.landing import Backlog
    from tick_pipeline.resources.stream_run import StreamRunStatus

#: From that width on, what moves stands beside what is counted.
TWO_COLUMNS = 150
_MOST_SHARDS = 8
#: Lines that are there in any case: titles, heads, a shard, the deliveries, the tables, the streaming job.
_OTHER_LINES = 30
_FEWEST_ROWS, _MOST_ROWS = 3, 12
_GOOD, _BAD, _FAINT = "green", "bold red", "dim"
_SECONDS_PER_MINUTE, _SECONDS_PER_HOUR = 60, 3600
_UP, _DOWN, _FLAT = "▲", "▼", " "


def draw(
    look: Look, now_us: int, *, width: int, height: int | None, live: LiveState | None = None
) -> RenderableType:
    """All of it, for a terminal of that size.

    Args:
        look: what was seen.
        now_us: this moment, microseconds, from which ages count.
        width: columns.
        height: lines; None for as many as it takes.
        live: what the live mode adds.
    """
    two = width >= TWO_COLUMNS
    # What is wrong stands above what a low terminal cuts off.
    above = [_head(look, now_us, live), *_failures(look), *_live_parts(live)]
    rows = _MOST_ROWS
    if height is not None:
        of_live = 0 if live is None else 2 + len(live.processes) + len(live.notices)
        free = height - len(look.failures) - of_live - _OTHER_LINES // (2 if two else 1)
        rows = max(_FEWEST_ROWS, min(_MOST_ROWS, free // 2))
    counted = [
        _shards(look.arrivals, now_us),
        _deliveries(look.backlog, now_us),
        _tables(look.newest_hours, now_us),
        _anomaly_stream(look.stream),
        _errors(look.errors, now_us),
    ]
    moving = [_candles(look.candles, rows), _alerts(look.alerts, rows)]
    body: RenderableType = Group(*counted, *moving)
    if two:
        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_row(Group(*counted), Group(*moving))
        body = grid
    return Group(*above, body)


def age(seconds: float) -> str:
    """How long ago, for people: `3 s`, `5 min`, `2.5 h`."""
    if seconds < 2 * _SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _SECONDS_PER_HOUR:
        return f"{seconds / _SECONDS_PER_MINUTE:.0f} min"
    return f"{seconds / _SECONDS_PER_HOUR:.1f} h"


def _head(look: Look, now_us: int, live: LiveState | None) -> Text:
    text = Text.assemble(
        ("tick_pipeline", "bold"),
        f"  {look.deployment}  {as_datetime(now_us):%Y-%m-%d %H:%M:%S} UTC",
    )
    if live is not None:
        text.append(f"  {live.web}", _FAINT)
    text.append(f"  {look.home}", _FAINT)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _live_parts(live: LiveState | None) -> Iterator[RenderableType]:
    if live is None:
        return
    table = _table("processes", "process", "state", "starts", "for")
    # What is long is cut, not what stands beside it.
    table.expand = True
    table.add_column("said last", header_style=_FAINT, ratio=1, no_wrap=True, overflow="ellipsis")
    for child in live.processes:
        style = _GOOD if child.state == "running" else _BAD
        line = Text(child.last_line, no_wrap=True, overflow="ellipsis", style=_FAINT)
        state = child.state if child.code is None else f"{child.state}, code {child.code}"
        table.add_row(child.name, Text(state, style), str(child.starts), age(child.seconds), line)
    yield table
    for notice in live.notices:
        yield Text(notice, style="yellow", no_wrap=True, overflow="ellipsis")


def _shards(arrivals: Sequence[Arrivals] | None, now_us: int) -> Table:
    table = _table("stream", "shard", ">records/s", ">records", ">newest")
    if arrivals is None:
        return table
    shown = sorted(arrivals, key=lambda item: -(item.per_second or 0))[:_MOST_SHARDS]
    for item in sorted(shown, key=lambda item: item.name):
        table.add_row(
            item.name,
            _number(item.per_second, 1),
            _number(item.records),
            "none" if item.newest_us is None else f"{_ago(item.newest_us, now_us)} ago",
        )
    if len(arrivals) > 1:
        table.add_row(
            f"all {len(arrivals)}",
            _number(_sum(item.per_second for item in arrivals), 1),
            _number(_sum(item.records for item in arrivals)),
            style="bold",
        )
    return table


def _deliveries(backlog: Mapping[str, Backlog] | None, now_us: int) -> Table:
    table = _table("deliveries", "storage mode", ">waiting", ">oldest waits", "by")
    for mode, item in (backlog or {}).items():
        # Another machine's clock may be ahead.
        oldest_us = now_us if item.oldest_us is None else min(item.oldest_us, now_us)
        waits_seconds = (now_us - oldest_us) / US_PER_SECOND
        late = waits_seconds > item.due_seconds
        waiting = "?" if item.waiting_records is None else f"{item.waiting_records:,}"
        table.add_row(
            mode,
            waiting,
            Text(f"{age(waits_seconds)}{', late' if late else ''}", _BAD if late else _GOOD),
            Text(item.runner, _FAINT if item.running else _BAD),
        )
    return table


def _tables(newest: Mapping[str, Mapping[str, int | None]] | None, now_us: int) -> Table:
    modes = dict.fromkeys(mode for hours in (newest or {}).values() for mode in hours)
    table = _table("newest hour", "table", *modes)
    for name, hours in (newest or {}).items():
        table.add_row(name, *(_hour(hours[mode], now_us) for mode in modes))
    return table


def _hour(hour_us: int | None, now_us: int) -> Text:
    if hour_us is None:
        return Text("none for a day", _FAINT)
    behind = (hour_floor(now_us) - hour_us) // US_PER_HOUR
    when = {0: "now", 1: "1 hour before"}.get(behind, f"{behind} hours before")
    return Text(f"{as_datetime(hour_us):%H}:00, {when}", _GOOD if behind <= 1 else "yellow")


def _anomaly_stream(status: StreamRunStatus | None) -> Text:
    text = Text("anomalies  ", "bold")
    if status is None:
        return text
    wrong = status.wanted != (status.runner is not None)
    text.append(status.state, _BAD if wrong else _GOOD)
    text.append(f", {'wanted' if status.wanted else 'not wanted'}")
    if status.behind is not None and status.runner is not None:
        text.append(f", {status.behind:,} records behind")
    if status.progress is not None:
        rows = ", ".join(f"{count:,} to {mode}" for mode, count in status.progress.written.items())
        text.append(
            f", {status.progress.scored:,} ticks scored" + (f", added {rows}" if rows else "")
        )
    if status.runner is not None and status.heartbeat_seconds is not None:
        text.append(f", told {age(status.heartbeat_seconds)} ago")
    if status.runner is None and status.reason:
        text.append(f", ended: {status.reason}")
    return text


def _errors(errors: Mapping[str, ErrorSummary] | None, now_us: int) -> RenderableType:
    lines = [Text("error records of the last day", "bold")]
    for mode, found in (errors or {}).items():
        line = Text(f"{mode}  ")
        line.append(f"{found.count:,}", _BAD if found.count else _GOOD)
        if found.newest_us is not None:
            line.append(f", newest {_ago(found.newest_us, now_us)} ago")
        if found.by_reason:
            reason, count = next(iter(found.by_reason.items()))
            line.append(f": {reason} ({count:,})", _FAINT)
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return Group(*lines)


def _candles(candles: Sequence[Mapping[str, Any]] | None, rows: int) -> RenderableType:
    title = "last candles"
    if candles is not None and not candles:
        return _nothing(title, "none for a day: an hour gets its candles once it is closed")
    table = _table(title, "symbol", "minute", ">open", ">high", ">low", ">close", "", ">trades")
    for candle in (candles or ())[:rows]:
        sign, style = _direction(candle["close"] - candle["open"])
        table.add_row(
            candle["symbol"],
            f"{candle['bucket_start']:%H:%M}",
            *(f"{candle[name]:,.6g}" for name in ("open", "high", "low", "close")),
            Text(sign, style),
            f"{candle['trade_count']:,}",
        )
    return table


def _direction(change: float) -> tuple[str, str]:
    if change == 0:
        return _FLAT, _FAINT
    return (_UP, _GOOD) if change > 0 else (_DOWN, "red")


def _alerts(alerts: Sequence[Mapping[str, Any]] | None, rows: int) -> RenderableType:
    title = "newest anomalies"
    if alerts is not None and not alerts:
        return _nothing(title, "none for a day")
    table = _table(title, "at", "symbol", "metric", ">value", ">z-score")
    for alert in (alerts or ())[:rows]:
        table.add_row(
            f"{alert['event_at']:%H:%M:%S}",
            alert["symbol"],
            alert["metric"],
            f"{alert['value']:,.4g}",
            Text(f"{alert['zscore']:+.1f}", "bold yellow"),
        )
    return table


def _nothing(title: str, reason: str) -> Text:
    return Text.assemble((title, "bold"), "  ", (reason, _FAINT))


def _failures(look: Look) -> Iterator[Text]:
    for part, reason in look.failures.items():
        yield Text(f"{part.replace('_', ' ')}: {reason}", _BAD)


def _table(title: str, *columns: str) -> Table:
    """A table without lines; a column whose name begins with `>` is of numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0)
    )
    for column in columns:
        name = column.removeprefix(">")
        table.add_column(
            escape(name),
            justify="right" if name != column else "left",
            header_style=_FAINT,
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _sum(values: Iterable[float | None]) -> float | None:
    """Of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _ago(us: int, now_us: int) -> str:
    return age(max(0, now_us - us) / US_PER_SECOND)
