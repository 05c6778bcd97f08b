# The Parquet tables: the contracts' columns, every hour projected, and Firehose writes where Athena looks.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "parquet_firehose_writes_where_the_table_looks" {
  command = plan

  assert {
    condition = (
      "s3://tick-pipeline-123456789012-us-east-1/${trimsuffix(replace(aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].prefix, "!{partitionKeyFromQuery:", "$${"), "/")}"
      == aws_glue_catalog_table.parquet_projection["raw"].parameters["storage.location.template"]
    )
    error_message = "Firehose writes to ${aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].prefix} and Athena reads ${aws_glue_catalog_table.parquet_projection["raw"].parameters["storage.location.template"]}."
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].prefix == "warehouse/parquet_projection/raw/year=!{partitionKeyFromQuery:year}/month=!{partitionKeyFromQuery:month}/day=!{partitionKeyFromQuery:day}/hour=!{partitionKeyFromQuery:hour}/"
    error_message = "Firehose's prefix is not that of hour_partition in tick_pipeline/storage.py: ${aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].prefix}."
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].dynamic_partitioning_configuration[0].enabled
    error_message = "Without dynamic partitioning Firehose knows no time but that of the arrival."
  }
}

run "event_time_names_the_folder" {
  command = plan

  assert {
    condition = alltrue([
      for key, code in { year = "%Y", month = "%m", day = "%d", hour = "%H" } :
      length(regexall("[{ ]${key}: \\(\\.event_ts \\|[^)]*\\)?.*? strftime\\(\"${code}\"\\)\\)", local.event_time_query)) == 1
    ])
    error_message = "Each key of a folder must be made of event_ts by its own strftime code: ${local.event_time_query}."
  }

  assert {
    condition     = one([for parameter in tolist(aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].processing_configuration[0].processors)[0].parameters : parameter.parameter_value if parameter.parameter_name == "MetadataExtractionQuery"]) == local.event_time_query
    error_message = "Firehose does not take the folder from event_time_query."
  }
}

run "parquet_columns_and_keys_are_those_of_the_contracts" {
  command = plan

  assert {
    condition = {
      for name, table in aws_glue_catalog_table.parquet_projection : name => [for column in table.storage_descriptor[0].columns : "${column.name} ${column.type}"]
      } == {
      for name, contract in { raw = "tick", aggregated_1m = "candle", aggregated_5m = "candle", anomalies = "anomaly" } :
      name => [
        for field in jsondecode(file("../tick_pipeline/contracts/${contract}.json")).fields :
        "${field.name} ${ { string = "string", int64 = "bigint", double = "double", timestamp = "timestamp" }[field.type]}"
      ]
    }
    error_message = "The columns of a Parquet table are not those of its contract."
  }

  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.parquet_projection : [for key in table.partition_keys : "${key.name} ${key.type}"] == ["year string", "month string", "day string", "hour string"]])
    error_message = "Every Parquet table must have the keys year, month, day, hour, all strings, in this order."
  }

  assert {
    condition = alltrue([
      for name, table in aws_glue_catalog_table.parquet_projection :
      table.parameters["storage.location.template"] == "s3://tick-pipeline-123456789012-us-east-1/warehouse/parquet_projection/${name}/year=$${year}/month=$${month}/day=$${day}/hour=$${hour}"
      && table.storage_descriptor[0].location == "s3://tick-pipeline-123456789012-us-east-1/warehouse/parquet_projection/${name}/"
    ])
    error_message = "A Parquet table must lie at <warehouse>/parquet_projection/<table>/year=.../month=.../day=.../hour=..."
  }
}

run "partitions_are_projected_and_zero_padded" {
  command = plan

  variables {
    partitions_start = "2025-06-01T00:00:00Z"
    projection_years = 3
  }

  assert {
    condition = alltrue([
      for table in aws_glue_catalog_table.parquet_projection : { for name, value in table.parameters : name => value if startswith(name, "projection.") } == {
        "projection.enabled"      = "true"
        "projection.year.type"    = "integer"
        "projection.year.range"   = "2025,2027"
        "projection.year.digits"  = "4"
        "projection.month.type"   = "integer"
        "projection.month.range"  = "1,12"
        "projection.month.digits" = "2"
        "projection.day.type"     = "integer"
        "projection.day.range"    = "1,31"
        "projection.day.digits"   = "2"
        "projection.hour.type"    = "integer"
        "projection.hour.range"   = "0,23"
        "projection.hour.digits"  = "2"
      }
    ])
    error_message = "The projection must name every hour of the years from partitions_start on, zero-padded: ${jsonencode(aws_glue_catalog_table.parquet_projection["raw"].parameters)}."
  }

  assert {
    condition     = strcontains(local.event_time_query, "if strftime(\"%Y\") | . >= \"2025\" and . <= \"2027\" then")
    error_message = "Firehose must let in just the years that Athena projects: ${local.event_time_query}."
  }
}
