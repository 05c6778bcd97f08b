WITH keys AS (
  SELECT
    event_id,
    symbol,
    event_us,
    COUNT(*) AS copies,
    MIN(source) <> MAX(source)
    OR MIN(sequence) <> MAX(sequence)
    OR MIN(price) <> MAX(price)
    OR MIN(volume) <> MAX(volume)
    OR MIN(sent_ts) <> MAX(sent_ts) AS differs
  FROM iceberg.received
  WHERE
    event_at >= $start AND event_at < $end AND broken_rule IS NULL
  GROUP BY
    event_id,
    symbol,
    event_us
), ids AS (
  SELECT
    event_id,
    SUM(copies) AS valid_rows,
    COUNT(*) AS ticks,
    COUNT(CASE WHEN differs THEN 1 END) AS conflicting
  FROM keys
  GROUP BY
    event_id
)
SELECT
  COALESCE(SUM(valid_rows), 0) AS valid_rows,
  COALESCE(SUM(ticks), 0) AS ticks,
  COALESCE(SUM(valid_rows) - SUM(ticks), 0) AS duplicates,
  COALESCE(SUM(conflicting), 0) AS conflicting,
  COUNT(CASE WHEN ticks > 1 THEN 1 END) AS reused_ids
FROM ids
