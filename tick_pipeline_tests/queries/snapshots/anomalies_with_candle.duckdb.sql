WITH a AS (
  SELECT
    event_at,
    symbol,
    metric,
    value,
    mean,
    stddev,
    zscore,
    event_id,
    DATE_TRUNC('MINUTE', event_at) AS minute
  FROM iceberg.anomalies
  WHERE
    event_at >= $start AND event_at < $end
), c AS (
  SELECT
    symbol,
    bucket_start,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    trade_count
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= DATE_TRUNC('MINUTE', $start) AND bucket_start < $end
)
SELECT
  a.event_at,
  a.symbol,
  a.metric,
  a.value,
  a.mean,
  a.stddev,
  a.zscore,
  a.event_id,
  c.bucket_start,
  c.open,
  c.high,
  c.low,
  c.close,
  c.volume,
  c.vwap,
  c.trade_count
FROM a
LEFT JOIN c
  ON c.symbol = a.symbol AND c.bucket_start = a.minute
ORDER BY
  a.event_at,
  a.event_id,
  a.metric
