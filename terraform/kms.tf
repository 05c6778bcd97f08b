# The customer managed key. Without it S3 encrypts with its own keys (SSE-S3) and Kinesis with AWS's (alias/aws/kinesis).

resource "aws_kms_key" "lake" {
  count = var.kms_key_enabled && var.kms_key_arn == null ? 1 : 0

  description             = "Data of ${var.project}: stream, bucket, results and logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)
}

resource "aws_kms_alias" "lake" {
  count = length(aws_kms_key.lake)

  name          = "alias/${var.project}"
  target_key_id = aws_kms_key.lake[0].key_id
}

locals {
  # Null: no customer managed key.
  kms_key_arn = var.kms_key_arn != null ? var.kms_key_arn : one(aws_kms_key.lake[*].arn)
  uses_kms    = var.kms_key_enabled || var.kms_key_arn != null

  key_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # IAM policies of this account decide who uses the key; without this nobody could manage it.
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogGroupsOfThisProject"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:*"
          }
        }
      },
      {
        # Alarms and budgets publish to the encrypted topic.
        Sid       = "AlarmsAndBudgetsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        # EventBridge sends no source account with its use of a topic's key, and would be refused for one.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        Sid       = "EventBridgeToTheTopic"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:EncryptionContext:aws:sns:topicArn" = local.topic_arn } }
      },
    ]
  }
}
