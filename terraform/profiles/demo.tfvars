# Three hours of trying it out, then `make tf-destroy PROFILE=demo`: the least money, and nothing that a destroy leaves.
# What it costs, station by station: README.md, "Cost". It wins over terraform.tfvars; your region stays there.

environment        = "dev"
monthly_budget_usd = 10 # counts only once the tag `project` is a cost allocation tag

# A destroy takes the bucket with every tick in it. Without this it stops at the first object.
force_destroy                 = true
noncurrent_version_days       = 1
errors_retention_days         = 7
athena_results_retention_days = 1

# One shard is $0.015 an hour and $0.014 for a million ticks: $0.054 for 648,000 ticks in three hours. On demand would be
# $0.04 an hour, $0.08 a GB in (each tick counts as 1 KB) and $0.04 a GB out: $0.19. A shard takes 1,000 ticks a second,
# the demo sends 60; for a replay at full speed take more shards, or ON_DEMAND.
stream_mode            = "PROVISIONED"
stream_shards          = 1
stream_retention_hours = 24 # more is billed

# The least number of workers: a driver and one beside it. FLEX is a third cheaper, which is cents on runs of minutes, and
# may let each of them wait for capacity.
glue_worker_type         = "G.1X"
glue_max_workers         = 2
glue_flex_enabled        = false
glue_job_timeout_minutes = 15 # so that a run which hangs costs $0.22 at most

# The streaming job is $0.88 an hour, the dearest station: it ends after one, or earlier when no tick comes.
anomaly_stream_max_hours    = 1
anomaly_stream_idle_minutes = 10

# Twelve optimizers would be billed, and a few hours of files need no upkeep: none are made.
iceberg_maintainer = "table_maintenance"

# A query that would scan more is wrong here.
athena_workgroups = {
  jobs        = { description = "Dagster's checks and reports", scan_limit_gib = 5 }
  analysts    = { description = "People at work", scan_limit_gib = 2 }
  experiments = { description = "Comparing the storage modes", scan_limit_gib = 5 }
}

kms_key_enabled     = false # a key is $1 a month, and waits 30 days for its deletion
raw_archive_enabled = false
alarms_enabled      = false
log_retention_days  = 3
