-- The candles of one symbol in [start, end), at any timeframe, rolled up from the one-minute candles. Buckets
-- are aligned to the epoch, UTC; a bucket that the window cuts holds only the minutes inside the window.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   symbol       | varchar                     |         | which symbol
--   start        | timestamp                   | now-24h | first minute
--   end          | timestamp                   | now     | end of the window, exclusive
--   timeframe    | timeframe                   | 1m      | length of a bucket: 1m, 15m, 1h, 1d
-- columns
--   bucket_start: start of the bucket
--   open, high, low, close, volume, notional, vwap, trade_count: as in a stored candle
--   first_us, last_us: event time of the first and the last trade, microseconds
with minutes as (
  select
    from_unixtime(
      floor(to_unixtime(bucket_start) / (:timeframe * 60e0)) * (:timeframe * 60e0)
    ) as bucket,
    bucket_start, open, high, low, close, volume, notional, trade_count, first_us, last_us
  from storage_mode.aggregated_1m
  where symbol = :symbol and bucket_start >= :start and bucket_start < :end
)
select
  bucket as bucket_start,
  min_by(open, bucket_start) as open,
  max(high) as high,
  min(low) as low,
  max_by(close, bucket_start) as close,
  sum(volume) as volume,
  sum(notional) as notional,
  sum(notional) / nullif(sum(volume), 0e0) as vwap,
  sum(trade_count) as trade_count,
  min(first_us) as first_us,
  max(last_us) as last_us
from minutes
group by bucket
order by bucket
