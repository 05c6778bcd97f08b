# Every setting. Only the region has no default.

variable "region" {
  description = "AWS region of every resource, as `us-east-1`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[1-9]$", var.region))
    error_message = "region must be the code of an AWS region, as us-east-1 or eu-central-1; given: \"${var.region}\"."
  }
}

variable "project" {
  description = <<-TEXT
    Begins every name. The Glue databases are `<project>_iceberg` and `<project>_parquet_projection` (`-` becomes `_`),
    the bucket `<project>-<account>-<region>`. A second copy in one account and region needs another project.
    Changing it replaces everything, data too.
  TEXT
  type        = string
  default     = "tick-pipeline"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.project)) && !strcontains(var.project, "--")
    error_message = "project must be 3 to 24 characters of a-z, 0-9 and single -, begin with a letter and end with a letter or digit; given: \"${var.project}\"."
  }
}

variable "environment" {
  description = "What this copy is for; the tag `environment` of every resource."
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "test", "staging", "production"], var.environment)
    error_message = "environment must be one of dev, test, staging, production; given: \"${var.environment}\"."
  }
}

variable "owner" {
  description = "Who answers for the cost; the tag `owner` of every resource."
  type        = string
  default     = "data-engineering"
  nullable    = false

  validation {
    condition     = can(regex("^[\\w .:/=+@-]{1,128}$", var.owner))
    error_message = "owner must be 1 to 128 letters, digits, blanks or . : / = + - @ (a tag's value); given: \"${var.owner}\"."
  }
}

variable "storage_modes" {
  description = <<-TEXT
    Which storage modes are built: each has a Firehose, a database and four tables. Drop one once you have chosen; its
    tables go at the next apply, their files stay in the bucket. Firehose bills each mode for every record.
  TEXT
  type        = set(string)
  default     = ["iceberg", "parquet_projection"]
  nullable    = false

  validation {
    condition     = length(var.storage_modes) > 0 && length(setsubtract(var.storage_modes, ["iceberg", "parquet_projection"])) == 0
    error_message = "storage_modes must be one or both of iceberg, parquet_projection; given: ${jsonencode(var.storage_modes)}."
  }
}

variable "partitions_start" {
  description = <<-TEXT
    First hour of Dagster's partitions, a whole UTC hour. Its year is the first that Athena projects and that Firehose
    lets into the Parquet tables: a tick before it goes to the error prefix.
  TEXT
  type        = string
  default     = "2026-01-01T00:00:00Z"
  nullable    = false

  validation {
    condition     = can(regex("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z$", var.partitions_start)) && can(timeadd(var.partitions_start, "0s"))
    error_message = "partitions_start must be a whole UTC hour from 2000 on, as 2026-01-01T00:00:00Z; given: \"${var.partitions_start}\"."
  }
}

variable "projection_years" {
  description = <<-TEXT
    How many years Athena projects, from the year of partitions_start. A query without a filter on the time considers
    8,928 partitions a year, so keep it small; ticks after the last year go to the error prefix.
  TEXT
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.projection_years >= 1 && var.projection_years <= 20 && floor(var.projection_years) == var.projection_years
    error_message = "projection_years must be a whole number from 1 to 20; given: ${var.projection_years}."
  }
}

# Bucket

variable "s3_bucket_name" {
  description = <<-TEXT
    Name of a bucket that is there already. It is used as it is, never changed and never destroyed: set versioning,
    encryption, its policy and lifecycle yourself. Null: this configuration makes `<project>-<account>-<region>`, and
    a destroy takes it away.
  TEXT
  type        = string
  default     = null

  validation {
    condition     = var.s3_bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.s3_bucket_name))
    error_message = "s3_bucket_name must be 3 to 63 characters of a-z, 0-9 and -, without dots (they break TLS to the bucket's host name), or null; given: \"${coalesce(var.s3_bucket_name, "null")}\"."
  }
}

variable "force_destroy" {
  description = <<-TEXT
    Whether a destroy may delete the bucket and the workgroups with all they hold, every tick included. False: a destroy
    stops at a bucket that is not empty. It also lifts the archive's protection.
  TEXT
  type        = bool
  default     = false
  nullable    = false
}

variable "errors_retention_days" {
  description = "Days until error records expire. What is not redriven by then is lost."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.errors_retention_days >= 7 && var.errors_retention_days <= 3650 && floor(var.errors_retention_days) == var.errors_retention_days
    error_message = "errors_retention_days must be a whole number from 7 to 3650; given: ${var.errors_retention_days}."
  }
}

variable "athena_results_retention_days" {
  description = "Days until results of Athena's queries expire."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.athena_results_retention_days >= 1 && var.athena_results_retention_days <= 365 && floor(var.athena_results_retention_days) == var.athena_results_retention_days
    error_message = "athena_results_retention_days must be a whole number from 1 to 365; given: ${var.athena_results_retention_days}."
  }
}

