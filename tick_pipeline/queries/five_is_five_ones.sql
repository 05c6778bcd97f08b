-- The five-minute candles of [start, end) that are not what their one-minute candles give: no row means they
-- are. Sums and ratios are compared within 1e-9 relative, all else exactly. The window is of whole five minutes.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   |         | first bucket
--   end          | timestamp                   |         | end of the window, exclusive
-- columns
--   symbol, bucket_start: which candle
--   difference: missing (ones without a five), unexpected (a five without ones), or the first column that differs
--   expected_trade_count, stored_trade_count, expected_open, stored_open, expected_close, stored_close,
--   expected_volume, stored_volume
with ones as (
  select
    symbol,
    from_unixtime(floor(to_unixtime(bucket_start) / 300e0) * 300e0) as five,
    bucket_start, open, high, low, close, volume, notional, trade_count, first_us, last_us
  from storage_mode.aggregated_1m
  where bucket_start >= :start and bucket_start < :end
),
e as (
  select
    symbol,
    five as bucket_start,
    min_by(open, bucket_start) as open,
    max(high) as high,
    min(low) as low,
    max_by(close, bucket_start) as close,
    sum(volume) as volume,
    sum(notional) as notional,
    sum(notional) / nullif(sum(volume), 0e0) as vwap,
    sum(trade_count) as trade_count,
    min(first_us) as first_us,
    max(last_us) as last_us
  from ones
  group by symbol, five
),
s as (
  select symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us
  from storage_mode.aggregated_5m
  where bucket_start >= :start and bucket_start < :end
),
compared as (
  select
    coalesce(e.symbol, s.symbol) as symbol,
    coalesce(e.bucket_start, s.bucket_start) as bucket_start,
    case
      when s.symbol is null then 'missing'
      when e.symbol is null then 'unexpected'
      when e.trade_count is distinct from s.trade_count then 'trade_count'
      when e.first_us is distinct from s.first_us then 'first_us'
      when e.last_us is distinct from s.last_us then 'last_us'
      when e.open is distinct from s.open then 'open'
      when e.high is distinct from s.high then 'high'
      when e.low is distinct from s.low then 'low'
      when e.close is distinct from s.close then 'close'
      when not coalesce(abs(e.volume - s.volume) <= 1e-9 * greatest(abs(e.volume), abs(s.volume)), false)
        then 'volume'
      when not coalesce(abs(e.notional - s.notional) <= 1e-9 * greatest(abs(e.notional), abs(s.notional)), false)
        then 'notional'
      when not coalesce(
        abs(e.vwap - s.vwap) <= 1e-9 * greatest(abs(e.vwap), abs(s.vwap)),
        e.vwap is null and s.vwap is null
      ) then 'vwap'
    end as difference,
    e.trade_count as expected_trade_count, s.trade_count as stored_trade_count,
    e.open as expected_open, s.open as stored_open,
    e.close as expected_close, s.close as stored_close,
    e.volume as expected_volume, s.volume as stored_volume
  from e
  full join s on e.symbol = s.symbol and e.bucket_start = s.bucket_start
)
select
  symbol, bucket_start, difference, expected_trade_count, stored_trade_count, expected_open, stored_open,
  expected_close, stored_close, expected_volume, stored_volume
from compared
where difference is not null
order by bucket_start, symbol
