WITH symbols AS (
  SELECT
    symbol,
    ARG_MIN(open, bucket_start) AS first_open,
    ARG_MAX(close, bucket_start) AS last_close,
    MAX(high) AS high,
    MIN(low) AS low,
    SUM(volume) AS volume,
    SUM(trade_count) AS trade_count
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
  GROUP BY
    symbol
), moves AS (
  SELECT
    symbol,
    first_open,
    last_close,
    100e0 * (
      last_close - first_open
    ) / first_open AS change_percent,
    high,
    low,
    volume,
    trade_count
  FROM symbols
), ranked AS (
  SELECT
    symbol,
    first_open,
    last_close,
    change_percent,
    high,
    low,
    volume,
    trade_count,
    ROW_NUMBER() OVER (ORDER BY ABS(change_percent) DESC, symbol) AS place
  FROM moves
)
SELECT
  symbol,
  first_open,
  last_close,
  change_percent,
  high,
  low,
  volume,
  trade_count
FROM ranked
WHERE
  place <= $count
ORDER BY
  place