variable "noncurrent_version_days" {
  description = <<-TEXT
    Days for which overwritten and deleted objects can be brought back. They are billed: an hour that is recomputed
    leaves its former files for so long.
  TEXT
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.noncurrent_version_days >= 1 && var.noncurrent_version_days <= 365 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days must be a whole number from 1 to 365; given: ${var.noncurrent_version_days}."
  }
}

variable "raw_archive_enabled" {
  description = <<-TEXT
    Whether a third Firehose keeps every record as it came, gzipped JSON by arrival date, which nobody can delete (see
    force_destroy). What to rebuild both modes from; Firehose bills every record once more.
  TEXT
  type        = bool
  default     = false
  nullable    = false
}

# Encryption

variable "kms_key_enabled" {
  description = <<-TEXT
    Whether data, results, topic and logs are encrypted with a customer managed key ($1 a month, and requests). False:
    the stream is encrypted with AWS's own key, the bucket with SSE-S3.
  TEXT
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of a key of yours, in place of a new one. Its policy must let the services in `kms.tf` use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (no alias), as arn:aws:kms:us-east-1:111122223333:key/1234abcd-..., or null; given: \"${coalesce(var.kms_key_arn, "null")}\"."
  }
}

# Stream

variable "stream_mode" {
  description = <<-TEXT
    ON_DEMAND scales by itself and bills an hour of stream ($0.04) and each GB; PROVISIONED bills shards ($0.015 an
    hour each), cheaper for a steady load, and throttles above 1 MB/s or 1,000 records/s a shard.
  TEXT
  type        = string
  default     = "ON_DEMAND"
  nullable    = false

  validation {
    condition     = contains(["ON_DEMAND", "PROVISIONED"], var.stream_mode)
    error_message = "stream_mode must be ON_DEMAND or PROVISIONED; given: \"${var.stream_mode}\"."
  }
}

variable "stream_shards" {
  description = "Shards of a PROVISIONED stream; null for ON_DEMAND."
  type        = number
  default     = null

  validation {
    condition     = var.stream_shards == null ? true : var.stream_shards >= 1 && var.stream_shards <= 500 && floor(var.stream_shards) == var.stream_shards
    error_message = "stream_shards must be a whole number from 1 to 500, or null; given: ${coalesce(var.stream_shards, 0)}."
  }
}

variable "stream_retention_hours" {
  description = <<-TEXT
    How long the stream keeps records: the time in which a broken Firehose or streaming job can be mended without loss.
    Beyond 24 it is billed by the shard or GB.
  TEXT
  type        = number
  default     = 24
  nullable    = false

  validation {
    condition     = var.stream_retention_hours >= 24 && var.stream_retention_hours <= 8760 && floor(var.stream_retention_hours) == var.stream_retention_hours
    error_message = "stream_retention_hours must be a whole number from 24 to 8760; given: ${var.stream_retention_hours}."
  }
}

variable "enhanced_fan_out_enabled" {
  description = <<-TEXT
    Whether a consumer with 2 MB/s a shard of its own is registered for the streaming job ($0.015 a shard and hour,
    whether it reads or not). The Firehoses share the shards' common 2 MB/s in any case.
  TEXT
  type        = bool
  default     = false
  nullable    = false
}

# Firehose

variable "firehose_buffer_seconds" {
  description = <<-TEXT
    Longest time that Firehose gathers records. Shorter: fresher tables, and more and smaller files to read and to
    compact. TICK_PIPELINE_CLOSE_AFTER_SECONDS must be at least twice this.
  TEXT
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.firehose_buffer_seconds >= 60 && var.firehose_buffer_seconds <= 900 && floor(var.firehose_buffer_seconds) == var.firehose_buffer_seconds
    error_message = "firehose_buffer_seconds must be a whole number from 60 (the least with dynamic partitioning) to 900; given: ${var.firehose_buffer_seconds}."
  }
}

variable "firehose_buffer_mib" {
  description = "Size at which Firehose writes before the time is over, for each active partition. Conversion to Parquet needs 64 at least."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.firehose_buffer_mib >= 64 && var.firehose_buffer_mib <= 128 && floor(var.firehose_buffer_mib) == var.firehose_buffer_mib
    error_message = "firehose_buffer_mib must be a whole number from 64 (the least with conversion to Parquet) to 128; given: ${var.firehose_buffer_mib}."
  }
}

# Spark on Glue

