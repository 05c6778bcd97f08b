-- Ranges of sequence numbers that did not land, per source and symbol, between two numbers of [start, end) that
-- did: the window's own edges show no gap. An invalid tick did land: its number is not missing, unless it is
-- the symbol that is wrong, for then nobody knows whose number it took.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first event time
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   source, symbol: who numbers
--   first_missing, last_missing: the range, inclusive
--   missing: how many numbers
--   after_us, before_us: event times of the ticks on its two sides, microseconds
with numbers as (
  select
    source, symbol, sequence, event_us,
    lag(sequence) over (partition by source, symbol order by sequence, event_us) as previous,
    lag(event_us) over (partition by source, symbol order by sequence, event_us) as previous_us
  from storage_mode.received
  where event_at >= :start and event_at < :end
    and source is not null and symbol is not null and sequence >= 1
    and coalesce(broken_rule, 'none') <> 'symbol_pattern'
)
select
  source,
  symbol,
  previous + 1 as first_missing,
  sequence - 1 as last_missing,
  sequence - previous - 1 as missing,
  previous_us as after_us,
  event_us as before_us
from numbers
where sequence - previous > 1
order by source, symbol, first_missing
