-- How the volume of each symbol spreads over the minutes of [start, end); a minute without a trade has no row.
--
-- parameters
--   storage_mode | iceberg, parquet_projection | enabled | whose tables
--   start        | timestamp                   | now-24h | first minute
--   end          | timestamp                   | now     | end of the window, exclusive
-- columns
--   symbol, minute, trade_count, volume, notional: of that minute
--   volume_share: part of the symbol's volume in the window, 0 to 1; null where that is 0
select
  symbol,
  bucket_start as minute,
  trade_count,
  volume,
  notional,
  volume / nullif(sum(volume) over (partition by symbol), 0e0) as volume_share
from storage_mode.aggregated_1m
where bucket_start >= :start and bucket_start < :end
order by symbol, bucket_start
