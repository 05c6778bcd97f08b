# Encryption: everything, by AWS's keys or by a customer managed one.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "encrypted_without_a_key_of_ours" {
  command = plan

  assert {
    condition     = length(aws_kms_key.lake) + length(aws_kms_alias.lake) == 0
    error_message = "Nobody asked for a key, which costs $1 a month."
  }

  assert {
    condition     = aws_kinesis_stream.ticks.encryption_type == "KMS" && aws_kinesis_stream.ticks.kms_key_id == "alias/aws/kinesis"
    error_message = "The stream must be encrypted with AWS's own key."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.lake["lake"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "The bucket must be encrypted with SSE-S3."
  }

  assert {
    condition     = aws_sns_topic.alerts.kms_master_key_id == null
    error_message = "With AWS's own key neither alarms nor budgets could publish to the topic."
  }
}

run "encrypted_with_a_key_of_ours" {
  command = plan

  variables {
    kms_key_enabled = true
  }

  assert {
    condition     = one(aws_kms_key.lake).enable_key_rotation && one(aws_kms_key.lake).deletion_window_in_days == 30
    error_message = "The key must rotate, and can be brought back for 30 days."
  }

  assert {
    condition = alltrue([for key in concat(
      [
        aws_kinesis_stream.ticks.kms_key_id,
        aws_sns_topic.alerts.kms_master_key_id,
        one(aws_s3_bucket_server_side_encryption_configuration.lake["lake"].rule).apply_server_side_encryption_by_default[0].kms_master_key_id,
      ],
      [for group in values(aws_athena_workgroup.group) : group.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn],
      [for group in values(aws_cloudwatch_log_group.firehose) : group.kms_key_id],
    ) : key == one(aws_kms_key.lake).arn])
    error_message = "Stream, bucket, topic, Athena's results and Firehose's logs must be encrypted with the key."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.lake["lake"].rule).bucket_key_enabled
    error_message = "Without a bucket key every object is a request to KMS."
  }
}

run "given_key_is_used_as_it_is" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-666666666666"
  }

  assert {
    condition     = length(aws_kms_key.lake) + length(aws_kms_alias.lake) == 0 && aws_kinesis_stream.ticks.kms_key_id == "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-666666666666"
    error_message = "A key that was there before must be used, and none made."
  }
}
