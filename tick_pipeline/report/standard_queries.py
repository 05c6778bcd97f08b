"""The questions that both storage modes are asked, each with a filter on the time and without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.storage import StorageMode

_BOUNDS = " and {column} >= :start and {column} < :end"


@dataclass(frozen=True)
class StandardQuery:
    """One question, in Athena's dialect.

    Attributes:
        name: what figures are kept under.
        question: for people.
        text: with `{mode}`, and `{bucket_start}` or `{event_at}` where a filter on that column goes.
    """

    name: str
    question: str
    text: str

    def sql(self, mode: StorageMode, *, filtered: bool) -> str:
        """The statement over one mode's tables; with a filter it has :start and :end."""
        bounds = {
            column: _BOUNDS.format(column=column) if filtered else ""
            for column in ("bucket_start", "event_at")
        }
        return self.text.format(mode=mode, **bounds)


VOLUME_BY_SYMBOL = StandardQuery(
    "volume_by_symbol",
    "Trades, volume and average price of every symbol",
    "select symbol, count(*) as trades, sum(volume) as volume, sum(price * volume) / sum(volume) as vwap "
    "from {mode}.ticks where volume > 0e0{event_at} group by symbol order by symbol",
)
STANDARD_QUERIES = (
    StandardQuery(
        "candles_of_symbol",
        "The one-minute candles of one symbol",
        "select bucket_start, open, high, low, close, volume from {mode}.aggregated_1m "
        "where symbol = :symbol{bucket_start} order by bucket_start",
    ),
    StandardQuery(
        "trades_of_symbol",
        "Trades, price range and volume of one symbol",
        "select count(*) as trades, min(price) as low, max(price) as high, sum(volume) as volume "
        "from {mode}.ticks where symbol = :symbol{event_at}",
    ),
    VOLUME_BY_SYMBOL,
    StandardQuery(
        "anomalies_with_candle",
        "Each anomaly beside the candle of its minute",
        "select a.event_at, a.symbol, a.zscore, c.low, c.high, c.volume "
        "from (select event_at, symbol, zscore, date_trunc('minute', event_at) as minute "
        "from {mode}.anomalies where zscore is not null{event_at}) as a "
        "join (select symbol, bucket_start, low, high, volume from {mode}.aggregated_1m "
        "where volume >= 0e0{bucket_start}) as c "
        "on c.symbol = a.symbol and c.bucket_start = a.minute order by a.event_at, a.symbol",
    ),
)
#: Asked of an hour that holds nothing, it costs what every query costs before it reads a file.
OPENING = StandardQuery(
    "opening",
    "Nothing: an hour without data",
    "select count(*) as candles from {mode}.aggregated_1m where volume >= 0e0{bucket_start}",
)
