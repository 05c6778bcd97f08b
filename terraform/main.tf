# What every station shares: the provider, where we are, every name, and the contracts.

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  tags = {
    project     = var.project
    environment = var.environment
    owner       = var.owner
  }

  # Names, in one place: each resource, policy and alarm reads them here.
  database_prefix = replace(var.project, "-", "_")
  databases       = { for mode in var.storage_modes : mode => "${local.database_prefix}_${mode}" }
  stream_name     = "${var.project}-ticks"
  firehose_names  = { for mode in var.storage_modes : mode => "${var.project}-${replace(mode, "_", "-")}" }
  archive_name    = "${var.project}-archive"
  job_names = {
    ohlc           = "${var.project}-ohlc"
    anomalies      = "${var.project}-anomalies"
    anomaly_stream = "${var.project}-anomaly-stream"
  }
  workgroup_names = { for name in keys(var.athena_workgroups) : name => "${var.project}-${name}" }

  # The catalog's name in Spark, as tick_pipeline/storage.py has it.
  spark_catalog     = "lake"
  metrics_namespace = "TickPipeline"

  # Prefixes of the one bucket. Below `warehouse` the paths are those of tick_pipeline/storage.py.
  prefixes = {
    warehouse      = "warehouse"
    archive        = "archive"
    artifacts      = "artifacts"
    athena_results = "athena-results"
    checkpoints    = "checkpoints"
    pipes          = "pipes"
    spark_ui       = "spark-ui"
    temporary      = "temporary"
  }
  warehouse = "s3://${local.bucket}/${local.prefixes.warehouse}"
  error_prefixes = {
    for mode in var.storage_modes : mode => "${local.prefixes.warehouse}/${mode}/_firehose_errors"
  }

  # The contracts are the one source of every column.
  contracts_folder = "${path.module}/../tick_pipeline/contracts"
  contracts = {
    for name in ["tick", "candle", "anomaly"] : name => jsondecode(file("${local.contracts_folder}/${name}.json"))
  }
  table_contracts = {
    raw           = local.contracts.tick
    aggregated_1m = local.contracts.candle
    aggregated_5m = local.contracts.candle
    anomalies     = local.contracts.anomaly
  }

  # The years in which a tick can be stored: those that Athena projects, and Firehose lets through.
  first_year = tonumber(substr(var.partitions_start, 0, 4))
  last_year  = local.first_year + var.projection_years - 1
}
