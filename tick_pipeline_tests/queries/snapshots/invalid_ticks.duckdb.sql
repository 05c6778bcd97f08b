SELECT
  broken_rule AS rule,
  COUNT(*) AS invalid_rows,
  MIN(event_us) AS first_us,
  MAX(event_us) AS last_us
FROM iceberg.received
WHERE
  event_at >= $start AND event_at < $end AND NOT broken_rule IS NULL
GROUP BY
  broken_rule
ORDER BY
  broken_rule
