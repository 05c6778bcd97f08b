-- The hours of [start, end) whose ticks differ between the storage modes: no row means they agree. Compared
-- are count, first and last event time, sum of volume (1e-9 relative) and an order-free hash of event_id.
--
-- parameters
--   start | timestamp | | first event time
--   end   | timestamp | | end of the window, exclusive
-- columns
--   hour: UTC hour of the event
--   iceberg_ticks, parquet_ticks: null where the mode holds none
--   iceberg_first_us, parquet_first_us, iceberg_last_us, parquet_last_us: event times, microseconds
--   iceberg_volume, parquet_volume
--   iceberg_hash, parquet_hash: of the event_ids; comparable within one engine only
with a as (
  select
    date_trunc('hour', event_at) as hour,
    count(*) as ticks, min(event_us) as first_us, max(event_us) as last_us,
    sum(volume) as volume, to_hex(checksum(event_id)) as hash
  from iceberg.ticks
  where event_at >= :start and event_at < :end
  group by date_trunc('hour', event_at)
),
b as (
  select
    date_trunc('hour', event_at) as hour,
    count(*) as ticks, min(event_us) as first_us, max(event_us) as last_us,
    sum(volume) as volume, to_hex(checksum(event_id)) as hash
  from parquet_projection.ticks
  where event_at >= :start and event_at < :end
  group by date_trunc('hour', event_at)
)
select
  coalesce(a.hour, b.hour) as hour,
  a.ticks as iceberg_ticks, b.ticks as parquet_ticks,
  a.first_us as iceberg_first_us, b.first_us as parquet_first_us,
  a.last_us as iceberg_last_us, b.last_us as parquet_last_us,
  a.volume as iceberg_volume, b.volume as parquet_volume,
  a.hash as iceberg_hash, b.hash as parquet_hash
from a
full join b on a.hour = b.hour
where a.ticks is distinct from b.ticks
  or a.first_us is distinct from b.first_us
  or a.last_us is distinct from b.last_us
  or a.hash is distinct from b.hash
  or abs(a.volume - b.volume) > 1e-9 * greatest(abs(a.volume), abs(b.volume))
order by hour
