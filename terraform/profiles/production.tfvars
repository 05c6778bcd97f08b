# Ticks that matter: nothing is lost by a destroy, everything is watched. Read it line by line before the first apply; it
# wins over terraform.tfvars, where your region stays.

environment        = "production"
monthly_budget_usd = 1000 # the streaming job alone is about $640 a month when it never rests

# CHANGE THIS to an address that somebody reads. AWS asks it to confirm; until then only the budget reaches it.
alarm_email    = "data-oncall@example.com"
alarms_enabled = true

# A destroy stops at a bucket that holds anything. To give production up: README.md, "Teardown".
force_destroy           = false
noncurrent_version_days = 30
errors_retention_days   = 365

# Every record as it came, which nobody can delete: what both modes can be made from again. Firehose bills it once more.
raw_archive_enabled = true

# A key of its own for stream, bucket, results, topic and logs. If your organisation manages keys, name one:
kms_key_enabled = true
# kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# Seven days to mend a broken Firehose or job over a weekend and a holiday. Hours beyond 24 are billed.
stream_mode            = "ON_DEMAND" # a steady load is cheaper PROVISIONED, with stream_shards
stream_retention_hours = 168

# Candles are awaited hourly, so no FLEX: its runs may wait for capacity.
glue_worker_type            = "G.1X"
glue_max_workers            = 10
glue_flex_enabled           = false
glue_job_timeout_minutes    = 120
anomaly_stream_max_hours    = 167 # the most that Glue allows; the sensor starts it again
anomaly_stream_idle_minutes = 0   # a market that is closed sends nothing for days
glue_maintenance_window     = "Sun:5"

# Glue compacts, expires and cleans the Iceberg tables by itself (docs/decisions/0009).
iceberg_maintainer      = "table_optimizers"
snapshot_retention_days = 7

athena_results_retention_days = 30
log_retention_days            = 90

# Who may become whom. Without them any principal of the account to whom IAM grants sts:AssumeRole may.
# producer_principals = ["arn:aws:iam::111122223333:role/feed"]
# dagster_principals  = ["arn:aws:iam::111122223333:role/dagster-host"]
# analyst_principals  = ["arn:aws:iam::111122223333:role/analyst"]

# The policy that bounds every role, where your organisation asks for one:
# permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"

# Where Lake Formation guards the account's catalog:
# lake_formation_enabled = true

# For producers and Dagster in private subnets; each endpoint is billed by the hour and subnet.
# vpc_endpoints = {
#   vpc_id             = "vpc-0123456789abcdef0"
#   subnet_ids         = ["subnet-0123456789abcdef0"]
#   route_table_ids    = ["rtb-0123456789abcdef0"]
#   security_group_ids = ["sg-0123456789abcdef0"]
# }
