WITH iceberg_raw AS (
  SELECT
    DATE_TRUNC('HOUR', event_at) AS hour,
    COUNT(*) AS ticks,
    SUM(volume) AS volume
  FROM iceberg.ticks
  WHERE
    event_at >= $start AND event_at < $end
  GROUP BY
    DATE_TRUNC('HOUR', event_at)
), parquet_raw AS (
  SELECT
    DATE_TRUNC('HOUR', event_at) AS hour,
    COUNT(*) AS ticks,
    SUM(volume) AS volume
  FROM parquet_projection.ticks
  WHERE
    event_at >= $start AND event_at < $end
  GROUP BY
    DATE_TRUNC('HOUR', event_at)
), iceberg_1m AS (
  SELECT
    DATE_TRUNC('HOUR', bucket_start) AS hour,
    COUNT(*) AS candles
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
  GROUP BY
    DATE_TRUNC('HOUR', bucket_start)
), parquet_1m AS (
  SELECT
    DATE_TRUNC('HOUR', bucket_start) AS hour,
    COUNT(*) AS candles
  FROM parquet_projection.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
  GROUP BY
    DATE_TRUNC('HOUR', bucket_start)
), hours AS (
  SELECT
    hour
  FROM iceberg_raw
  UNION
  SELECT
    hour
  FROM parquet_raw
  UNION
  SELECT
    hour
  FROM iceberg_1m
  UNION
  SELECT
    hour
  FROM parquet_1m
)
SELECT
  h.hour,
  a.ticks AS iceberg_ticks,
  b.ticks AS parquet_ticks,
  a.volume AS iceberg_volume,
  b.volume AS parquet_volume,
  c.candles AS iceberg_candles,
  d.candles AS parquet_candles,
  a.ticks IS NOT DISTINCT FROM b.ticks AND c.candles IS NOT DISTINCT FROM d.candles AS same_counts
FROM hours AS h
LEFT JOIN iceberg_raw AS a
  ON a.hour = h.hour
LEFT JOIN parquet_raw AS b
  ON b.hour = h.hour
LEFT JOIN iceberg_1m AS c
  ON c.hour = h.hour
LEFT JOIN parquet_1m AS d
  ON d.hour = h.hour
ORDER BY
  h.hour
