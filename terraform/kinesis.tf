# The stream of ticks: one plain JSON object per record, partition key = symbol.

resource "aws_kinesis_stream" "ticks" {
  name             = local.stream_name
  retention_period = var.stream_retention_hours
  shard_count      = var.stream_mode == "PROVISIONED" ? var.stream_shards : null

  encryption_type = "KMS"
  kms_key_id      = local.uses_kms ? local.kms_key_arn : "alias/aws/kinesis"

  # Registered consumers (enhanced fan-out) would else keep a destroy from ending.
  enforce_consumer_deletion = true

  stream_mode_details {
    stream_mode = var.stream_mode
  }

  lifecycle {
    precondition {
      condition     = var.stream_mode == "PROVISIONED" || var.stream_shards == null
      error_message = "stream_shards is ${coalesce(var.stream_shards, 0)} and stream_mode ${var.stream_mode}: shards are set for PROVISIONED only; leave stream_shards out, or set stream_mode = \"PROVISIONED\"."
    }
    precondition {
      condition     = var.stream_mode == "ON_DEMAND" || var.stream_shards != null
      error_message = "stream_mode is PROVISIONED and stream_shards is not given: set it to the number of shards (1 MB/s or 1,000 records/s each)."
    }
  }
}

# Enhanced fan-out gives the streaming job 2 MB/s a shard of its own; the Firehoses share the other 2 MB/s.
resource "aws_kinesis_stream_consumer" "anomaly_stream" {
  count = var.enhanced_fan_out_enabled ? 1 : 0

  name       = local.job_names.anomaly_stream
  stream_arn = aws_kinesis_stream.ticks.arn
}
