select
  event_id, source, sequence, symbol, price, volume,
  cast(to_unixtime(date_trunc('second', event_ts)) as bigint) * 1000000 + cast(substr(cast(cast(event_ts at time zone 'UTC' as timestamp(6)) as varchar), 21, 6) as bigint) as event_us, event_ts as event_at,
  event_time, sent_ts,
  date_format(event_ts at time zone 'UTC', '%Y') as year, date_format(event_ts at time zone 'UTC', '%m') as month, date_format(event_ts at time zone 'UTC', '%d') as day, date_format(event_ts at time zone 'UTC', '%H') as hour
from (
  select
    *,
    row_number() over (
      partition by event_ts, symbol, event_id
      order by sequence, price, volume, sent_ts, source
    ) as copy
  from iceberg.raw
  where coalesce(event_id is not null and length(event_id) >= 1 and source is not null and length(source) >= 1 and sequence is not null and sequence >= 1 and symbol is not null and regexp_like(symbol, '^[A-Za-z0-9./_-]{1,32}\z') and price is not null and abs(price) <= 1.7976931348623157E308 and price > 0 and volume is not null and abs(volume) <= 1.7976931348623157E308 and volume >= 0 and (cast(to_unixtime(date_trunc('second', event_ts)) as bigint) * 1000000 + cast(substr(cast(cast(event_ts at time zone 'UTC' as timestamp(6)) as varchar), 21, 6) as bigint)) is not null and event_time is not null and event_time = date_format(from_unixtime(floor(((cast(to_unixtime(date_trunc('second', event_ts)) as bigint) * 1000000 + cast(substr(cast(cast(event_ts at time zone 'UTC' as timestamp(6)) as varchar), 21, 6) as bigint))) / 1e6)) at time zone 'UTC', '%Y-%m-%dT%H:%i:%s.') || lpad(cast(((cast(to_unixtime(date_trunc('second', event_ts)) as bigint) * 1000000 + cast(substr(cast(cast(event_ts at time zone 'UTC' as timestamp(6)) as varchar), 21, 6) as bigint))) % 1000000 as varchar), 6, '0') || 'Z' and sent_ts is not null, false)
)
where copy = 1
