SELECT
  symbol,
  bucket_start,
  open,
  high,
  low,
  close,
  volume,
  notional,
  vwap,
  trade_count
FROM (
  SELECT
    symbol,
    bucket_start,
    open,
    high,
    low,
    close,
    volume,
    notional,
    vwap,
    trade_count,
    ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY bucket_start DESC) AS age
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start
) AS candle
WHERE
  age <= $count
ORDER BY
  symbol,
  bucket_start DESC
