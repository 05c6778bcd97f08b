SELECT
  DATE_TRUNC('MINUTE', event_at) AS minute,
  COUNT(*) AS raw_rows,
  COUNT(CASE WHEN NOT broken_rule IS NULL THEN 1 END) AS invalid_rows,
  COUNT(CASE WHEN sent_ts - event_us > $lateness_seconds * 1e6 THEN 1 END) AS late_rows,
  MAX(sent_ts - event_us) / 1e6 AS max_lateness_seconds
FROM iceberg.received
WHERE
  event_at >= $start AND event_at < $end
GROUP BY
  DATE_TRUNC('MINUTE', event_at)
ORDER BY
  minute
