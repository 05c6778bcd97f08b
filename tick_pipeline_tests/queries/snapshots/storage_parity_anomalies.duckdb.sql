WITH a AS (
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
    COUNT(*) OVER (PARTITION BY event_id, metric) AS copies
  FROM iceberg.anomalies
  WHERE
    event_at >= $start AND event_at < $end
), b AS (
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
    COUNT(*) OVER (PARTITION BY event_id, metric) AS copies
  FROM parquet_projection.anomalies
  WHERE
    event_at >= $start AND event_at < $end
), compared AS (
  SELECT
    COALESCE(a.event_id, b.event_id) AS event_id,
    COALESCE(a.metric, b.metric) AS metric,
    COALESCE(a.symbol, b.symbol) AS symbol,
    COALESCE(a.event_at, b.event_at) AS event_at,
    CASE
      WHEN b.copies IS NULL
      THEN 'only_iceberg'
      WHEN a.copies IS NULL
      THEN 'only_parquet'
      WHEN a.copies <> b.copies
      THEN 'copies'
      WHEN a.symbol IS DISTINCT FROM b.symbol
      THEN 'symbol'
      WHEN a.event_us IS DISTINCT FROM b.event_us
      THEN 'event_us'
      WHEN a.event_at IS DISTINCT FROM b.event_at
      THEN 'event_at'
      WHEN a.sample_count IS DISTINCT FROM b.sample_count
      THEN 'sample_count'
      WHEN a.window_minutes IS DISTINCT FROM b.window_minutes
      THEN 'window_minutes'
      WHEN a.threshold IS DISTINCT FROM b.threshold
      THEN 'threshold'
      WHEN a.value IS DISTINCT FROM b.value
      AND NOT COALESCE(
        ISFINITE(a.value - b.value)
        AND ABS(a.value - b.value) <= 1e-9 * CASE
          WHEN ABS(a.value) IS NULL OR ABS(b.value) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.value), ABS(b.value))
        END,
        FALSE
      )
      THEN 'value'
      WHEN a.mean IS DISTINCT FROM b.mean
      AND NOT COALESCE(
        ISFINITE(a.mean - b.mean)
        AND ABS(a.mean - b.mean) <= 1e-9 * CASE
          WHEN ABS(a.mean) IS NULL OR ABS(b.mean) IS NULL OR a.stddev IS NULL OR b.stddev IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.mean), ABS(b.mean), a.stddev, b.stddev)
        END,
        FALSE
      )
      THEN 'mean'
      WHEN a.stddev IS DISTINCT FROM b.stddev
      AND NOT COALESCE(
        ISFINITE(a.stddev - b.stddev)
        AND ABS(a.stddev - b.stddev) <= 1e-9 * CASE
          WHEN ABS(a.stddev) IS NULL OR ABS(b.stddev) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.stddev), ABS(b.stddev))
        END,
        FALSE
      )
      THEN 'stddev'
      WHEN a.zscore IS DISTINCT FROM b.zscore
      AND NOT COALESCE(
        ISFINITE(a.zscore - b.zscore)
        AND ABS(a.zscore - b.zscore) <= 1e-6 * CASE
          WHEN 1e0 IS NULL OR ABS(a.zscore) IS NULL OR ABS(b.zscore) IS NULL
          THEN NULL
          ELSE GREATEST(1e0, ABS(a.zscore), ABS(b.zscore))
        END,
        FALSE
      )
      THEN 'zscore'
    END AS difference,
    a.value AS iceberg_value,
    b.value AS parquet_value,
    a.zscore AS iceberg_zscore,
    b.zscore AS parquet_zscore,
    a.sample_count AS iceberg_sample_count,
    b.sample_count AS parquet_sample_count
  FROM a
  FULL JOIN b
    ON a.event_id = b.event_id AND a.metric = b.metric
)
SELECT
  event_id,
  metric,
  symbol,
  event_at,
  difference,
  iceberg_value,
  parquet_value,
  iceberg_zscore,
  parquet_zscore,
  iceberg_sample_count,
  parquet_sample_count
FROM compared
WHERE
  NOT difference IS NULL
ORDER BY
  event_at,
  event_id,
  metric
