-- How late ticks were put into the stream, per hour of their event: lateness is sent_ts - event_ts.
--
-- parameters
--   storage_mode     | iceberg, parquet_projection | enabled | whose tables
--   start            | timestamp                   | now-24h | first event time
--   end              | timestamp                   | now     | end of the window, exclusive
--   lateness_seconds | double                      | 60      | later than this is late
-- columns
--   hour: UTC hour of the event
--   ticks, late_ticks: how many, and how many of them were late
--   mean_seconds, max_seconds: lateness of the hour's ticks
select
  date_trunc('hour', event_at) as hour,
  count(*) as ticks,
  count_if(sent_ts - event_us > :lateness_seconds * 1e6) as late_ticks,
  avg(sent_ts - event_us) / 1e6 as mean_seconds,
  max(sent_ts - event_us) / 1e6 as max_seconds
from storage_mode.ticks
where event_at >= :start and event_at < :end
group by date_trunc('hour', event_at)
order by hour
