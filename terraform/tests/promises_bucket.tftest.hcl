# The bucket: private, versioned, over TLS alone, and no rule that eats a table.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "bucket_is_private_versioned_and_kept" {
  command = plan

  assert {
    condition     = output.bucket == "tick-pipeline-123456789012-us-east-1" && !aws_s3_bucket.lake[0].force_destroy
    error_message = "The bucket must be <project>-<account>-<region>, and a destroy must stop at it while it holds something."
  }

  assert {
    condition     = aws_s3_bucket_versioning.lake["lake"].versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be versioned."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.lake["lake"].block_public_acls,
      aws_s3_bucket_public_access_block.lake["lake"].block_public_policy,
      aws_s3_bucket_public_access_block.lake["lake"].ignore_public_acls,
      aws_s3_bucket_public_access_block.lake["lake"].restrict_public_buckets,
    ])
    error_message = "All four blocks of public access must be on."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.lake["lake"].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access control lists must be off."
  }

  assert {
    condition = length([
      for statement in jsondecode(aws_s3_bucket_policy.lake["lake"].policy).Statement : statement
      if statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "s3:*"
      && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
      && try(join(" ", sort(statement.Resource)), "") == "arn:aws:s3:::tick-pipeline-123456789012-us-east-1 arn:aws:s3:::tick-pipeline-123456789012-us-east-1/*"
    ]) == 1
    error_message = "The bucket's policy must refuse everyone who does not come by TLS, to the bucket and to its objects."
  }
}

run "no_lifecycle_rule_touches_a_table" {
  command = plan

  variables {
    raw_archive_enabled = true
  }

  assert {
    condition = length([
      for pair in setproduct(
        [for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule : rule.filter[0].prefix if length(rule.expiration) > 0 && !startswith(rule.id, "noncurrent-")],
        concat([for path in setproduct(["iceberg", "parquet_projection"], ["raw", "aggregated_1m", "aggregated_5m", "anomalies"]) : "warehouse/${path[0]}/${path[1]}/"], ["archive/ticks/", "checkpoints/", "artifacts/"])
      ) : pair if startswith(pair[0], pair[1]) || startswith(pair[1], pair[0])
    ]) == 0
    error_message = "A lifecycle rule expires current objects of a table, the archive, a checkpoint or the jobs' code: ${jsonencode([for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule : rule.filter[0].prefix if length(rule.expiration) > 0 && !startswith(rule.id, "noncurrent-")])}."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule : rule.expiration[0].expired_object_delete_marker if startswith(rule.id, "noncurrent-")])
    error_message = "Of current objects a rule for former versions may take only the marks of deleted ones: with a number of days S3 takes no such mark, and these rules cover the tables."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule : length(rule.transition) == 0])
    error_message = "A lifecycle rule moves objects to another storage class, from which neither Athena nor Glue may be able to read."
  }

  assert {
    condition = { for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule : rule.filter[0].prefix => rule.expiration[0].days if length(rule.expiration) > 0 && !startswith(rule.id, "noncurrent-") } == {
      "warehouse/iceberg/_firehose_errors/"            = 90
      "warehouse/parquet_projection/_firehose_errors/" = 90
      "athena-results/"                                = 7
      "pipes/"                                         = 7
      "spark-ui/"                                      = 30
      "temporary/"                                     = 7
    }
    error_message = "What expires must be error records after errors_retention_days, results, Pipes' messages, event logs and temporary files."
  }
}

run "given_bucket_is_used_as_it_is" {
  command = plan

  variables {
    s3_bucket_name = "lake-of-the-team"
  }

  assert {
    condition = (
      length(aws_s3_bucket.lake)
      + length(aws_s3_bucket_versioning.lake)
      + length(aws_s3_bucket_public_access_block.lake)
      + length(aws_s3_bucket_ownership_controls.lake)
      + length(aws_s3_bucket_server_side_encryption_configuration.lake)
      + length(aws_s3_bucket_policy.lake)
      + length(aws_s3_bucket_lifecycle_configuration.lake)
      + length(aws_s3_bucket_notification.events)
    ) == 0
    error_message = "A bucket that was there before must not be changed."
  }

  assert {
    condition = (
      output.bucket == "lake-of-the-team"
      && aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].bucket_arn == "arn:aws:s3:::lake-of-the-team"
      && startswith(aws_glue_catalog_table.parquet_projection["raw"].parameters["storage.location.template"], "s3://lake-of-the-team/warehouse/")
      && aws_s3_object.wheel.bucket == "lake-of-the-team"
    )
    error_message = "Firehose, tables and jobs must use the bucket that is given."
  }
}
