# The one bucket: warehouse, archive, artifacts, results, checkpoints.

resource "aws_s3_bucket" "lake" {
  count = var.s3_bucket_name == null ? 1 : 0

  bucket        = local.default_bucket
  force_destroy = var.force_destroy
}

locals {
  default_bucket = "${var.project}-${local.account_id}-${var.region}"
  # Through the resource, where it is ours: all that names the bucket then waits for it.
  bucket      = var.s3_bucket_name != null ? var.s3_bucket_name : one(aws_s3_bucket.lake[*].bucket)
  bucket_arn  = "arn:${local.partition}:s3:::${local.bucket}"
  own_buckets = { for bucket in aws_s3_bucket.lake[*].bucket : "lake" => bucket }
}

resource "aws_s3_bucket_versioning" "lake" {
  for_each = local.own_buckets

  bucket = each.value

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  for_each = local.own_buckets

  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  for_each = local.own_buckets

  bucket = each.value

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  for_each = local.own_buckets

  bucket = each.value

  rule {
    # One call to KMS for many objects: without it every object is billed as a request.
    bucket_key_enabled = local.uses_kms

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.uses_kms ? "aws:kms" : "AES256"
      kms_master_key_id = local.uses_kms ? local.kms_key_arn : null
    }
  }
}

resource "aws_s3_bucket_policy" "lake" {
  for_each = local.own_buckets

  bucket = each.value
  policy = jsonencode(local.bucket_policy)

  depends_on = [aws_s3_bucket_public_access_block.lake]
}

locals {
  bucket_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid       = "TlsOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          Sid       = "Tls12OrNewer"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
        },
        {
          # Whatever IAM allows elsewhere: nobody outside this account, but AWS's own services acting for it.
          Sid       = "ThisAccountOnly"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
          Condition = {
            StringNotEquals = { "aws:PrincipalAccount" = local.account_id }
            Bool            = { "aws:PrincipalIsAWSService" = "false" }
          }
        },
      ],
      # The raw archive is what all else can be made from again: its Firehose alone writes it, under a new name for
      # each object, and nobody deletes it. Where a destroy may empty the bucket (force_destroy) it must be able to.
      var.raw_archive_enabled ? [
        {
          Sid       = "ArchiveIsWrittenByItsFirehose"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:PutObject"
          Resource  = "${local.bucket_arn}/${local.prefixes.archive}/*"
          Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:${local.partition}:iam::${local.account_id}:role/${local.role_names["archive"]}" } }
        },
      ] : [],
      var.raw_archive_enabled && !var.force_destroy ? [
        {
          Sid       = "ArchiveIsImmutable"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
          Resource  = "${local.bucket_arn}/${local.prefixes.archive}/*"
        },
      ] : [],
    )
  }

  # Where former versions expire: everywhere but in the archive.
  versioned_prefixes = { for name, prefix in local.prefixes : name => "${prefix}/" if name != "archive" }

  # Prefix -> days until its current objects expire. Never one that holds an Iceberg table: Iceberg alone knows
  # which of its files are in use. The raw data of the warehouse is kept for good.
  expiries = merge(
    { for mode in var.storage_modes : "errors-${mode}" => {
      prefix = "${local.error_prefixes[mode]}/"
      days   = var.errors_retention_days
    } },
    {
      results   = { prefix = "${local.prefixes.athena_results}/", days = var.athena_results_retention_days }
      pipes     = { prefix = "${local.prefixes.pipes}/", days = 7 }
      spark-ui  = { prefix = "${local.prefixes.spark_ui}/", days = 30 }
      temporary = { prefix = "${local.prefixes.temporary}/", days = 7 }
    },
  )
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  for_each = local.own_buckets

  bucket = each.value

  dynamic "rule" {
    for_each = local.expiries

    content {
      id     = "expire-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }

  # Versions that were overwritten or deleted: no reader asks for them, Iceberg neither. What is left of a deleted
  # object, a mark, goes with them: listings would have to pass over it for ever.
  dynamic "rule" {
    for_each = local.versioned_prefixes

    content {
      id     = "noncurrent-${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        expired_object_delete_marker = true
      }

      noncurrent_version_expiration {
        noncurrent_days = var.noncurrent_version_days
      }
    }
  }

  rule {
    id     = "aborted-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }

  depends_on = [aws_s3_bucket_versioning.lake]

  lifecycle {
    precondition {
      condition = alltrue([
        for expiry in values(local.expiries) : !anytrue([
          for table in keys(local.table_contracts) :
          startswith("${local.prefixes.warehouse}/iceberg/${table}/", expiry.prefix) || startswith(expiry.prefix, "${local.prefixes.warehouse}/iceberg/${table}/")
        ])
      ])
      error_message = "A lifecycle rule would expire current objects of an Iceberg table: its metadata would then name files that are gone. Iceberg's own maintenance removes what it no longer needs."
    }
  }
}
