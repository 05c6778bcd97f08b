select
  event_id, source, sequence, symbol, price, volume,
  epoch_us(event_ts) as event_us, event_ts as event_at,
  event_time, sent_ts,
  strftime(event_ts at time zone 'UTC', '%Y') as year, strftime(event_ts at time zone 'UTC', '%m') as month, strftime(event_ts at time zone 'UTC', '%d') as day, strftime(event_ts at time zone 'UTC', '%H') as hour
from (
  select
    *,
    row_number() over (
      partition by event_ts, symbol, event_id
      order by sequence, price, volume, sent_ts, source
    ) as copy
  from iceberg.raw
  where coalesce(event_id is not null and length(event_id) >= 1 and source is not null and length(source) >= 1 and sequence is not null and sequence >= 1 and symbol is not null and regexp_matches(symbol, '^[A-Za-z0-9./_-]{1,32}$') and price is not null and abs(price) <= 1.7976931348623157E308 and price > 0 and volume is not null and abs(volume) <= 1.7976931348623157E308 and volume >= 0 and (epoch_us(event_ts)) is not null and event_time is not null and event_time = strftime(make_timestamp((epoch_us(event_ts))), '%Y-%m-%dT%H:%M:%S.%fZ') and sent_ts is not null, false)
)
where copy = 1
