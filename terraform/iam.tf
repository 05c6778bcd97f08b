# The actors: each has one role, and may do here what is listed and nothing else. First where each may go in bucket and
# catalog; then, actor by actor, who may become it and what else it does. The statements' text is in iam_statements.tf.

locals {
  # Actor -> key prefixes it reads, writes and deletes below, tables it sees and tables it commits to.
  access = merge(
    {
      for mode in var.storage_modes : "firehose_${mode}" => {
        read  = [local.table_paths[mode].raw, local.error_prefixes[mode]]
        write = [local.table_paths[mode].raw, local.error_prefixes[mode]]
        # Of a commit that failed ("Grant Firehose access to an Apache Iceberg Tables destination").
        delete         = [for path in [local.table_paths[mode].raw] : path if mode == "iceberg"]
        spark          = false
        catalog_read   = ["${mode}.raw"]
        catalog_commit = [for name in ["${mode}.raw"] : name if mode == "iceberg"]
      }
    },
    {
      archive = {
        read           = [local.prefixes.archive]
        write          = [local.prefixes.archive]
        delete         = []
        spark          = false
        catalog_read   = []
        catalog_commit = []
      }
      glue_batch = {
        read           = concat(flatten([for paths in values(local.table_paths) : values(paths)]), [local.prefixes.artifacts, local.prefixes.temporary, local.prefixes.pipes])
        write          = concat(local.computed_paths, [local.prefixes.temporary, local.prefixes.spark_ui, local.prefixes.pipes])
        delete         = concat(local.computed_paths, [local.prefixes.temporary])
        spark          = true
        catalog_read   = flatten(values(local.stored_tables))
        catalog_commit = [for name in lookup(local.stored_tables, "iceberg", []) : name if name != "iceberg.raw"]
      }
      glue_stream = {
        read           = concat(local.anomaly_paths, [local.prefixes.artifacts, local.prefixes.temporary, local.prefixes.pipes, local.prefixes.checkpoints])
        write          = concat(local.anomaly_paths, [local.prefixes.temporary, local.prefixes.spark_ui, local.prefixes.pipes, local.prefixes.checkpoints])
        delete         = concat(local.anomaly_paths, [local.prefixes.temporary, local.prefixes.checkpoints])
        spark          = true
        catalog_read   = [for mode in var.storage_modes : "${mode}.anomalies"]
        catalog_commit = [for mode in var.storage_modes : "${mode}.anomalies" if mode == "iceberg"]
      }
      # Orphan files are found by listing and removed ("Table optimization prerequisites").
      optimizer = {
        read           = local.iceberg_paths
        write          = local.iceberg_paths
        delete         = local.iceberg_paths
        spark          = false
        catalog_read   = lookup(local.stored_tables, "iceberg", [])
        catalog_commit = lookup(local.stored_tables, "iceberg", [])
      }
      dagster = {
        # All of a mode: its four tables and its errors. In the checkpoints it tells the streaming job to stop, sees how
        # far it is, and removes them for a new beginning.
        read           = concat([for mode in var.storage_modes : "${local.prefixes.warehouse}/${mode}"], [local.prefixes.pipes, local.prefixes.checkpoints], local.query_results.dagster)
        write          = concat([local.prefixes.pipes, local.prefixes.checkpoints], local.query_results.dagster, local.maintained_paths)
        delete         = concat([local.prefixes.pipes, local.prefixes.checkpoints], local.maintained_paths)
        spark          = false
        catalog_read   = local.readable
        catalog_commit = local.maintains_tables ? lookup(local.stored_tables, "iceberg", []) : []
      }
      analyst = {
        read           = concat(flatten([for paths in values(local.table_paths) : values(paths)]), local.query_results.analyst)
        write          = local.query_results.analyst
        delete         = []
        spark          = false
        catalog_read   = local.readable
        catalog_commit = []
      }
    },
  )

  # What the batch jobs compute: everything but raw, which only Firehose writes.
  computed_paths = flatten([for paths in values(local.table_paths) : [for table, path in paths : path if table != "raw"]])
  anomaly_paths  = [for mode in var.storage_modes : local.table_paths[mode].anomalies]
  iceberg_paths  = contains(var.storage_modes, "iceberg") ? values(local.table_paths["iceberg"]) : []

  # Upkeep by Dagster's job: of the Parquet tables, which nobody else looks after, and of the Iceberg tables where
  # Glue's optimizers do not.
  maintains_tables = var.iceberg_maintainer == "table_maintenance" && contains(var.storage_modes, "iceberg")
  parquet_paths    = contains(var.storage_modes, "parquet_projection") ? values(local.table_paths["parquet_projection"]) : []
  maintained_paths = concat(local.maintains_tables ? local.iceberg_paths : [], local.parquet_paths)

  # Roles belong to the account, not to a region: the region in the name lets a copy stand in each.
  role_names = {
    for actor in concat(["producer"], keys(local.access)) :
    actor => "${var.project}-${replace(replace(actor, "_projection", ""), "_", "-")}-${var.region}"
  }
}

