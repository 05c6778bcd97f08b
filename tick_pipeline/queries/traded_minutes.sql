-- Ranges of successive minutes of [start, end) that have a one-minute candle, per symbol: between two of them the
-- symbol has none.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first minute
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   symbol: whose candles
--   first_minute, last_minute: starts of the range's first and last candle
--   candles: how many
with minutes as (
  select symbol, bucket_start, to_unixtime(bucket_start) / 60e0 as minute
  from storage_mode.aggregated_1m
  where bucket_start >= :start and bucket_start < :end
  group by symbol, bucket_start
),
numbered as (
  select
    symbol, bucket_start,
    minute - row_number() over (partition by symbol order by minute) as before_the_range
  from minutes
)
select
  symbol,
  min(bucket_start) as first_minute,
  max(bucket_start) as last_minute,
  count(*) as candles
from numbered
group by symbol, before_the_range
order by symbol, first_minute
