-- Valid rows of raw in [start, end) that are copies of one tick (the same event_id, symbol and event time): how
-- many, how many of those ticks have copies that differ in content, and which ids name more than one tick.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first event time
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   valid_rows, ticks: rows that meet every rule, and different ticks among them
--   duplicates: valid_rows - ticks
--   conflicting: ticks whose copies differ in source, sequence, price, volume or sent_ts
--   reused_ids: event_ids that stand for more than one tick
with keys as (
  select
    event_id, symbol, event_us,
    count(*) as copies,
    min(source) <> max(source)
      or min(sequence) <> max(sequence)
      or min(price) <> max(price)
      or min(volume) <> max(volume)
      or min(sent_ts) <> max(sent_ts) as differs
  from storage_mode.received
  where event_at >= :start and event_at < :end and broken_rule is null
  group by event_id, symbol, event_us
),
ids as (
  select event_id, sum(copies) as valid_rows, count(*) as ticks, count_if(differs) as conflicting
  from keys
  group by event_id
)
select
  coalesce(sum(valid_rows), 0) as valid_rows,
  coalesce(sum(ticks), 0) as ticks,
  coalesce(sum(valid_rows) - sum(ticks), 0) as duplicates,
  coalesce(sum(conflicting), 0) as conflicting,
  count_if(ticks > 1) as reused_ids
from ids
