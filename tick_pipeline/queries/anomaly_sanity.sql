-- The anomalies of [start, end) that break a rule which every anomaly meets, whatever its ticks: no row means that
-- none does. An anomaly without an event_at is in no window.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   |         | first event time
--   end          | timestamp                   |         | end of the window, exclusive
-- columns
--   event_id, metric, symbol, event_at: which anomaly
--   broken: the first that is so of
--     not_unique: another row has the same event_id and metric
--     null, empty, not_finite: a column has no value, event_id or symbol no character, or a number is NaN or infinite
--     time_differs: event_us is not the microsecond of event_at
--     unknown_metric: neither price nor return nor volume
--     no_window: window_minutes below 1
--     too_few_samples: sample_count below 2, which has no sample standard deviation
--     negative_stddev, below_threshold: |zscore| less than threshold
--     wrong_sign: zscore above, at or below 0 where value is not so to mean
--   event_us, value, mean, stddev, zscore, sample_count, window_minutes, threshold: as stored
with stored as (
  select
    event_id, symbol, event_us, event_at, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold,
    to_unixtime(event_at) as seconds,
    to_unixtime(date_trunc('second', event_at)) as whole_seconds,
    count(*) over (partition by event_id, metric) as copies
  from storage_mode.anomalies
  where event_at >= :start and event_at < :end
),
judged as (
  select
    event_id, symbol, event_us, event_at, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold,
    case
      when copies > 1 then 'not_unique'
      when event_id is null or symbol is null or event_us is null or metric is null or value is null or mean is null
        or stddev is null or zscore is null or sample_count is null or window_minutes is null or threshold is null
        then 'null'
      when event_id = '' or symbol = '' then 'empty'
      when not (
        is_finite(value) and is_finite(mean) and is_finite(stddev) and is_finite(zscore) and is_finite(threshold)
      ) then 'not_finite'
      -- A double of seconds tells microseconds only beside the whole second.
      when abs((seconds - whole_seconds) * 1e6 - (event_us - whole_seconds * 1e6)) > 0.5e0 then 'time_differs'
      when metric not in ('price', 'return', 'volume') then 'unknown_metric'
      when window_minutes < 1 then 'no_window'
      when sample_count < 2 then 'too_few_samples'
      when stddev < 0e0 then 'negative_stddev'
      when abs(zscore) < threshold then 'below_threshold'
      when (zscore > 0e0) <> (value > mean) or (zscore < 0e0) <> (value < mean) then 'wrong_sign'
    end as broken
  from stored
)
select
  event_id, metric, symbol, event_at, broken, event_us, value, mean, stddev, zscore, sample_count, window_minutes,
  threshold
from judged
where broken is not null
order by event_at, event_id, metric
