# Two Firehoses read the stream side by side, one for each storage mode, and an optional third keeps what came as it came.
# What they cannot store lies under the mode's error prefix, by the kind of error.

locals {
  firehose_log_groups = merge(
    { for mode, name in local.firehose_names : mode => "/aws/kinesisfirehose/${name}" },
    var.raw_archive_enabled ? { archive = "/aws/kinesisfirehose/${local.archive_name}" } : {},
  )

  # Firehose puts the kind of error, as format-conversion-failed, in place of the first expression.
  error_output_prefixes = {
    for mode, prefix in local.error_prefixes : mode => "${prefix}/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
  }

  # Partition key -> strftime's code. Keys and folders are those of PARTITION_KEYS and hour_partition in
  # tick_pipeline/storage.py: the hour of the event, never that of the arrival, so a late tick lands in its own hour.
  partition_codes = { year = "%Y", month = "%m", day = "%d", hour = "%H" }
  partition_keys  = ["year", "month", "day", "hour"]
  event_time_prefix = join("", [
    for key in local.partition_keys : "${key}=!{partitionKeyFromQuery:${key}}/"
  ])

  # JQ 1.6. A record whose event time no reader could see goes to the error prefix, not into one partition more: what is
  # no whole number, is outside the contract's range (strftime then has no answer), or in a year that Athena does not project.
  event_ts_range = one([for field in local.contracts.tick.fields : field.convertible if field.name == "event_ts"])
  event_second = join(" | ", [
    ".event_ts",
    "if type == \"number\" and . == floor and . >= ${local.event_ts_range.minimum} and . < ${local.event_ts_range.exclusive_maximum} then . / 1000000 | floor else error(\"event_ts is no usable time\") end",
    "if strftime(\"%Y\") | . >= \"${local.first_year}\" and . <= \"${local.last_year}\" then . else error(\"event_ts is not in ${local.first_year} to ${local.last_year}\") end",
  ])
  event_time_query = "{${join(", ", [
    for key in local.partition_keys : "${key}: (${local.event_second} | strftime(\"${local.partition_codes[key]}\"))"
  ])}}"
}

resource "aws_cloudwatch_log_group" "firehose" {
  for_each = local.firehose_log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "firehose" {
  for_each = aws_cloudwatch_log_group.firehose

  name           = "delivery"
  log_group_name = each.value.name
}

resource "aws_kinesis_firehose_delivery_stream" "iceberg" {
  count = contains(var.storage_modes, "iceberg") ? 1 : 0

  name        = local.firehose_names["iceberg"]
  destination = "iceberg"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.ticks.arn
    role_arn           = module.firehose_role["iceberg"].arn
  }

  iceberg_configuration {
    role_arn           = module.firehose_role["iceberg"].arn
    catalog_arn        = "arn:${local.partition}:glue:${var.region}:${local.account_id}:catalog"
    buffering_interval = var.firehose_buffer_seconds
    buffering_size     = var.firehose_buffer_mib
    retry_duration     = 3600

    # Ticks are only added: without row-level deletes Firehose needs no unique keys and writes no delete files.
    append_only    = true
    s3_backup_mode = "FailedDataOnly"

    destination_table_configuration {
      database_name = aws_glue_catalog_database.mode["iceberg"].name
      table_name    = aws_glue_catalog_table.iceberg["raw"].name
    }

    s3_configuration {
      role_arn            = module.firehose_role["iceberg"].arn
      bucket_arn          = local.bucket_arn
      error_output_prefix = local.error_output_prefixes["iceberg"]
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose["iceberg"].name
      log_stream_name = aws_cloudwatch_log_stream.firehose["iceberg"].name
    }
  }
}

resource "aws_kinesis_firehose_delivery_stream" "parquet" {
  count = contains(var.storage_modes, "parquet_projection") ? 1 : 0

  name        = local.firehose_names["parquet_projection"]
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.ticks.arn
    role_arn           = module.firehose_role["parquet_projection"].arn
  }

  extended_s3_configuration {
    role_arn            = module.firehose_role["parquet_projection"].arn
    bucket_arn          = local.bucket_arn
    prefix              = "${local.table_prefixes.parquet_projection["raw"]}/${local.event_time_prefix}"
    error_output_prefix = local.error_output_prefixes["parquet_projection"]
    buffering_interval  = var.firehose_buffer_seconds
    buffering_size      = var.firehose_buffer_mib
    compression_format  = "UNCOMPRESSED" # Parquet compresses its own pages.
    file_extension      = ".parquet"

    # Can be switched on only when a Firehose is made: without it this one would have to be made anew.
    dynamic_partitioning_configuration {
      enabled        = true
      retry_duration = 3600
    }

    processing_configuration {
      enabled = true

      processors {
        type = "MetadataExtraction"

        parameters {
          parameter_name  = "JsonParsingEngine"
          parameter_value = "JQ-1.6"
        }
        parameters {
          parameter_name  = "MetadataExtractionQuery"
          parameter_value = local.event_time_query
        }
      }
    }

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          open_x_json_ser_de {
            case_insensitive = false
          }
        }
      }

      output_format_configuration {
        serializer {
          parquet_ser_de {
            compression = "SNAPPY"
          }
        }
      }

      schema_configuration {
        role_arn      = module.firehose_role["parquet_projection"].arn
        database_name = aws_glue_catalog_database.mode["parquet_projection"].name
        table_name    = aws_glue_catalog_table.parquet_projection["raw"].name
        region        = var.region
        version_id    = "LATEST"
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose["parquet_projection"].name
      log_stream_name = aws_cloudwatch_log_stream.firehose["parquet_projection"].name
    }
  }
}

# By arrival, since nothing of a record is looked at: what to replay from when all else was wrong.
resource "aws_kinesis_firehose_delivery_stream" "archive" {
  count = var.raw_archive_enabled ? 1 : 0

  name        = local.archive_name
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.ticks.arn
    role_arn           = one(module.archive_role[*].arn)
  }

  extended_s3_configuration {
    role_arn            = one(module.archive_role[*].arn)
    bucket_arn          = local.bucket_arn
    prefix              = "${local.prefixes.archive}/ticks/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "${local.prefixes.archive}/_firehose_errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    buffering_interval  = 300
    buffering_size      = 128
    compression_format  = "GZIP"
    file_extension      = ".json.gz"

    # Records are JSON objects without a line's end.
    processing_configuration {
      enabled = true

      processors {
        type = "AppendDelimiterToRecord"

        parameters {
          parameter_name  = "Delimiter"
          parameter_value = "\\n"
        }
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose["archive"].name
      log_stream_name = aws_cloudwatch_log_stream.firehose["archive"].name
    }
  }
}
