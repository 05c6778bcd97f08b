-- What each storage mode holds of every hour in [start, end): ticks, their volume and one-minute candles, side
-- by side. `storage_parity_ticks` and `storage_parity_candles` compare the contents, too.
--
-- parameters
--   start | timestamp | now-24h | first event time
--   end   | timestamp | now     | end of the window, exclusive
-- columns
--   hour: UTC hour of the event
--   iceberg_ticks, parquet_ticks, iceberg_volume, parquet_volume, iceberg_candles, parquet_candles: null where
--     the mode holds none
--   same_counts: true when ticks and candles are as many in both
with iceberg_raw as (
  select date_trunc('hour', event_at) as hour, count(*) as ticks, sum(volume) as volume
  from iceberg.ticks
  where event_at >= :start and event_at < :end
  group by date_trunc('hour', event_at)
),
parquet_raw as (
  select date_trunc('hour', event_at) as hour, count(*) as ticks, sum(volume) as volume
  from parquet_projection.ticks
  where event_at >= :start and event_at < :end
  group by date_trunc('hour', event_at)
),
iceberg_1m as (
  select date_trunc('hour', bucket_start) as hour, count(*) as candles
  from iceberg.aggregated_1m
  where bucket_start >= :start and bucket_start < :end
  group by date_trunc('hour', bucket_start)
),
parquet_1m as (
  select date_trunc('hour', bucket_start) as hour, count(*) as candles
  from parquet_projection.aggregated_1m
  where bucket_start >= :start and bucket_start < :end
  group by date_trunc('hour', bucket_start)
),
hours as (
  select hour from iceberg_raw
  union
  select hour from parquet_raw
  union
  select hour from iceberg_1m
  union
  select hour from parquet_1m
)
select
  h.hour,
  a.ticks as iceberg_ticks,
  b.ticks as parquet_ticks,
  a.volume as iceberg_volume,
  b.volume as parquet_volume,
  c.candles as iceberg_candles,
  d.candles as parquet_candles,
  a.ticks is not distinct from b.ticks and c.candles is not distinct from d.candles as same_counts
from hours as h
left join iceberg_raw as a on a.hour = h.hour
left join parquet_raw as b on b.hour = h.hour
left join iceberg_1m as c on c.hour = h.hour
left join parquet_1m as d on d.hour = h.hour
order by h.hour
