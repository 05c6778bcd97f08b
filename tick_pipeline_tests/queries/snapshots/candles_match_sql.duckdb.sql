WITH e AS (
  SELECT
    symbol,
    DATE_TRUNC('MINUTE', event_at) AS bucket_start,
    ARG_MIN(
      price,
      {'event_us': event_us, 'sequence': sequence, 'event_id': event_id, 'price': price, 'volume': volume, 'sent_ts': sent_ts, 'source': source}
    ) AS open,
    MAX(price) AS high,
    MIN(price) AS low,
    ARG_MAX(
      price,
      {'event_us': event_us, 'sequence': sequence, 'event_id': event_id, 'price': price, 'volume': volume, 'sent_ts': sent_ts, 'source': source}
    ) AS close,
    SUM(volume) AS volume,
    SUM(price * volume) AS notional,
    SUM(price * volume) / NULLIF(SUM(volume), 0e0) AS vwap,
    COUNT(*) AS trade_count,
    MIN(event_us) AS first_us,
    MAX(event_us) AS last_us
  FROM iceberg.ticks
  WHERE
    event_at >= $start AND event_at < $end
  GROUP BY
    symbol,
    DATE_TRUNC('MINUTE', event_at)
), s AS (
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
), compared AS (
  SELECT
    COALESCE(e.symbol, s.symbol) AS symbol,
    COALESCE(e.bucket_start, s.bucket_start) AS bucket_start,
    CASE
      WHEN s.symbol IS NULL
      THEN 'missing'
      WHEN e.symbol IS NULL
      THEN 'unexpected'
      WHEN e.trade_count IS DISTINCT FROM s.trade_count
      THEN 'trade_count'
      WHEN e.first_us IS DISTINCT FROM s.first_us
      THEN 'first_us'
      WHEN e.last_us IS DISTINCT FROM s.last_us
      THEN 'last_us'
      WHEN e.open IS DISTINCT FROM s.open
      THEN 'open'
      WHEN e.high IS DISTINCT FROM s.high
      THEN 'high'
      WHEN e.low IS DISTINCT FROM s.low
      THEN 'low'
      WHEN e.close IS DISTINCT FROM s.close
      THEN 'close'
      WHEN NOT COALESCE(
        ABS(e.volume - s.volume) <= 1e-9 * CASE
          WHEN ABS(e.volume) IS NULL OR ABS(s.volume) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(e.volume), ABS(s.volume))
        END,
        FALSE
      )
      THEN 'volume'
      WHEN NOT COALESCE(
        ABS(e.notional - s.notional) <= 1e-9 * CASE
          WHEN ABS(e.notional) IS NULL OR ABS(s.notional) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(e.notional), ABS(s.notional))
        END,
        FALSE
      )
      THEN 'notional'
      WHEN NOT COALESCE(
        ABS(e.vwap - s.vwap) <= 1e-9 * CASE
          WHEN ABS(e.vwap) IS NULL OR ABS(s.vwap) IS NULL
          THEN NULL
          ELSE GREATEST(ABS(e.vwap), ABS(s.vwap))
        END,
        e.vwap IS NULL AND s.vwap IS NULL
      )
      THEN 'vwap'
    END AS difference,
    e.trade_count AS expected_trade_count,
    s.trade_count AS stored_trade_count,
    e.open AS expected_open,
    s.open AS stored_open,
    e.close AS expected_close,
    s.close AS stored_close,
    e.volume AS expected_volume,
    s.volume AS stored_volume
  FROM e
  FULL JOIN s
    ON e.symbol = s.symbol AND e.bucket_start = s.bucket_start
)
SELECT
  symbol,
  bucket_start,
  difference,
  expected_trade_count,
  stored_trade_count,
  expected_open,
  stored_open,
  expected_close,
  stored_close,
  expected_volume,
  stored_volume
FROM compared
WHERE
  NOT difference IS NULL
ORDER BY
  bucket_start,
  symbol
