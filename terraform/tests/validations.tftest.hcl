# A refusal for every rule: one run for each validation and each precondition, with a value that somebody might well
# give, and at the end the outermost values that must pass. The preconditions of the lifecycle rules and of the alarms
# guard what is written here, not what is given; tests/mutations breaks those.
#
# tests/variables is variables.tf alone (a link), so that a refusal need not wait for a plan of everything.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

# What everything is called

run "region_is_a_zone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    region = "us-east-1a"
  }

  expect_failures = [var.region]
}

run "project_begins_with_a_digit" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    project = "1st-pipeline"
  }

  expect_failures = [var.project]
}

run "environment_is_abbreviated" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    environment = "prod"
  }

  expect_failures = [var.environment]
}

run "owner_has_characters_that_no_tag_takes" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    owner = "data, engineering"
  }

  expect_failures = [var.owner]
}

run "storage_mode_is_unknown" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    storage_modes = ["iceberg", "delta"]
  }

  expect_failures = [var.storage_modes]
}

run "partitions_start_is_within_an_hour" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    partitions_start = "2026-01-01T00:30:00Z"
  }

  expect_failures = [var.partitions_start]
}

run "projection_years_are_too_many" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    projection_years = 50
  }

  expect_failures = [var.projection_years]
}

# Bucket

run "bucket_name_has_dots" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    s3_bucket_name = "ticks.example.com"
  }

  expect_failures = [var.s3_bucket_name]
}

run "errors_are_kept_for_a_day" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    errors_retention_days = 1
  }

  expect_failures = [var.errors_retention_days]
}

run "results_are_kept_for_no_day" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    athena_results_retention_days = 0
  }

  expect_failures = [var.athena_results_retention_days]
}

run "noncurrent_versions_are_kept_for_half_a_day" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    noncurrent_version_days = 1.5
  }

  expect_failures = [var.noncurrent_version_days]
}

run "key_is_an_alias" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/lake"
  }

  expect_failures = [var.kms_key_arn]
}

# Stream and Firehose

run "stream_mode_is_in_lower_case" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    stream_mode = "on_demand"
  }

  expect_failures = [var.stream_mode]
}

run "stream_has_no_shard" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    stream_mode   = "PROVISIONED"
    stream_shards = 0
  }

  expect_failures = [var.stream_shards]
}

run "stream_keeps_records_for_an_hour" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    stream_retention_hours = 1
  }

  expect_failures = [var.stream_retention_hours]
}

run "shards_of_an_on_demand_stream" {
  command = plan

  variables {
    stream_shards = 4
  }

  expect_failures = [aws_kinesis_stream.ticks]
}

run "provisioned_stream_without_shards" {
  command = plan

  variables {
    stream_mode = "PROVISIONED"
  }

  expect_failures = [aws_kinesis_stream.ticks]
}

run "buffer_is_shorter_than_dynamic_partitioning_takes" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    firehose_buffer_seconds = 30
  }

  expect_failures = [var.firehose_buffer_seconds]
}

run "buffer_is_smaller_than_conversion_takes" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    firehose_buffer_mib = 5
  }

  expect_failures = [var.firehose_buffer_mib]
}

# Spark on Glue

run "glue_version_is_old" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    glue_version = "4.0"
  }

  expect_failures = [var.glue_version]
}

run "worker_type_is_of_python_shell_jobs" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    glue_worker_type = "Standard"
  }

  expect_failures = [var.glue_worker_type]
}

run "driver_has_no_worker_beside_it" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    glue_max_workers = 1
  }

  expect_failures = [var.glue_max_workers]
}

run "batch_job_never_ends" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    glue_job_timeout_minutes = 2880
  }

  expect_failures = [var.glue_job_timeout_minutes]
}

run "streaming_job_runs_longer_than_a_week" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    anomaly_stream_max_hours = 168
  }

  expect_failures = [var.anomaly_stream_max_hours]
}

run "idle_minutes_are_negative" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    anomaly_stream_idle_minutes = -1
  }

  expect_failures = [var.anomaly_stream_idle_minutes]
}

run "maintenance_window_is_at_24" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    glue_maintenance_window = "Sun:24"
  }

  expect_failures = [var.glue_maintenance_window]
}

run "flexible_streaming_job" {
  command = plan

  module {
    source = "./modules/glue-job"
  }

  variables {
    name        = "some-job"
    description = "some job"
    role_arn    = "arn:aws:iam::123456789012:role/some-job"
    script      = "s3://bucket/script.py"
    streaming   = true
    defaults = {
      glue_version      = "5.1"
      wheel             = "s3://bucket/package.whl"
      spark_conf        = "a=b"
      spark_ui_location = "s3://bucket/spark-ui/"
      temporary         = "s3://bucket/temporary/"
    }
    worker_type         = "G.1X"
    max_workers         = 2
    flex                = true
    timeout_minutes     = 60
    max_concurrent_runs = 1
    log_retention_days  = 7
  }

  expect_failures = [aws_glue_job.this]
}

