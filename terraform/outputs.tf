# Exactly what the package's settings read, under the settings' names: `make env` writes them as TICK_PIPELINE_<NAME>.

output "aws_region" {
  description = "Where it all is."
  value       = var.region
}

output "project" {
  description = "Begins the names of the Glue databases."
  value       = var.project
}

output "storage_modes" {
  description = "The storage modes that are built."
  value       = join(",", sort(var.storage_modes))
}

output "partitions_start" {
  description = "First hour of Dagster's partitions."
  value       = var.partitions_start
}

output "bucket" {
  description = "The bucket of warehouse, artifacts and results."
  value       = local.bucket
}

output "stream" {
  description = "The Kinesis stream that producers put ticks into."
  value       = aws_kinesis_stream.ticks.name
}

output "firehose_iceberg" {
  description = "The Firehose of the storage mode iceberg; null where it is off."
  value       = one(aws_kinesis_firehose_delivery_stream.iceberg[*].name)
}

output "firehose_parquet" {
  description = "The Firehose of the storage mode parquet_projection; null where it is off."
  value       = one(aws_kinesis_firehose_delivery_stream.parquet[*].name)
}

output "glue_job_ohlc" {
  description = "The Glue job that makes candles."
  value       = module.ohlc_job.name
}

output "glue_job_anomalies" {
  description = "The Glue job that makes anomalies of whole hours."
  value       = module.anomalies_job.name
}

output "glue_job_anomaly_stream" {
  description = "The Glue job that makes anomalies from the stream."
  value       = module.anomaly_stream_job.name
}

output "athena_workgroup" {
  description = "The workgroup of Dagster's checks and reports."
  value       = aws_athena_workgroup.group["jobs"].name
}

output "iceberg_maintainer" {
  description = "Who looks after the Iceberg tables."
  value       = var.iceberg_maintainer
}

output "sns_topic_arn" {
  description = "Where alarms and Dagster's notifications go."
  value       = aws_sns_topic.alerts.arn
}
