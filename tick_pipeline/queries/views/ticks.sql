-- The view `ticks`: valid ticks of one storage mode, each once: of rows with the same event_id, symbol and
-- event time the first of the total order. The names in braces are filled by views.py: closed texts, one
-- set for each storage mode and engine. The window is partitioned by the hour's keys too, so that a filter
-- on them, or on the time, reaches the scan below it.
select
  {columns},
  {year} as year, {month} as month, {day} as day, {hour} as hour
from (
  select
    *,
    row_number() over (
      partition by {key}
      order by sequence, price, volume, sent_ts, source
    ) as copy
  from {storage_mode}.raw
  where {valid}
)
where copy = 1
