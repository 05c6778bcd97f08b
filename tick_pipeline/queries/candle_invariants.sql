-- The candles of [start, end) that break a rule which every candle meets, whatever its ticks: no row means that
-- none does. A candle without a bucket_start is in no window.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   timeframe    | 1m, 5m                      | 1m      | which candles
--   start        | timestamp                   |         | first bucket
--   end          | timestamp                   |         | end of the window, exclusive
-- columns
--   symbol, bucket_start: which candle
--   broken: the first that is so of
--     not_unique: another row has the same symbol and bucket_start
--     null, not_finite: a column that must have a value has none, or a number is NaN or infinite
--     misaligned: bucket_start is no multiple of the timeframe since the epoch
--     first_us_outside, last_us_outside: outside [bucket_start, bucket_start + timeframe)
--     first_us_after_last_us, no_trades: trade_count below 1
--     low_above_high, open_outside, close_outside: of [low, high]
--     negative_volume, notional_sign: not above 0 exactly where volume is
--     vwap_missing, vwap_without_volume, vwap_outside: of [low, high] by more than 1e-9 relative
--   open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us: as stored
with width_1m as (
  select 60e0 as seconds
),
width_5m as (
  select 300e0 as seconds
),
stored as (
  select
    symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us,
    to_unixtime(bucket_start) as start_seconds,
    count(*) over (partition by symbol, bucket_start) as copies
  from storage_mode.aggregated_timeframe
  where bucket_start >= :start and bucket_start < :end
),
judged as (
  select
    symbol, bucket_start, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us,
    case
      when copies > 1 then 'not_unique'
      when symbol is null or open is null or high is null or low is null or close is null or volume is null
        or notional is null or trade_count is null or first_us is null or last_us is null then 'null'
      when not (
        is_finite(open) and is_finite(high) and is_finite(low) and is_finite(close) and is_finite(volume)
        and is_finite(notional) and coalesce(is_finite(vwap), true)
      ) then 'not_finite'
      when floor(start_seconds / seconds) * seconds <> start_seconds then 'misaligned'
      when first_us < start_seconds * 1e6 or first_us >= (start_seconds + seconds) * 1e6 then 'first_us_outside'
      when last_us < start_seconds * 1e6 or last_us >= (start_seconds + seconds) * 1e6 then 'last_us_outside'
      when first_us > last_us then 'first_us_after_last_us'
      when trade_count < 1 then 'no_trades'
      when low > high then 'low_above_high'
      when open < low or open > high then 'open_outside'
      when close < low or close > high then 'close_outside'
      when volume < 0e0 then 'negative_volume'
      when notional < 0e0 or (notional > 0e0) <> (volume > 0e0) then 'notional_sign'
      when vwap is null and volume > 0e0 then 'vwap_missing'
      when vwap is not null and volume = 0e0 then 'vwap_without_volume'
      when vwap < low - 1e-9 * abs(low) or vwap > high + 1e-9 * abs(high) then 'vwap_outside'
    end as broken
  from stored
  cross join width_timeframe
)
select
  symbol, bucket_start, broken, open, high, low, close, volume, notional, vwap, trade_count, first_us, last_us
from judged
where broken is not null
order by bucket_start, symbol
