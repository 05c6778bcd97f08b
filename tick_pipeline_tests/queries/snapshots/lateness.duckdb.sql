WITH measured AS (
  SELECT
    DATE_TRUNC('HOUR', event_at) AS hour,
    sent_ts,
    sent_ts - event_us AS late_us,
    sent_ts - event_us > $lateness_seconds * 1e6 AS is_late
  FROM iceberg.ticks
  WHERE
    event_at >= $start AND event_at < $end
), ranked AS (
  SELECT
    hour,
    sent_ts,
    late_us,
    is_late,
    ROW_NUMBER() OVER (PARTITION BY hour, is_late ORDER BY late_us) AS place,
    COUNT(*) OVER (PARTITION BY hour, is_late) AS places
  FROM measured
)
SELECT
  hour,
  COUNT(*) AS ticks,
  COUNT(CASE WHEN is_late THEN 1 END) AS late_ticks,
  COUNT(
    CASE
      WHEN is_late AND sent_ts >= (
        EPOCH(hour) + 3600 + $close_after_seconds
      ) * 1e6
      THEN 1
    END
  ) AS sent_after_close,
  MAX(CASE WHEN is_late AND place * 2 <= places + 1 THEN late_us END) / 1e6 AS late_p50_seconds,
  AVG(late_us) / 1e6 AS mean_seconds,
  MAX(late_us) / 1e6 AS max_seconds
FROM ranked
GROUP BY
  hour
ORDER BY
  hour