# Puts ticks into the stream and cannot read one back.
module "producer_role" {
  source = "./modules/actor"

  name                     = local.role_names["producer"]
  description              = "Puts ticks into ${local.stream_name}"
  trust                    = { principals = length(var.producer_principals) > 0 ? var.producer_principals : [local.account] }
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({ Version = "2012-10-17", Statement = local.put_ticks })
}

# Lands the stream in the raw table of its own mode.
module "firehose_role" {
  source   = "./modules/actor"
  for_each = var.storage_modes

  name                     = local.role_names["firehose_${each.key}"]
  description              = "Lands ${local.stream_name} in the raw table of ${each.key}"
  trust                    = local.trusts_firehose
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.read_stream, local.lake_statements["firehose_${each.key}"], [
      {
        # "Grant Firehose access to AWS Glue for data format conversion".
        Sid      = "ReadVersionsOfRaw"
        Effect   = "Allow"
        Action   = ["glue:GetTableVersion", "glue:GetTableVersions"]
        Resource = local.table_arns["${each.key}.raw"]
      },
      {
        Sid      = "LogDelivery"
        Effect   = "Allow"
        Action   = ["logs:PutLogEvents"]
        Resource = ["${local.log_arn}:/aws/kinesisfirehose/${local.firehose_names[each.key]}:log-stream:*"]
      },
    ])
  })
}

# Keeps every record as it came, and cannot delete what it kept.
module "archive_role" {
  source = "./modules/actor"
  count  = var.raw_archive_enabled ? 1 : 0

  name                     = local.role_names["archive"]
  description              = "Archives ${local.stream_name}"
  trust                    = local.trusts_firehose
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.read_stream, local.lake_statements["archive"], [{
      Sid      = "LogDelivery"
      Effect   = "Allow"
      Action   = ["logs:PutLogEvents"]
      Resource = ["${local.log_arn}:/aws/kinesisfirehose/${local.archive_name}:log-stream:*"]
    }])
  })
}

# Reads raw, computes the other tables.
module "glue_batch_role" {
  source = "./modules/actor"

  name                     = local.role_names["glue_batch"]
  description              = "Runs ${local.job_names.ohlc} and ${local.job_names.anomalies}"
  trust                    = local.trusts_glue
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.lake_statements["glue_batch"], local.put_metrics, [{
      Sid      = "LogRuns"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = concat(local.job_log_groups.ohlc, local.job_log_groups.anomalies)
    }])
  })
}

# Scores the stream as it comes; sees no table but anomalies.
module "glue_stream_role" {
  source = "./modules/actor"

  name                     = local.role_names["glue_stream"]
  description              = "Runs ${local.job_names.anomaly_stream}"
  trust                    = local.trusts_glue
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.read_stream, local.lake_statements["glue_stream"], local.put_metrics,
      [for arn in ["${local.stream_arn}/consumer/${local.job_names.anomaly_stream}:*"] : {
        # A consumer's ARN ends in the second it was registered.
        Sid      = "ReadByFanOut"
        Effect   = "Allow"
        Action   = ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"]
        Resource = [arn]
      } if var.enhanced_fan_out_enabled],
      [{
        Sid      = "LogRuns"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = local.job_log_groups.anomaly_stream
    }])
  })
}

