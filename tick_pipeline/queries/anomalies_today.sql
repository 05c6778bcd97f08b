-- The anomalies of the current UTC day, or of [start, end), newest first.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | today   | first event time
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   event_at, symbol, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold, event_id,
--   event_us: as stored
select
  event_at, symbol, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold, event_id, event_us
from storage_mode.anomalies
where event_at >= :start and event_at < :end
order by event_at desc, abs(zscore) desc, event_id, metric
