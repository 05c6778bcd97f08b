SELECT
  event_at,
  symbol,
  metric,
  value,
  mean,
  stddev,
  zscore,
  sample_count,
  window_minutes,
  threshold,
  event_id,
  event_us
FROM iceberg.anomalies
WHERE
  event_at >= $start AND event_at < $end
ORDER BY
  event_at DESC,
  ABS(zscore) DESC,
  event_id,
  metric
