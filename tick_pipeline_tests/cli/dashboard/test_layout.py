"""The dashboard: what was seen, as text of a given size."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from tick_pipeline.cli.dashboard.layout import age, draw
from tick_pipeline.cli.dashboard.look import Arrivals, LiveState, Look
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, as_datetime, parse_instant
from tick_pipeline.landing.error_summary import ErrorSummary
from tick_pipeline.live.supervisor import ChildState
from tick_pipeline.resources.landing import Backlog, DeliveryPosition
from tick_pipeline.resources.stream_run import StreamRunStatus
from tick_pipeline.spark.streaming.progress import StreamProgress

NOW_US = parse_instant("2026-11-21T20:51:03Z")
HOUR_US = parse_instant("2026-11-21T20:00:00Z")
MODES = ("iceberg", "parquet_projection")


def _backlog(waiting: int | None, oldest_seconds: float | None, *, running: bool = True) -> Backlog:
    return Backlog(
        position=DeliveryPosition(caught_up=False, description="", delivered_until_us=0),
        running=running,
        runner="a process delivers" if running else "no process delivers",
        waiting_records=waiting,
        lost_records=0,
        oldest_us=None
        if oldest_seconds is None
        else NOW_US - round(oldest_seconds * US_PER_SECOND),
        expires_us=None,
        due_seconds=120,
        always_runs=False,
    )


def _candle(symbol: str, trades: int, close: float) -> dict[str, object]:
    prices = {"open": 100.0, "high": 102.0, "low": 99.5, "close": close}
    start = as_datetime(NOW_US - 60 * US_PER_SECOND)
    return {"symbol": symbol, "bucket_start": start, **prices, "trade_count": trades}


def _alert(symbol: str, zscore: float) -> dict[str, object]:
    at = as_datetime(NOW_US - 30 * US_PER_SECOND)
    return {"symbol": symbol, "event_at": at, "metric": "return", "value": 0.01, "zscore": zscore}


STREAM = StreamRunStatus(
    state="running",
    wanted=True,
    runner="4711",
    progress=StreamProgress(scored=12_345, written={"iceberg": 3}),
    heartbeat_seconds=0.4,
    behind=17,
    ended_us=None,
    reason=None,
)
CHILD = ChildState("producer", "running", 2, 61.0, None, "word " * 100)
LOOK = Look(
    "local",
    "/home",
    arrivals=(
        Arrivals("shard-0000", 12.5, 1_000, NOW_US - US_PER_SECOND),
        Arrivals("shard-0001", 0.0, 0, None),
    ),
    backlog={MODES[0]: _backlog(300, 5), MODES[1]: _backlog(9_000, 400, running=False)},
    newest_hours={
        "raw": dict.fromkeys(MODES, HOUR_US),
        "aggregated_1m": {MODES[0]: HOUR_US - 5 * US_PER_HOUR, MODES[1]: None},
    },
    stream=STREAM,
    candles=tuple(_candle(f"SYM{number:03d}", 500 - number, 101.0) for number in range(20)),
    alerts=tuple(_alert(f"SYM{number:03d}", -7.25) for number in range(20)),
    errors={
        MODES[0]: ErrorSummary(2, {"wrong_type": 2}, {}, NOW_US - US_PER_SECOND, None, 1, {}),
        MODES[1]: ErrorSummary(0, {}, {}, None, None, 0, {}),
    },
)


def _text(look: Look, width: int, height: int | None = None, live: LiveState | None = None) -> str:
    output = StringIO()
    console = Console(file=output, width=width, highlight=False)
    console.print(draw(look, NOW_US, width=width, height=height, live=live))
    return output.getvalue()


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_at_80_columns_all_stands_below_one_another() -> None:
    """No line is longer, and each thing is there."""
    text = _text(LOOK, 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert _lines(text)[:16] == [
        "tick_pipeline local 2026-11-21 20:51:03 UTC /home",
        "stream",
        "shard records/s records newest",
        "shard-0000 12.5 1,000 1 s ago",
        "shard-0001 0.0 0 none",
        "all 2 12.5 1,000",
        "deliveries",
        "storage mode waiting oldest waits by",
        "iceberg 300 5 s a process delivers",
        "parquet_projection 9,000 7 min, late no process delivers",
        "newest hour",
        "table iceberg parquet_projection",
        "raw 20:00, now 20:00, now",
        "aggregated_1m 15:00, 5 hours before none for a day",
        "anomalies running, wanted, 17 records behind, 12,345 ticks scored, added 3 to",
        "iceberg, told 0 s ago",
    ]
    assert _lines(text)[16:19] == [
        "error records of the last day",
        "iceberg 2, newest 1 s ago: wrong_type (2)",
        "parquet_projection 0",
    ]
    assert "SYM000 20:50 100 102 99.5 101 ▲ 500" in _lines(text)
    assert "20:50:33 SYM000 return 0.01 -7.2" in _lines(text)


def test_at_200_columns_candles_and_alerts_stand_beside_the_rest() -> None:
    lines = _text(LOOK, 200).splitlines()
    assert len(lines) < len(_text(LOOK, 80).splitlines())
    [head] = [line for line in lines if "last candles" in line]
    assert head.startswith("stream")
    assert max(len(line) for line in lines) <= 200


@pytest.mark.parametrize(
    ("size", "live"),
    [
        *(((80, lines), None) for lines in (40, 50)),
        *(((200, lines), None) for lines in (30, 50)),
        *((size, LiveState((CHILD,) * 4, "", ("one", "two"))) for size in ((80, 48), (200, 30))),
    ],
)
def test_what_is_listed_fits_the_height(size: tuple[int, int], live: LiveState | None) -> None:
    """As many candles and alerts as there is room for, beside what the live mode adds."""
    width, height = size
    text = _text(LOOK, width, height, live)
    assert len(text.splitlines()) <= height
    assert text.count("SYM") >= 2 * 3


def test_a_candle_that_moved_nowhere_has_no_arrow() -> None:
    look = replace(LOOK, candles=(_candle("FLAT", 1, 100.0), _candle("FALLS", 1, 99.5)))
    lines = _lines(_text(look, 80))
    assert "FLAT 20:50 100 102 99.5 100 1" in lines
    assert "FALLS 20:50 100 102 99.5 99.5 ▼ 1" in lines


def test_before_the_first_look_and_of_an_empty_pipeline_there_is_a_frame() -> None:
    assert "stream" in _lines(_text(Look("local", "/home"), 80))
    empty = replace(LOOK, candles=(), alerts=(), arrivals=())
    assert "none for a day: an hour gets its candles once it is closed" in _text(empty, 80)


def test_what_could_not_be_looked_at_is_told_where_no_terminal_cuts_it_off() -> None:
    failed = replace(LOOK, newest_hours=None, failures={"newest_hours": "AWS refused it"})
    assert _lines(_text(failed, 80, 24))[1] == "newest hours: AWS refused it"


def test_a_clock_that_is_behind_makes_nobody_wait_less_than_nothing() -> None:
    lines = _lines(_text(replace(LOOK, backlog={MODES[0]: _backlog(3, -30)}), 80))
    assert "iceberg 3 0 s a process delivers" in lines


def test_a_stream_of_many_shards_shows_the_busiest_and_the_sum() -> None:
    arrivals = tuple(Arrivals(f"shard-{n:04d}", float(n), None, NOW_US) for n in range(20))
    lines = _lines(_text(replace(LOOK, arrivals=arrivals), 80))
    shown = [line.split()[0] for line in lines if line.startswith("shard-")]
    assert shown == [f"shard-{number:04d}" for number in range(12, 20)]
    assert "all 20 190.0" in lines


def test_what_nobody_tells_is_left_open() -> None:
    """As on AWS, where neither a shard's records nor a Firehose's backlog is told."""
    look = replace(
        LOOK,
        arrivals=(Arrivals("all shards", 40.0, None, NOW_US),),
        backlog={MODES[0]: _backlog(None, 30)},
        stream=replace(STREAM, behind=None, runner=None, state="failed", reason="it was killed"),
    )
    lines = _lines(_text(look, 120))
    assert "all shards 40.0 0 s ago" in lines
    assert "iceberg ? 30 s a process delivers" in lines
    assert (
        "anomalies failed, wanted, 12,345 ticks scored, added 3 to iceberg, ended: it was killed"
        in lines
    )


def test_the_live_mode_shows_its_processes_and_notices() -> None:
    ended = ChildState("dagster", "waiting", 1, 0.0, 1, "no such thing")
    state = LiveState((CHILD, ended), "http://127.0.0.1:3000", ("producer ended with code 1",))
    lines = _lines(_text(LOOK, 100, live=state))
    assert "http://127.0.0.1:3000" in lines[0]
    assert "dagster waiting, code 1 1 0 s no such thing" in lines
    assert "producer ended with code 1" in lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h")]
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text
