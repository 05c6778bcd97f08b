# All that can be switched on, at once: whatever policy there can be is in this plan.

storage_modes            = ["iceberg", "parquet_projection"]
iceberg_maintainer       = "table_optimizers"
raw_archive_enabled      = true
kms_key_enabled          = true
enhanced_fan_out_enabled = true
lake_formation_enabled   = true
alarms_enabled           = true
alarm_email              = "ann@example.com"
monthly_budget_usd       = 100
producer_principals      = ["arn:aws:iam::111122223333:role/feed"]
dagster_principals       = ["arn:aws:iam::123456789012:role/dagster-host"]
analyst_principals       = ["arn:aws:iam::123456789012:role/analyst"]
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
vpc_endpoints = {
  vpc_id             = "vpc-0123456789abcdef0"
  subnet_ids         = ["subnet-0123456789abcdef0"]
  route_table_ids    = ["rtb-0123456789abcdef0"]
  security_group_ids = ["sg-0123456789abcdef0"]
}
