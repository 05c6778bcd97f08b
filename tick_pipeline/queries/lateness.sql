-- How late ticks were put into the stream, per hour of their event: lateness is sent_ts - event_ts. Those that were
-- put there only after their hour had closed can be in a candle only after a second run. How many records landed
-- after that, and how many of them mended a candle, tell the observations of raw in Dagster.
--
-- parameters
--   storage_mode        | iceberg, parquet_projection | enabled | whose tables
--   start               | timestamp                   | now-24h | first event time
--   end                 | timestamp                   | now     | end of the window, exclusive
--   lateness_seconds    | double                      | 60      | later than this is late
--   close_after_seconds | double                      | 600     | an hour closes so long after its end
-- columns
--   hour: UTC hour of the event
--   ticks, late_ticks: how many, and how many of them were late
--   sent_after_close: late ticks that were put into the stream after the hour had closed
--   late_p50_seconds: median lateness of the late ticks, of two the smaller; null without any
--   mean_seconds, max_seconds: lateness of the hour's ticks
with measured as (
  select
    date_trunc('hour', event_at) as hour,
    sent_ts,
    sent_ts - event_us as late_us,
    sent_ts - event_us > :lateness_seconds * 1e6 as is_late
  from storage_mode.ticks
  where event_at >= :start and event_at < :end
),

ranked as (
  select
    hour, sent_ts, late_us, is_late,
    row_number() over (partition by hour, is_late order by late_us) as place,
    count(*) over (partition by hour, is_late) as places
  from measured
)
select
  hour,
  count(*) as ticks,
  count_if(is_late) as late_ticks,
  count_if(is_late and sent_ts >= (to_unixtime(hour) + 3600 + :close_after_seconds) * 1e6) as sent_after_close,
  max(case when is_late and place * 2 <= places + 1 then late_us end) / 1e6 as late_p50_seconds,
  avg(late_us) / 1e6 as mean_seconds,
  max(late_us) / 1e6 as max_seconds
from ranked
group by hour
order by hour
