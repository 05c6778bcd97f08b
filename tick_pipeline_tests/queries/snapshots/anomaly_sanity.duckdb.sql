WITH stored AS (
  SELECT
    event_id,
    symbol,
    event_us,
    event_at,
    metric,
    value,
    mean,
    stddev,
    zscore,
    sample_count,
    window_minutes,
    threshold,
    EPOCH(event_at) AS seconds,
    EPOCH(DATE_TRUNC('SECOND', event_at)) AS whole_seconds,
    COUNT(*) OVER (PARTITION BY event_id, metric) AS copies
  FROM iceberg.anomalies
  WHERE
    event_at >= $start AND event_at < $end
), judged AS (
  SELECT
    event_id,
    symbol,
    event_us,
    event_at,
    metric,
    value,
    mean,
    stddev,
    zscore,
    sample_count,
    window_minutes,
    threshold,
    CASE
      WHEN copies > 1
      THEN 'not_unique'
      WHEN event_id IS NULL
      OR symbol IS NULL
      OR event_us IS NULL
      OR metric IS NULL
      OR value IS NULL
      OR mean IS NULL
      OR stddev IS NULL
      OR zscore IS NULL
      OR sample_count IS NULL
      OR window_minutes IS NULL
      OR threshold IS NULL
      THEN 'null'
      WHEN event_id = '' OR symbol = ''
      THEN 'empty'
      WHEN NOT (
        ISFINITE(value)
        AND ISFINITE(mean)
        AND ISFINITE(stddev)
        AND ISFINITE(zscore)
        AND ISFINITE(threshold)
      )
      THEN 'not_finite'
      WHEN ABS((
        seconds - whole_seconds
      ) * 1e6 - (
        event_us - whole_seconds * 1e6
      )) > 0.5e0
      THEN 'time_differs'
      WHEN NOT metric IN ('price', 'return', 'volume')
      THEN 'unknown_metric'
      WHEN window_minutes < 1
      THEN 'no_window'
      WHEN sample_count < 2
      THEN 'too_few_samples'
      WHEN stddev < 0e0
      THEN 'negative_stddev'
      WHEN ABS(zscore) < threshold
      THEN 'below_threshold'
      WHEN (
        zscore > 0e0
      ) <> (
        value > mean
      )
      OR (
        zscore < 0e0
      ) <> (
        value < mean
      )
      THEN 'wrong_sign'
    END AS broken
  FROM stored
)
SELECT
  event_id,
  metric,
  symbol,
  event_at,
  broken,
  event_us,
  value,
  mean,
  stddev,
  zscore,
  sample_count,
  window_minutes,
  threshold
FROM judged
WHERE
  NOT broken IS NULL
ORDER BY
  event_at,
  event_id,
  metric
