# A Spark job of this project on Glue, with its log groups.

locals {
  log_group_prefix = "/aws-glue/jobs/${var.name}"

  arguments = {
    "--additional-python-modules" = "${var.defaults.wheel},dagster-pipes==1.13.27"
    # Glue has Spark, numpy, pandas and pyarrow, in the versions that the lock file pins: pip must not touch them.
    "--python-modules-installer-option" = "--no-deps"
    "--datalake-formats"                = "iceberg"
    "--conf"                            = var.defaults.spark_conf
    "--TempDir"                         = var.defaults.temporary

    "--enable-auto-scaling" = "true"

    # A run names its hours and recomputes them whole. A bookmark would hide from it what an earlier run had read,
    # and a rerun of an hour would write the candles of nothing.
    "--job-bookmark-option" = "job-bookmark-disable"

    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--custom-logGroup-prefix"           = local.log_group_prefix
    "--enable-spark-ui"                  = "true"
    "--spark-event-logs-path"            = var.defaults.spark_ui_location
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["output", "error"])

  name              = "${local.log_group_prefix}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_glue_job" "this" {
  name         = var.name
  description  = var.description
  role_arn     = var.role_arn
  glue_version = var.defaults.glue_version

  command {
    name            = var.streaming ? "gluestreaming" : "glueetl"
    python_version  = "3"
    script_location = var.script
  }

  worker_type        = var.worker_type
  number_of_workers  = var.max_workers
  execution_class    = var.flex ? "FLEX" : "STANDARD"
  timeout            = var.timeout_minutes
  max_retries        = var.max_retries
  maintenance_window = var.maintenance_window

  execution_property {
    max_concurrent_runs = var.max_concurrent_runs
  }

  dynamic "notification_property" {
    for_each = var.notify_after_minutes == null ? [] : [var.notify_after_minutes]

    content {
      notify_delay_after = notification_property.value
    }
  }

  default_arguments = merge(local.arguments, var.arguments)

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = !(var.streaming && var.flex)
      error_message = "${var.name}: a streaming job cannot run as FLEX; its capacity may be taken at any time."
    }
    precondition {
      condition     = var.timeout_minutes >= 1 && var.timeout_minutes < 10080
      error_message = "${var.name}: timeout_minutes must be from 1 to 10079, less than the seven days that Glue allows; given: ${var.timeout_minutes}."
    }
    precondition {
      condition     = var.streaming || var.maintenance_window == null
      error_message = "${var.name}: only streaming jobs have a maintenance window."
    }
  }
}
