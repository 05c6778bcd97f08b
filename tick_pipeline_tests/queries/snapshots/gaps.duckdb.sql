WITH numbers AS (
  SELECT
    source,
    symbol,
    sequence,
    event_us,
    LAG(sequence) OVER (PARTITION BY source, symbol ORDER BY sequence, event_us) AS previous,
    LAG(event_us) OVER (PARTITION BY source, symbol ORDER BY sequence, event_us) AS previous_us
  FROM iceberg.received
  WHERE
    event_at >= $start
    AND event_at < $end
    AND NOT source IS NULL
    AND NOT symbol IS NULL
    AND sequence >= 1
    AND COALESCE(broken_rule, 'none') <> 'symbol_pattern'
)
SELECT
  source,
  symbol,
  previous + 1 AS first_missing,
  sequence - 1 AS last_missing,
  sequence - previous - 1 AS missing,
  previous_us AS after_us,
  event_us AS before_us
FROM numbers
WHERE
  sequence - previous > 1
ORDER BY
  source,
  symbol,
  first_missing
