-- The anomalies of [start, end), each with the one-minute candle of its symbol that it lies in: what the market
-- did around it. A minute whose candle is not made yet leaves the candle's columns null.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first event time
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   event_at, symbol, metric, value, mean, stddev, zscore, event_id: as stored in the anomaly
--   bucket_start: start of the candle's minute; null where there is no candle
--   open, high, low, close, volume, vwap, trade_count: as stored in the candle
with a as (
  select
    event_at, symbol, metric, value, mean, stddev, zscore, event_id, date_trunc('minute', event_at) as minute
  from storage_mode.anomalies
  where event_at >= :start and event_at < :end
),
c as (
  select symbol, bucket_start, open, high, low, close, volume, vwap, trade_count
  from storage_mode.aggregated_1m
  where bucket_start >= date_trunc('minute', :start) and bucket_start < :end
)
select
  a.event_at, a.symbol, a.metric, a.value, a.mean, a.stddev, a.zscore, a.event_id,
  c.bucket_start, c.open, c.high, c.low, c.close, c.volume, c.vwap, c.trade_count
from a
left join c on c.symbol = a.symbol and c.bucket_start = a.minute
order by a.event_at, a.event_id, a.metric
