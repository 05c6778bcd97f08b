WITH a AS (
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
    first_us,
    last_us
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
), b AS (
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
    first_us,
    last_us
  FROM parquet_projection.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
), compared AS (
  SELECT
    COALESCE(a.symbol, b.symbol) AS symbol,
    COALESCE(a.bucket_start, b.bucket_start) AS bucket_start,
    CASE
      WHEN b.symbol IS NULL
      THEN 'only_iceberg'
      WHEN a.symbol IS NULL
      THEN 'only_parquet'
      WHEN a.trade_count IS DISTINCT FROM b.trade_count
      THEN 'trade_count'
      WHEN a.first_us IS DISTINCT FROM b.first_us
      THEN 'first_us'
      WHEN a.last_us IS DISTINCT FROM b.last_us
      THEN 'last_us'
      WHEN a.open IS DISTINCT FROM b.open
      THEN 'open'
      WHEN a.high IS DISTINCT FROM b.high
      THEN 'high'
      WHEN a.low IS DISTINCT FROM b.low
      THEN 'low'
      WHEN a.close IS DISTINCT FROM b.close
      THEN 'close'
      WHEN NOT COALESCE(
        ABS(a.volume - b.volume) <= 1e-9 * CASE
          WHEN ABS(a.volume) IS NULL OR ABS(b.volume) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.volume), ABS(b.volume))
        END,
        FALSE
      )
      THEN 'volume'
      WHEN NOT COALESCE(
        ABS(a.notional - b.notional) <= 1e-9 * CASE
          WHEN ABS(a.notional) IS NULL OR ABS(b.notional) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.notional), ABS(b.notional))
        END,
        FALSE
      )
      THEN 'notional'
      WHEN NOT COALESCE(
        ABS(a.vwap - b.vwap) <= 1e-9 * CASE
          WHEN ABS(a.vwap) IS NULL OR ABS(b.vwap) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(a.vwap), ABS(b.vwap))
        END,
        a.vwap IS NULL AND b.vwap IS NULL
      )
      THEN 'vwap'
    END AS difference,
    a.trade_count AS iceberg_trade_count,
    b.trade_count AS parquet_trade_count,
    a.close AS iceberg_close,
    b.close AS parquet_close,
    a.volume AS iceberg_volume,
    b.volume AS parquet_volume
  FROM a
  FULL JOIN b
    ON a.symbol = b.symbol AND a.bucket_start = b.bucket_start
)
SELECT
  symbol,
  bucket_start,
  difference,
  iceberg_trade_count,
  parquet_trade_count,
  iceberg_close,
  parquet_close,
  iceberg_volume,
  parquet_volume
FROM compared
WHERE
  NOT difference IS NULL
ORDER BY
  bucket_start,
  symbol
