WITH minutes AS (
  SELECT
    symbol,
    bucket_start,
    EPOCH(bucket_start) / 60e0 AS minute
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
  GROUP BY
    symbol,
    bucket_start
), numbered AS (
  SELECT
    symbol,
    bucket_start,
    minute - ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY minute) AS before_the_range
  FROM minutes
)
SELECT
  symbol,
  MIN(bucket_start) AS first_minute,
  MAX(bucket_start) AS last_minute,
  COUNT(*) AS candles
FROM numbered
GROUP BY
  symbol,
  before_the_range
ORDER BY
  symbol,
  first_minute
