SELECT
  DATE_TRUNC('HOUR', event_at) AS hour,
  COUNT(*) AS ticks,
  COUNT(CASE WHEN sent_ts - event_us > $lateness_seconds * 1e6 THEN 1 END) AS late_ticks,
  AVG(sent_ts - event_us) / 1e6 AS mean_seconds,
  MAX(sent_ts - event_us) / 1e6 AS max_seconds
FROM iceberg.ticks
WHERE
  event_at >= $start AND event_at < $end
GROUP BY
  DATE_TRUNC('HOUR', event_at)
ORDER BY
  hour
