"""What the embedded run did, measured in HOME: the load that it would be on AWS."""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.compute

from tick_pipeline.costs.measured import DescribedLoad, Measured, describe
from tick_pipeline.event_time import US_PER_SECOND
from tick_pipeline.resources.landing import open_stream
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.resources.table_stats import table_stats
from tick_pipeline.storage import RAW
from tick_pipeline.stream.port import Earliest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.segments import LocalStream

_compute: Any = pyarrow.compute
#: Of each shard; a mean of so many is exact enough.
_SAMPLED_RECORDS = 20_000
_SYMBOLS = 10
#: Minutes and not a span: hours may lie between two runs.
_MINUTES = """
select
  coalesce(sum(ticks), 0) as ticks,
  count(*) as minutes,
  coalesce(max(ticks), 0) as busiest_minute,
  coalesce(max(last_us) - min(first_us), 0) as span_us
from (
  select count(*) as ticks, min(event_us) as first_us, max(event_us) as last_us
  from {mode}.ticks
  group by date_trunc('minute', event_at)
)
"""
_SHARES = """
select symbol, count(*) as ticks
from {mode}.ticks
group by symbol
order by ticks desc, symbol
"""


def load_of_home(
    home: Home, settings: Settings, given: Mapping[str, Any] | None = None
) -> DescribedLoad:
    """The load that the run of a HOME would be on AWS.

    Args:
        home: an initialised HOME.
        settings: the enabled storage modes, and the stream's.
        given: field of the load -> value, in place of what is measured or assumed.

    Raises:
        InputError: nothing was sent or nothing has landed, or a given value is out of its bounds.
    """
    return describe(given or {}, measure_home(home, settings))


def measure_home(home: Home, settings: Settings) -> Measured:
    """What landed and was computed in a HOME, all of it: rates, sizes and seconds."""
    stream = open_stream(home, settings)
    engine = LocalQueryEngine(home, settings)
    mode = settings.storage_modes[0]
    (minutes,) = engine.run(_MINUTES.format(mode=mode)).records
    ticks, span_seconds = int(minutes["ticks"]), int(minutes["span_us"]) // US_PER_SECOND
    shares = engine.run(_SHARES.format(mode=mode)).records[:_SYMBOLS]
    stats = {mode: table_stats(home, mode, RAW) for mode in settings.storage_modes}
    return Measured(
        # Not the stream's: some of those may wait, and raw may have dropped their hours.
        records=ticks,
        record_bytes=_mean_record_bytes(stream),
        landed=int(stats[mode].rows or 0),
        active_seconds=max(1, min(int(minutes["minutes"]) * 60, span_seconds)),
        busiest_minute=int(minutes["busiest_minute"]),
        raw_bytes={mode: found.bytes for mode, found in stats.items()},
        run_seconds=tuple(_run_seconds(home)),
        symbol_shares={row["symbol"]: _share(row["ticks"], ticks) for row in shares},
    )


def _share(part: int, whole: int) -> Decimal:
    """To six digits, downwards: together they are not more than the whole."""
    return (Decimal(part) / whole).quantize(Decimal("0.000001"), ROUND_FLOOR)


def _mean_record_bytes(stream: LocalStream) -> int:
    """Of the records that the stream still holds, data and partition key; 0 where it holds none."""
    records = size_bytes = 0
    for shard in stream.shards():
        for table in stream.read(shard.shard_id, Earliest(), max_records=_SAMPLED_RECORDS):
            records += table.num_rows
            for column in ("data", "partitionKey"):
                size_bytes += (
                    _compute.sum(_compute.binary_length(table.column(column))).as_py() or 0
                )
    return -(-size_bytes // records) if records else 0


def _run_seconds(home: Home) -> Iterable[float]:
    """Seconds of each batch run that HOME still has a report of, one for each storage mode of a run."""
    for path in sorted(home.reports.glob("*.json")):
        if path.name.startswith(("ohlc-", "anomalies-")):
            for report in json.loads(path.read_text(encoding="utf-8")):
                yield float(report["seconds"])
