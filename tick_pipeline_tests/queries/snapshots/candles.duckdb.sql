WITH minutes AS (
  SELECT
    TO_TIMESTAMP(FLOOR(EPOCH(bucket_start) / (
      $timeframe * 60e0
    )) * (
      $timeframe * 60e0
    )) AS bucket,
    bucket_start,
    open,
    high,
    low,
    close,
    volume,
    notional,
    trade_count,
    first_us,
    last_us
  FROM iceberg.aggregated_1m
  WHERE
    symbol = $symbol AND bucket_start >= $start AND bucket_start < $end
)
SELECT
  bucket AS bucket_start,
  ARG_MIN(open, bucket_start) AS open,
  MAX(high) AS high,
  MIN(low) AS low,
  ARG_MAX(close, bucket_start) AS close,
  SUM(volume) AS volume,
  SUM(notional) AS notional,
  SUM(notional) / NULLIF(SUM(volume), 0e0) AS vwap,
  SUM(trade_count) AS trade_count,
  MIN(first_us) AS first_us,
  MAX(last_us) AS last_us
FROM minutes
GROUP BY
  bucket
ORDER BY
  bucket
