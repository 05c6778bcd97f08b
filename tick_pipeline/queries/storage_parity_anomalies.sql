-- The anomalies of [start, end) that differ between the storage modes: no row means they agree. Names, times and
-- counts must be the same, value and stddev within 1e-9 relative, mean within 1e-9 of the larger of itself and
-- stddev (a mean of returns is near 0), zscore within 1e-6, absolute up to 1 and relative above.
--
-- parameters
--   start | timestamp | | first event time
--   end   | timestamp | | end of the window, exclusive
-- columns
--   event_id, metric: which anomaly
--   symbol, event_at: of the mode that holds it, iceberg's first
--   difference: only_iceberg, only_parquet, copies (one mode holds it more often), or the first column that differs
--   iceberg_value, parquet_value, iceberg_zscore, parquet_zscore, iceberg_sample_count, parquet_sample_count
with a as (
  select
    event_id, symbol, event_us, event_at, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold,
    count(*) over (partition by event_id, metric) as copies
  from iceberg.anomalies
  where event_at >= :start and event_at < :end
),
b as (
  select
    event_id, symbol, event_us, event_at, metric, value, mean, stddev, zscore, sample_count, window_minutes, threshold,
    count(*) over (partition by event_id, metric) as copies
  from parquet_projection.anomalies
  where event_at >= :start and event_at < :end
),
compared as (
  select
    coalesce(a.event_id, b.event_id) as event_id,
    coalesce(a.metric, b.metric) as metric,
    coalesce(a.symbol, b.symbol) as symbol,
    coalesce(a.event_at, b.event_at) as event_at,
    case
      when b.copies is null then 'only_iceberg'
      when a.copies is null then 'only_parquet'
      when a.copies <> b.copies then 'copies'
      when a.symbol is distinct from b.symbol then 'symbol'
      when a.event_us is distinct from b.event_us then 'event_us'
      when a.event_at is distinct from b.event_at then 'event_at'
      when a.sample_count is distinct from b.sample_count then 'sample_count'
      when a.window_minutes is distinct from b.window_minutes then 'window_minutes'
      when a.threshold is distinct from b.threshold then 'threshold'
      when a.value is distinct from b.value and not coalesce(
        is_finite(a.value - b.value) and abs(a.value - b.value) <= 1e-9 * greatest(abs(a.value), abs(b.value)), false
      ) then 'value'
      when a.mean is distinct from b.mean and not coalesce(
        is_finite(a.mean - b.mean)
          and abs(a.mean - b.mean) <= 1e-9 * greatest(abs(a.mean), abs(b.mean), a.stddev, b.stddev),
        false
      ) then 'mean'
      when a.stddev is distinct from b.stddev and not coalesce(
        is_finite(a.stddev - b.stddev)
          and abs(a.stddev - b.stddev) <= 1e-9 * greatest(abs(a.stddev), abs(b.stddev)),
        false
      ) then 'stddev'
      when a.zscore is distinct from b.zscore and not coalesce(
        is_finite(a.zscore - b.zscore)
          and abs(a.zscore - b.zscore) <= 1e-6 * greatest(1e0, abs(a.zscore), abs(b.zscore)),
        false
      ) then 'zscore'
    end as difference,
    a.value as iceberg_value, b.value as parquet_value,
    a.zscore as iceberg_zscore, b.zscore as parquet_zscore,
    a.sample_count as iceberg_sample_count, b.sample_count as parquet_sample_count
  from a
  full join b on a.event_id = b.event_id and a.metric = b.metric
)
select
  event_id, metric, symbol, event_at, difference, iceberg_value, parquet_value, iceberg_zscore, parquet_zscore,
  iceberg_sample_count, parquet_sample_count
from compared
where difference is not null
order by event_at, event_id, metric
