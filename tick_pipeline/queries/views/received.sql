-- The view `received`: every row of raw as it landed, in one shape for both storage modes: copies are in it,
-- and invalid rows, with the first rule that each breaks (null for a valid row).
select
  event_id, source, sequence, symbol, price, volume,
  {event_us} as event_us, {event_at} as event_at,
  event_time, sent_ts,
  {broken_rule} as broken_rule,
  {year} as year, {month} as month, {day} as day, {hour} as hour
from {storage_mode}.raw
