WITH width_1m AS (
  SELECT
    60e0 AS seconds
), width_5m AS (
  SELECT
    300e0 AS seconds
), stored AS (
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
    last_us,
    EPOCH(bucket_start) AS start_seconds,
    COUNT(*) OVER (PARTITION BY symbol, bucket_start) AS copies
  FROM iceberg.aggregated_1m
  WHERE
    bucket_start >= $start AND bucket_start < $end
), judged AS (
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
    last_us,
    CASE
      WHEN copies > 1
      THEN 'not_unique'
      WHEN symbol IS NULL
      OR open IS NULL
      OR high IS NULL
      OR low IS NULL
      OR close IS NULL
      OR volume IS NULL
      OR notional IS NULL
      OR trade_count IS NULL
      OR first_us IS NULL
      OR last_us IS NULL
      THEN 'null'
      WHEN NOT (
        ISFINITE(open)
        AND ISFINITE(high)
        AND ISFINITE(low)
        AND ISFINITE(close)
        AND ISFINITE(volume)
        AND ISFINITE(notional)
        AND COALESCE(ISFINITE(vwap), TRUE)
      )
      THEN 'not_finite'
      WHEN FLOOR(start_seconds / seconds) * seconds <> start_seconds
      THEN 'misaligned'
      WHEN first_us < start_seconds * 1e6 OR first_us >= (
        start_seconds + seconds
      ) * 1e6
      THEN 'first_us_outside'
      WHEN last_us < start_seconds * 1e6 OR last_us >= (
        start_seconds + seconds
      ) * 1e6
      THEN 'last_us_outside'
      WHEN first_us > last_us
      THEN 'first_us_after_last_us'
      WHEN trade_count < 1
      THEN 'no_trades'
      WHEN low > high
      THEN 'low_above_high'
      WHEN open < low OR open > high
      THEN 'open_outside'
      WHEN close < low OR close > high
      THEN 'close_outside'
      WHEN volume < 0e0
      THEN 'negative_volume'
      WHEN notional < 0e0 OR (
        notional > 0e0
      ) <> (
        volume > 0e0
      )
      THEN 'notional_sign'
      WHEN vwap IS NULL AND volume > 0e0
      THEN 'vwap_missing'
      WHEN NOT vwap IS NULL AND volume = 0e0
      THEN 'vwap_without_volume'
      WHEN vwap < low - 1e-9 * ABS(low) OR vwap > high + 1e-9 * ABS(high)
      THEN 'vwap_outside'
    END AS broken
  FROM stored
  CROSS JOIN width_1m
)
SELECT
  symbol,
  bucket_start,
  broken,
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
FROM judged
WHERE
  NOT broken IS NULL
ORDER BY
  bucket_start,
  symbol
