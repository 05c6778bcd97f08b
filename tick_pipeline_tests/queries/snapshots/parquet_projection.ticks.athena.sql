select
  event_id, source, sequence, symbol, price, volume,
  event_ts as event_us, cast(from_unixtime_nanos(event_ts * 1000) as timestamp(6) with time zone) as event_at,
  event_time, sent_ts,
  year as year, month as month, day as day, hour as hour
from (
  select
    *,
    row_number() over (
      partition by event_ts, symbol, event_id, year, month, day, hour
      order by sequence, price, volume, sent_ts, source
    ) as copy
  from parquet_projection.raw
  where coalesce(event_id is not null and length(event_id) >= 1 and source is not null and length(source) >= 1 and sequence is not null and sequence >= 1 and symbol is not null and regexp_like(symbol, '^[A-Za-z0-9./_-]{1,32}\z') and price is not null and abs(price) <= 1.7976931348623157E308 and price > 0 and volume is not null and abs(volume) <= 1.7976931348623157E308 and volume >= 0 and (event_ts) is not null and event_time is not null and event_time = date_format(from_unixtime(floor(((event_ts)) / 1e6)) at time zone 'UTC', '%Y-%m-%dT%H:%i:%s.') || lpad(cast(((event_ts)) % 1000000 as varchar), 6, '0') || 'Z' and sent_ts is not null, false)
)
where copy = 1
