# The stream: it grows by itself, or has the shards it is given.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "stream_grows_by_itself_and_has_no_reader_of_its_own" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.ticks.stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.ticks.retention_period == 24
    error_message = "The stream must be ON_DEMAND and keep records for 24 hours."
  }

  assert {
    condition     = length(aws_kinesis_stream_consumer.anomaly_stream) == 0
    error_message = "Nobody asked for enhanced fan-out, which bills each shard by the hour."
  }
}

run "stream_has_the_shards_it_is_given" {
  command = plan

  variables {
    stream_mode            = "PROVISIONED"
    stream_shards          = 4
    stream_retention_hours = 48
  }

  assert {
    condition     = aws_kinesis_stream.ticks.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.ticks.shard_count == 4 && aws_kinesis_stream.ticks.retention_period == 48
    error_message = "The stream must have four shards and keep records for 48 hours."
  }
}

run "fan_out_is_for_the_streaming_job" {
  command = plan

  variables {
    enhanced_fan_out_enabled = true
  }

  assert {
    condition     = one(aws_kinesis_stream_consumer.anomaly_stream).name == "tick-pipeline-anomaly-stream" && contains(keys(aws_cloudwatch_metric_alarm.alarm), "anomaly-stream-behind")
    error_message = "Enhanced fan-out must register the streaming job, and an alarm must watch it: the stream's own iterator age no longer does."
  }
}
