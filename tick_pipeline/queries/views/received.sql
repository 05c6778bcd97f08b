-- The view `received`: every row of raw as it landed, in one shape for both storage modes: copies are in it,
-- and invalid rows, with the first rule that each breaks (null for a valid row).
select
  {columns},
  {broken_rule} as broken_rule,
  {year} as year, {month} as month, {day} as day, {hour} as hour
from {storage_mode}.raw