variable "glue_version" {
  description = "Release of Glue. 5.1 is what the lock file is pinned to (Spark 3.5.6, Python 3.11, Iceberg 1.10)."
  type        = string
  default     = "5.1"
  nullable    = false

  validation {
    condition     = contains(["5.0", "5.1"], var.glue_version)
    error_message = "glue_version must be 5.0 or 5.1: older releases lack Python 3.11 or Iceberg's hour transform as it is used here; given: \"${var.glue_version}\"."
  }
}

variable "glue_worker_type" {
  description = "Size of a worker of the batch jobs: G.1X has 4 vCPU and 16 GB ($0.44 an hour), G.2X twice that."
  type        = string
  default     = "G.1X"
  nullable    = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.glue_worker_type)
    error_message = "glue_worker_type must be one of G.1X, G.2X, G.4X, G.8X; given: \"${var.glue_worker_type}\"."
  }
}

variable "glue_max_workers" {
  description = "Most workers that auto-scaling gives a batch job; an hour of a few million ticks needs two."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.glue_max_workers >= 2 && var.glue_max_workers <= 100 && floor(var.glue_max_workers) == var.glue_max_workers
    error_message = "glue_max_workers must be a whole number from 2 to 100; given: ${var.glue_max_workers}."
  }
}

variable "glue_flex_enabled" {
  description = "Whether batch jobs run on spare capacity: a third cheaper, and they may start minutes late or be started anew."
  type        = bool
  default     = false
  nullable    = false
}

variable "glue_job_timeout_minutes" {
  description = "When a batch job is stopped: the most that a run can cost."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.glue_job_timeout_minutes >= 5 && var.glue_job_timeout_minutes <= 1440 && floor(var.glue_job_timeout_minutes) == var.glue_job_timeout_minutes
    error_message = "glue_job_timeout_minutes must be a whole number from 5 to 1440; given: ${var.glue_job_timeout_minutes}."
  }
}

variable "anomaly_stream_max_hours" {
  description = <<-TEXT
    Hours after which the streaming job ends by itself (two G.1X workers cost about $0.90 an hour, day and night); Glue
    stops what runs for seven days. The sensor anomaly_stream_watch starts it again where it is wanted.
  TEXT
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.anomaly_stream_max_hours >= 1 && var.anomaly_stream_max_hours <= 167 && floor(var.anomaly_stream_max_hours) == var.anomaly_stream_max_hours
    error_message = "anomaly_stream_max_hours must be a whole number from 1 to 167 (Glue stops what runs for seven days); given: ${var.anomaly_stream_max_hours}."
  }
}

variable "anomaly_stream_idle_minutes" {
  description = "Minutes without a record after which the streaming job ends by itself. 0: never."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.anomaly_stream_idle_minutes >= 0 && var.anomaly_stream_idle_minutes <= 1440 && floor(var.anomaly_stream_idle_minutes) == var.anomaly_stream_idle_minutes
    error_message = "anomaly_stream_idle_minutes must be a whole number from 1 to 1440, or 0 for never; given: ${var.anomaly_stream_idle_minutes}."
  }
}

variable "glue_maintenance_window" {
  description = <<-TEXT
    Day and hour (UTC) in which Glue may restart the streaming job for its own updates, as `Sun:5`. Glue asks for one on
    streaming jobs that run for more than seven days.
  TEXT
  type        = string
  default     = "Sun:5"
  nullable    = false

  validation {
    condition     = can(regex("^(Sun|Mon|Tue|Wed|Thu|Fri|Sat):([0-9]|1[0-9]|2[0-3])$", var.glue_maintenance_window))
    error_message = "glue_maintenance_window must be a day and an hour in UTC, as Sun:5; given: \"${var.glue_maintenance_window}\"."
  }
}

# Iceberg's upkeep

variable "iceberg_maintainer" {
  description = <<-TEXT
    The one who compacts files, expires snapshots and removes orphans: `table_optimizers`, Glue's own (billed by the
    DPU hour, run by themselves), or `table_maintenance`, the Dagster job. Two at once would work against each other.
  TEXT
  type        = string
  default     = "table_optimizers"
  nullable    = false

  validation {
    condition     = contains(["table_optimizers", "table_maintenance"], var.iceberg_maintainer)
    error_message = "iceberg_maintainer must be table_optimizers or table_maintenance; given: \"${var.iceberg_maintainer}\"."
  }
}

variable "snapshot_retention_days" {
  description = "Days for which an Iceberg table can be read as it was (time travel, rollback). Used by table_optimizers."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.snapshot_retention_days >= 1 && var.snapshot_retention_days <= 365 && floor(var.snapshot_retention_days) == var.snapshot_retention_days
    error_message = "snapshot_retention_days must be a whole number from 1 to 365; given: ${var.snapshot_retention_days}."
  }
}

# Athena

