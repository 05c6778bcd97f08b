-- The symbols whose price moved most in [start, end), up or down, from one-minute candles.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first minute
--   end          | timestamp                   | now     | end of the window, exclusive
--   count        | bigint                      | 10      | how many symbols
-- columns
--   symbol
--   first_open, last_close: first and last price in the window
--   change_percent: of the first price
--   high, low, volume, trade_count: over the window
with symbols as (
  select
    symbol,
    min_by(open, bucket_start) as first_open,
    max_by(close, bucket_start) as last_close,
    max(high) as high,
    min(low) as low,
    sum(volume) as volume,
    sum(trade_count) as trade_count
  from storage_mode.aggregated_1m
  where bucket_start >= :start and bucket_start < :end
  group by symbol
),
moves as (
  select
    symbol, first_open, last_close,
    100e0 * (last_close - first_open) / first_open as change_percent,
    high, low, volume, trade_count
  from symbols
),
ranked as (
  select
    symbol, first_open, last_close, change_percent, high, low, volume, trade_count,
    row_number() over (order by abs(change_percent) desc, symbol) as place
  from moves
)
select symbol, first_open, last_close, change_percent, high, low, volume, trade_count
from ranked
where place <= :count
order by place