run "batch_job_without_a_timeout" {
  command = plan

  module {
    source = "./modules/glue-job"
  }

  variables {
    name        = "some-job"
    description = "some job"
    role_arn    = "arn:aws:iam::123456789012:role/some-job"
    script      = "s3://bucket/script.py"
    defaults = {
      glue_version      = "5.1"
      wheel             = "s3://bucket/package.whl"
      spark_conf        = "a=b"
      spark_ui_location = "s3://bucket/spark-ui/"
      temporary         = "s3://bucket/temporary/"
    }
    worker_type         = "G.1X"
    max_workers         = 2
    flex                = false
    timeout_minutes     = 0
    max_concurrent_runs = 1
    log_retention_days  = 7
  }

  expect_failures = [aws_glue_job.this]
}

run "batch_job_with_a_maintenance_window" {
  command = plan

  module {
    source = "./modules/glue-job"
  }

  variables {
    name        = "some-job"
    description = "some job"
    role_arn    = "arn:aws:iam::123456789012:role/some-job"
    script      = "s3://bucket/script.py"
    defaults = {
      glue_version      = "5.1"
      wheel             = "s3://bucket/package.whl"
      spark_conf        = "a=b"
      spark_ui_location = "s3://bucket/spark-ui/"
      temporary         = "s3://bucket/temporary/"
    }
    worker_type         = "G.1X"
    max_workers         = 2
    flex                = false
    timeout_minutes     = 60
    maintenance_window  = "Sun:5"
    max_concurrent_runs = 1
    log_retention_days  = 7
  }

  expect_failures = [aws_glue_job.this]
}

# Iceberg and Athena

run "maintainer_is_unknown" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    iceberg_maintainer = "none"
  }

  expect_failures = [var.iceberg_maintainer]
}

run "snapshots_are_kept_for_ever" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    snapshot_retention_days = 3650
  }

  expect_failures = [var.snapshot_retention_days]
}

run "workgroup_of_dagster_is_missing" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    athena_workgroups = {
      analysts = { description = "People at work", scan_limit_gib = 20 }
    }
  }

  expect_failures = [var.athena_workgroups]
}

run "workgroup_has_no_limit" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    athena_workgroups = {
      jobs = { description = "Dagster's checks and reports", scan_limit_gib = 0 }
    }
  }

  expect_failures = [var.athena_workgroups]
}

# Access

run "producer_is_everyone" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    producer_principals = ["*"]
  }

  expect_failures = [var.producer_principals]
}

run "dagster_is_an_account_number" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    dagster_principals = ["123456789012"]
  }

  expect_failures = [var.dagster_principals]
}

run "analyst_is_a_user_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    analyst_principals = ["ann"]
  }

  expect_failures = [var.analyst_principals]
}

run "boundary_is_a_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "role_has_a_blank_in_its_name" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name        = "some role"
    description = "some role"
    trust       = { services = ["glue.amazonaws.com"] }
    policy      = "{}"
  }

  expect_failures = [var.name]
}

run "role_is_trusted_by_nobody" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name        = "some-role"
    description = "some role"
    trust       = {}
    policy      = "{}"
  }

  expect_failures = [var.trust]
}

run "role_is_trusted_by_everyone" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name        = "some-role"
    description = "some role"
    trust       = { principals = ["*"] }
    policy      = "{}"
  }

  expect_failures = [var.trust]
}

run "session_lasts_longer_than_iam_takes" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name              = "some-role"
    description       = "some role"
    trust             = { services = ["glue.amazonaws.com"] }
    policy            = "{}"
    max_session_hours = 24
  }

  expect_failures = [var.max_session_hours]
}

run "policy_is_longer_than_iam_takes" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name        = "some-role"
    description = "some role"
    trust       = { services = ["glue.amazonaws.com"] }
    policy = jsonencode({
      Version = "2012-10-17"
      Statement = [for number in range(200) : {
        Effect   = "Allow"
        Action   = ["kinesis:PutRecord"]
        Resource = ["arn:aws:kinesis:us-east-1:123456789012:stream/number-${number}"]
      }]
    })
  }

  expect_failures = [aws_iam_role_policy.this]
}

# Watching and network

run "logs_are_kept_for_a_fortnight_and_a_day" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    log_retention_days = 15
  }

  expect_failures = [var.log_retention_days]
}