# Compacts the Iceberg tables, expires their snapshots, removes their orphan files.
module "optimizer_role" {
  source = "./modules/actor"
  count  = var.iceberg_maintainer == "table_optimizers" && contains(var.storage_modes, "iceberg") ? 1 : 0

  name        = local.role_names["optimizer"]
  description = "Upkeep of the Iceberg tables by Glue's table optimizers"
  # Without a condition: "Table optimization prerequisites" names no key that optimizers send.
  trust                    = { services = ["glue.amazonaws.com"] }
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.lake_statements["optimizer"], [{
      Sid      = "LogUpkeep"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [for kind in ["compaction", "retention", "orphan-file-deletion"] : "${local.log_arn}:/aws-glue/iceberg-${kind}/logs:*"]
    }])
  })
}

# Starts the jobs and watches everything; writes no tick but those it redrives.
module "dagster_role" {
  source = "./modules/actor"

  name                     = local.role_names["dagster"]
  description              = "Orchestrates ${var.project}: jobs, queries, checks, redrive"
  trust                    = { principals = length(var.dagster_principals) > 0 ? var.dagster_principals : [local.account] }
  permissions_boundary_arn = var.permissions_boundary_arn

  policy = jsonencode({
    Version = "2012-10-17"
    # The stream is read for what a redrive that was killed had put.
    Statement = concat(local.lake_statements["dagster"], local.run_queries.dagster, local.put_ticks, local.read_stream, [
      {
        Sid      = "RunJobs"
        Effect   = "Allow"
        Action   = ["glue:GetJob", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun", "glue:BatchStopJobRun"]
        Resource = values(local.job_arns)
      },
      {
        Sid      = "ReadLogsOfJobs"
        Effect   = "Allow"
        Action   = ["logs:GetLogEvents", "logs:FilterLogEvents"]
        Resource = flatten(values(local.job_log_groups))
      },
      {
        Sid      = "SeeFirehoses"
        Effect   = "Allow"
        Action   = ["firehose:DescribeDeliveryStream"]
        Resource = [for name in values(local.firehose_names) : "arn:${local.partition}:firehose:${var.region}:${local.account_id}:deliverystream/${name}"]
      },
      {
        Sid      = "ReadMetricsNoNarrowerResource"
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData"]
        Resource = ["*"]
      },
      {
        Sid      = "Notify"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = ["arn:${local.partition}:sns:${var.region}:${local.account_id}:${aws_sns_topic.alerts.name}"]
      },
      ], [for arn in local.key_arns : {
        Sid       = "EncryptNotifications"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [arn]
        Condition = { StringEquals = { "kms:ViaService" = local.via.sns } }
    }])
  })
}

# Asks questions through Athena; writes nothing but its own results.
module "analyst_role" {
  source = "./modules/actor"

  name                     = local.role_names["analyst"]
  description              = "Queries the tables of ${var.project} through Athena"
  trust                    = { principals = length(var.analyst_principals) > 0 ? var.analyst_principals : [local.account] }
  permissions_boundary_arn = var.permissions_boundary_arn
  max_session_hours        = 8 # a working day

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.lake_statements["analyst"], local.run_queries.analyst, [for statement in [
      {
        Sid      = "ReadSavedQueries"
        Effect   = "Allow"
        Action   = ["athena:BatchGetNamedQuery", "athena:GetNamedQuery", "athena:ListNamedQueries"]
        Resource = [for name in local.query_workgroups.analyst : "${local.athena_arn}:workgroup/${local.workgroup_names[name]}"]
      },
      {
        # Drivers (JDBC, ODBC) list databases and tables through Athena.
        Sid      = "BrowseByAthena"
        Effect   = "Allow"
        Action   = ["athena:GetDataCatalog", "athena:GetDatabase", "athena:GetTableMetadata", "athena:ListDatabases", "athena:ListTableMetadata"]
        Resource = ["${local.athena_arn}:datacatalog/AwsDataCatalog"]
      },
      {
        # The console's query editor begins with these lists.
        Sid      = "BrowseConsoleNoNarrowerResource"
        Effect   = "Allow"
        Action   = ["athena:ListDataCatalogs", "athena:ListWorkGroups"]
        Resource = ["*"]
      },
    ] : statement if length(statement.Resource) > 0])
  })
}
