-- Rows of raw in [start, end) that break a rule of the contract, per rule (the first that each row breaks).
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first event time
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   rule: <field>_null or <field>_<rule>, as price_exclusive_minimum
--   invalid_rows: how many
--   first_us, last_us: their event times, microseconds
select
  broken_rule as rule,
  count(*) as invalid_rows,
  min(event_us) as first_us,
  max(event_us) as last_us
from storage_mode.received
where event_at >= :start and event_at < :end and broken_rule is not null
group by broken_rule
order by broken_rule