run "alarm_email_is_a_name" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    alarm_email = "ann"
  }

  expect_failures = [var.alarm_email]
}

run "budget_is_negative" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    monthly_budget_usd = -1
  }

  expect_failures = [var.monthly_budget_usd]
}

run "endpoints_without_a_subnet" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    vpc_endpoints = {
      vpc_id             = "vpc-0123456789abcdef0"
      subnet_ids         = []
      route_table_ids    = ["rtb-0123456789abcdef0"]
      security_group_ids = ["sg-0123456789abcdef0"]
    }
  }

  expect_failures = [var.vpc_endpoints]
}

run "endpoints_without_a_route_table" {
  command = plan

  variables {
    vpc_endpoints = {
      vpc_id             = "vpc-0123456789abcdef0"
      subnet_ids         = ["subnet-0123456789abcdef0"]
      route_table_ids    = []
      security_group_ids = ["sg-0123456789abcdef0"]
    }
  }

  expect_failures = [aws_vpc_endpoint.s3]
}

# What must pass

run "least_values" {
  command = plan

  variables {
    region                        = "eu-west-1"
    project                       = "abc"
    owner                         = "a"
    partitions_start              = "2000-01-01T00:00:00Z"
    projection_years              = 1
    s3_bucket_name                = "abc"
    errors_retention_days         = 7
    athena_results_retention_days = 1
    noncurrent_version_days       = 1
    stream_mode                   = "PROVISIONED"
    stream_shards                 = 1
    stream_retention_hours        = 24
    firehose_buffer_seconds       = 60
    firehose_buffer_mib           = 64
    glue_version                  = "5.0"
    glue_max_workers              = 2
    glue_job_timeout_minutes      = 5
    anomaly_stream_max_hours      = 1
    anomaly_stream_idle_minutes   = 0
    glue_maintenance_window       = "Mon:0"
    snapshot_retention_days       = 1
    athena_workgroups             = { jobs = { description = "Dagster's", scan_limit_gib = 1 } }
    log_retention_days            = 1
    monthly_budget_usd            = 0
  }

  assert {
    condition     = aws_kinesis_stream.ticks.shard_count == 1
    error_message = "A provisioned stream of one shard has ${jsonencode(aws_kinesis_stream.ticks.shard_count)} shards."
  }
}

run "greatest_values" {
  command = plan

  variables {
    region                        = "us-gov-west-1"
    project                       = "a23456789-123456789-1234"
    environment                   = "production"
    owner                         = "Data Engineering: ann@example.com"
    partitions_start              = "2079-12-31T23:00:00Z"
    projection_years              = 20
    s3_bucket_name                = "a23456789-123456789-123456789-123456789-123456789-123456789-123"
    errors_retention_days         = 3650
    athena_results_retention_days = 365
    noncurrent_version_days       = 365
    kms_key_arn                   = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    stream_mode                   = "PROVISIONED"
    stream_shards                 = 500
    stream_retention_hours        = 8760
    firehose_buffer_seconds       = 900
    firehose_buffer_mib           = 128
    glue_worker_type              = "G.8X"
    glue_max_workers              = 100
    glue_job_timeout_minutes      = 1440
    anomaly_stream_max_hours      = 167
    anomaly_stream_idle_minutes   = 1440
    glue_maintenance_window       = "Sat:23"
    snapshot_retention_days       = 365
    athena_workgroups             = { jobs = { description = "Dagster's", scan_limit_gib = 7168 } }
    producer_principals           = ["arn:aws-us-gov:iam::111122223333:role/feed"]
    dagster_principals            = ["arn:aws-us-gov:iam::111122223333:user/dagster"]
    analyst_principals            = ["arn:aws-us-gov:iam::111122223333:root"]
    permissions_boundary_arn      = "arn:aws-us-gov:iam::aws:policy/PowerUserAccess"
    log_retention_days            = 3653
    alarm_email                   = "market.data+alarms@example.co.uk"
    monthly_budget_usd            = 1000000
    raw_archive_enabled           = true
    lake_formation_enabled        = true
    enhanced_fan_out_enabled      = true
    vpc_endpoints = {
      vpc_id             = "vpc-0123456789abcdef0"
      subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
      route_table_ids    = ["rtb-0123456789abcdef0"]
      security_group_ids = ["sg-0123456789abcdef0"]
    }
  }

  assert {
    condition     = aws_glue_catalog_table.parquet_projection["raw"].parameters["projection.year.range"] == "2079,2098"
    error_message = "Twenty years from 2079 on are projected as ${aws_glue_catalog_table.parquet_projection["raw"].parameters["projection.year.range"]}."
  }
}
