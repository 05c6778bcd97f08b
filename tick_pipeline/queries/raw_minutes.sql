-- What raw received of each minute of event time in [start, end), copies and invalid rows included; a minute
-- without a row is not listed.
--
-- parameters
--   storage_mode     | iceberg, parquet_projection | enabled | whose tables
--   start            | timestamp                   | now-24h | first event time
--   end              | timestamp                   | now     | end of the window, exclusive
--   lateness_seconds | double                      | 60      | later than this is late
-- columns
--   minute: UTC minute of the event
--   raw_rows, invalid_rows, late_rows: how many
--   max_lateness_seconds: sent_ts - event_ts; null where no row says when it was sent
select
  date_trunc('minute', event_at) as minute,
  count(*) as raw_rows,
  count_if(broken_rule is not null) as invalid_rows,
  count_if(sent_ts - event_us > :lateness_seconds * 1e6) as late_rows,
  max(sent_ts - event_us) / 1e6 as max_lateness_seconds
from storage_mode.received
where event_at >= :start and event_at < :end
group by date_trunc('minute', event_at)
order by minute
