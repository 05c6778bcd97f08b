# The three Spark jobs. Their arguments are those of tick_pipeline/spark/jobs/; Dagster adds the window of a run.

locals {
  # Made from tick_pipeline/spark/session.py by `make tf-render`. Glue takes one --conf, which carries the others.
  spark_conf = { for name, value in jsondecode(file("${path.module}/rendered/spark.json")) : name => replace(value, "@warehouse@", local.warehouse) }

  job_defaults = {
    glue_version      = var.glue_version
    wheel             = "s3://${local.bucket}/${aws_s3_object.wheel.key}"
    spark_conf        = join(" --conf ", [for name, value in local.spark_conf : "${name}=${value}"])
    spark_ui_location = "s3://${local.bucket}/${local.prefixes.spark_ui}/"
    temporary         = "s3://${local.bucket}/${local.prefixes.temporary}/"
  }

  # A job that writes no Iceberg table needs no database of them.
  job_arguments = merge(
    {
      "--WAREHOUSE"    = local.warehouse
      "--CATALOG"      = local.spark_catalog
      "--STORAGE_MODE" = join(",", sort(var.storage_modes))
    },
    { for mode, database in local.databases : "--DATABASE" => database if mode == "iceberg" },
  )
}

locals {
  # With enhanced fan-out the streaming job reads as the consumer that is registered for it.
  consumer_argument = { for consumer in aws_kinesis_stream_consumer.anomaly_stream : "--CONSUMER" => consumer.arn }
}

module "ohlc_job" {
  source = "./modules/glue-job"

  name               = local.job_names.ohlc
  description        = "Candles of whole hours from raw ticks, one storage mode after the other"
  role_arn           = module.glue_batch_role.arn
  script             = "s3://${local.bucket}/${aws_s3_object.script["ohlc"].key}"
  defaults           = local.job_defaults
  arguments          = merge(local.job_arguments, { "--METRICS_NAMESPACE" = local.metrics_namespace })
  worker_type        = var.glue_worker_type
  max_workers        = var.glue_max_workers
  flex               = var.glue_flex_enabled
  timeout_minutes    = var.glue_job_timeout_minutes
  log_retention_days = var.log_retention_days
  kms_key_arn        = local.kms_key_arn
  # One for each mode: a mode's own runs follow one another by Dagster's pool.
  max_concurrent_runs = length(var.storage_modes)
}

module "anomalies_job" {
  source = "./modules/glue-job"

  name                = local.job_names.anomalies
  description         = "Anomalies of whole hours from raw ticks, one storage mode after the other"
  role_arn            = module.glue_batch_role.arn
  script              = "s3://${local.bucket}/${aws_s3_object.script["anomalies"].key}"
  defaults            = local.job_defaults
  arguments           = local.job_arguments
  worker_type         = var.glue_worker_type
  max_workers         = var.glue_max_workers
  flex                = var.glue_flex_enabled
  timeout_minutes     = var.glue_job_timeout_minutes
  log_retention_days  = var.log_retention_days
  kms_key_arn         = local.kms_key_arn
  max_concurrent_runs = length(var.storage_modes)
}

module "anomaly_stream_job" {
  source = "./modules/glue-job"

  name        = local.job_names.anomaly_stream
  description = "Anomalies from the stream as it comes, into the tables of every storage mode"
  role_arn    = module.glue_stream_role.arn
  script      = "s3://${local.bucket}/${aws_s3_object.script["anomaly_stream"].key}"
  streaming   = true
  defaults    = local.job_defaults
  arguments = merge(local.job_arguments, local.consumer_argument, {
    "--SOURCE"       = "kinesis"
    "--STREAM"       = local.stream_name
    "--ENDPOINT"     = "https://kinesis.${var.region}.${data.aws_partition.current.dns_suffix}"
    "--CHECKPOINT"   = "s3://${local.bucket}/${local.prefixes.checkpoints}/anomaly-stream"
    "--IDLE_SECONDS" = tostring(var.anomaly_stream_idle_minutes * 60)
    "--MAX_SECONDS"  = tostring(var.anomaly_stream_max_hours * 3600)
  })
  # The stream is scored on the driver: one worker besides it carries its tasks, more would idle.
  worker_type     = "G.1X"
  max_workers     = 2
  flex            = false
  timeout_minutes = var.anomaly_stream_max_hours * 60 + 30
  # It ends by itself; where it does not, it is told, and then stopped.
  notify_after_minutes = var.anomaly_stream_max_hours * 60 + 10
  maintenance_window   = var.glue_maintenance_window
  log_retention_days   = var.log_retention_days
  kms_key_arn          = local.kms_key_arn
  max_concurrent_runs  = 1
}
