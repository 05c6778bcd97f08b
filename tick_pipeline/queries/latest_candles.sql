-- The latest candles of each symbol, newest first.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled              | whose tables
--   timeframe    | 1m, 5m                      | 1m                   | which candles
--   start        | timestamp                   | 2000-01-01T00:00:00Z | only candles from then on
--   count        | bigint                      | 1                    | how many of each symbol
-- columns
--   symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count: as stored
select symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count
from (
  select
    symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count,
    row_number() over (partition by symbol order by bucket_start desc) as age
  from storage_mode.aggregated_timeframe
  where bucket_start >= :start
) as candle
where age <= :count
order by symbol, bucket_start desc