variable "athena_workgroups" {
  description = <<-TEXT
    Name -> what one query may scan, in GiB, before Athena cancels it ($5 a TB). `jobs` is Dagster's and must be there;
    `analysts` for people, `incident` without a tight limit, `experiments` for comparing the storage modes.
  TEXT
  type = map(object({
    description    = string
    scan_limit_gib = number
  }))
  default = {
    jobs        = { description = "Dagster's checks and reports", scan_limit_gib = 50 }
    analysts    = { description = "People at work", scan_limit_gib = 20 }
    incident    = { description = "When something is broken and a query must not fail for its size", scan_limit_gib = 1000 }
    experiments = { description = "Comparing the storage modes", scan_limit_gib = 100 }
  }
  nullable = false

  validation {
    condition     = contains(keys(var.athena_workgroups), "jobs")
    error_message = "athena_workgroups must have the workgroup jobs, Dagster's; given: ${join(", ", keys(var.athena_workgroups))}."
  }

  validation {
    condition     = alltrue([for group in values(var.athena_workgroups) : group.scan_limit_gib >= 1 && group.scan_limit_gib <= 7168])
    error_message = "athena_workgroups: each scan_limit_gib must be from 1 to 7168 (7 TB, Athena's most); given: ${join(", ", [for name, group in var.athena_workgroups : "${name} = ${group.scan_limit_gib}"])}."
  }
}

# Access

variable "producer_principals" {
  description = "ARNs that may assume the producer's role (put ticks, nothing else). Empty: principals of this account whom IAM allows."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.producer_principals : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "producer_principals must be ARNs of IAM principals, as arn:aws:iam::111122223333:role/feed; given: ${jsonencode(var.producer_principals)}."
  }
}

variable "dagster_principals" {
  description = "ARNs that may assume Dagster's role (start jobs, query, observe). Empty: principals of this account whom IAM allows."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.dagster_principals : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "dagster_principals must be ARNs of IAM principals, as arn:aws:iam::111122223333:role/dagster-host; given: ${jsonencode(var.dagster_principals)}."
  }
}

variable "analyst_principals" {
  description = "ARNs that may assume the analyst's role (read tables through Athena). Empty: principals of this account whom IAM allows."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.analyst_principals : can(regex("^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+$", arn))])
    error_message = "analyst_principals must be ARNs of IAM principals, as arn:aws:iam::111122223333:role/analyst; given: ${jsonencode(var.analyst_principals)}."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds every role made here, where your organisation asks for one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, as arn:aws:iam::111122223333:policy/boundary, or null; given: \"${coalesce(var.permissions_boundary_arn, "null")}\"."
  }
}

variable "lake_formation_enabled" {
  description = <<-TEXT
    Whether Lake Formation guards the databases in this account: then IAM is not enough, and each role gets its grants.
    You must be a data lake administrator to apply.
  TEXT
  type        = bool
  default     = false
  nullable    = false
}

# Watching

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs of Firehose and Glue ($0.03 a GB and month)."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653; given: ${var.log_retention_days}."
  }
}

variable "alarm_email" {
  description = "Address that alarms and the budget are sent to; AWS asks it to confirm. Null: they only show in the console and the topic."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alarm_email))
    error_message = "alarm_email must be an e-mail address, or null; given: \"${coalesce(var.alarm_email, "null")}\"."
  }
}

variable "alarms_enabled" {
  description = "Whether alarms are made ($0.10 each a month). The dashboard is made in any case."
  type        = bool
  default     = true
  nullable    = false
}

variable "monthly_budget_usd" {
  description = "Monthly budget of the tag project in US dollars; told at 80 % and when the forecast passes it. 0: none."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd >= 0 && var.monthly_budget_usd <= 1000000
    error_message = "monthly_budget_usd must be from 0 (no budget) to 1000000; given: ${var.monthly_budget_usd}."
  }
}

# Network

variable "vpc_endpoints" {
  description = <<-TEXT
    Where VPC endpoints are made, for producers and Dagster in private subnets: S3 by a gateway (free), Kinesis, Glue,
    Athena, Firehose, SNS, STS, logs and monitoring by interfaces ($0.01 an hour for each and each subnet). Null: none.
  TEXT
  type = object({
    vpc_id             = string
    subnet_ids         = set(string)
    route_table_ids    = set(string)
    security_group_ids = set(string)
  })
  default = null

  validation {
    condition = var.vpc_endpoints == null ? true : (
      can(regex("^vpc-[0-9a-f]+$", var.vpc_endpoints.vpc_id)) && length(var.vpc_endpoints.subnet_ids) > 0 && length(var.vpc_endpoints.security_group_ids) > 0
    )
    error_message = "vpc_endpoints must name a VPC (vpc-...), one subnet and one security group at least, or be null; given: ${jsonencode(var.vpc_endpoints)}."
  }
}
