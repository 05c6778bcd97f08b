WITH a AS (
  SELECT
    DATE_TRUNC('HOUR', event_at) AS hour,
    COUNT(*) AS ticks,
    MIN(event_us) AS first_us,
    MAX(event_us) AS last_us,
    SUM(volume) AS volume,
    HEX(SUM(HASH(event_id))) AS hash
  FROM iceberg.ticks
  WHERE
    event_at >= $start AND event_at < $end
  GROUP BY
    DATE_TRUNC('HOUR', event_at)
), b AS (
  SELECT
    DATE_TRUNC('HOUR', event_at) AS hour,
    COUNT(*) AS ticks,
    MIN(event_us) AS first_us,
    MAX(event_us) AS last_us,
    SUM(volume) AS volume,
    HEX(SUM(HASH(event_id))) AS hash
  FROM parquet_projection.ticks
  WHERE
    event_at >= $start AND event_at < $end
  GROUP BY
    DATE_TRUNC('HOUR', event_at)
)
SELECT
  COALESCE(a.hour, b.hour) AS hour,
  a.ticks AS iceberg_ticks,
  b.ticks AS parquet_ticks,
  a.first_us AS iceberg_first_us,
  b.first_us AS parquet_first_us,
  a.last_us AS iceberg_last_us,
  b.last_us AS parquet_last_us,
  a.volume AS iceberg_volume,
  b.volume AS parquet_volume,
  a.hash AS iceberg_hash,
  b.hash AS parquet_hash
FROM a
FULL JOIN b
  ON a.hour = b.hour
WHERE
  a.ticks IS DISTINCT FROM b.ticks
  OR a.first_us IS DISTINCT FROM b.first_us
  OR a.last_us IS DISTINCT FROM b.last_us
  OR a.hash IS DISTINCT FROM b.hash
  OR ABS(a.volume - b.volume) > 1e-9 * CASE
    WHEN ABS(a.volume) IS NULL OR ABS(b.volume) IS NULL
    THEN NULL
    ELSE GREATEST(ABS(a.volume), ABS(b.volume))
  END
ORDER BY
  hour
