-- The candles of [start, end) that differ between the storage modes: no row means they agree. Times, prices
-- and counts must be the same, sums and ratios within 1e-9 relative.
--
-- parameters
--   timeframe | 1m, 5m    | 1m | which candles
--   start     | timestamp |    | first bucket
--   end       | timestamp |    | end of the window, exclusive
-- columns
--   symbol, bucket_start: which candle
--   difference: only_iceberg, only_parquet, or the first column that differs
--   iceberg_trade_count, parquet_trade_count, iceberg_close, parquet_close, iceberg_volume, parquet_volume
with a as (
  select symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us
  from iceberg.aggregated_timeframe
  where bucket_start >= :start and bucket_start < :end
),
b as (
  select symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us
  from parquet_projection.aggregated_timeframe
  where bucket_start >= :start and bucket_start < :end
),
compared as (
  select
    coalesce(a.symbol, b.symbol) as symbol,
    coalesce(a.bucket_start, b.bucket_start) as bucket_start,
    case
      when b.symbol is null then 'only_iceberg'
      when a.symbol is null then 'only_parquet'
      when a.trade_count is distinct from b.trade_count then 'trade_count'
      when a.first_us is distinct from b.first_us then 'first_us'
      when a.last_us is distinct from b.last_us then 'last_us'
      when a.open is distinct from b.open then 'open'
      when a.high is distinct from b.high then 'high'
      when a.low is distinct from b.low then 'low'
      when a.close is distinct from b.close then 'close'
      when not coalesce(abs(a.volume - b.volume) <= 1e-9 * greatest(abs(a.volume), abs(b.volume)), false)
        then 'volume'
      when not coalesce(abs(a.notional - b.notional) <= 1e-9 * greatest(abs(a.notional), abs(b.notional)), false)
        then 'notional'
      when not coalesce(
        abs(a.vwap - b.vwap) <= 1e-9 * greatest(abs(a.vwap), abs(b.vwap)),
        a.vwap is null and b.vwap is null
      ) then 'vwap'
    end as difference,
    a.trade_count as iceberg_trade_count, b.trade_count as parquet_trade_count,
    a.close as iceberg_close, b.close as parquet_close,
    a.volume as iceberg_volume, b.volume as parquet_volume
  from a
  full join b on a.symbol = b.symbol and a.bucket_start = b.bucket_start
)
select
  symbol, bucket_start, difference, iceberg_trade_count, parquet_trade_count,
  iceberg_close, parquet_close, iceberg_volume, parquet_volume
from compared
where difference is not null
order by bucket_start, symbol
