# The raw archive: off until asked for, and then nobody deletes it.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "archive_is_off_by_default" {
  command = plan

  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.archive) + length(module.archive_role) == 0 && !contains(keys(aws_cloudwatch_log_group.firehose), "archive")
    error_message = "Nobody asked for the archive, which bills every record once more."
  }
}

run "archive_cannot_be_deleted" {
  command = plan

  variables {
    raw_archive_enabled = true
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.archive).extended_s3_configuration[0].compression_format == "GZIP" && startswith(one(aws_kinesis_firehose_delivery_stream.archive).extended_s3_configuration[0].prefix, "archive/ticks/")
    error_message = "The archive must be gzipped, below archive/ticks/."
  }

  assert {
    condition = length([
      for statement in jsondecode(aws_s3_bucket_policy.lake["lake"].policy).Statement : statement
      if statement.Effect == "Deny" && statement.Principal == "*" && try(statement.Condition, null) == null
      && try(join(" ", sort(statement.Action)), "") == "s3:DeleteObject s3:DeleteObjectVersion"
      && statement.Resource == "arn:aws:s3:::tick-pipeline-123456789012-us-east-1/archive/*"
    ]) == 1
    error_message = "The bucket's policy must refuse everyone to delete what is in the archive, versions included."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.lake["lake"].policy).Statement : statement.Condition.ArnNotEquals["aws:PrincipalArn"]
      if statement.Effect == "Deny" && try(statement.Action == "s3:PutObject", false) && statement.Resource == "arn:aws:s3:::tick-pipeline-123456789012-us-east-1/archive/*"
    ]) == "arn:aws:iam::123456789012:role/${one(module.archive_role).name}"
    error_message = "Nobody but the archive's Firehose may write into it: an overwrite would hide what came."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake["lake"].rule :
      try(rule.filter[0].prefix, null) != null && !startswith("archive/", rule.filter[0].prefix)
      if length(rule.noncurrent_version_expiration) + length(rule.expiration) > 0
    ])
    error_message = "No lifecycle rule may take anything out of the archive, former versions included."
  }
}

run "archive_goes_where_a_destroy_may_empty_the_bucket" {
  command = plan

  variables {
    raw_archive_enabled = true
    force_destroy       = true
  }

  assert {
    condition     = !strcontains(aws_s3_bucket_policy.lake["lake"].policy, "s3:DeleteObject")
    error_message = "With force_destroy the archive's protection would keep a destroy from ending."
  }
}
