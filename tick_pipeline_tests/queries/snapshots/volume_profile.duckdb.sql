SELECT
  symbol,
  bucket_start AS minute,
  trade_count,
  volume,
  notional,
  volume / NULLIF(SUM(volume) OVER (PARTITION BY symbol), 0e0) AS volume_share
FROM iceberg.aggregated_1m
WHERE
  bucket_start >= $start AND bucket_start < $end
ORDER BY
  symbol,
  bucket_start
