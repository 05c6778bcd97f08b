# Storage modes: each comes whole, and goes without a trace of it.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "both_modes_are_built_alike" {
  command = plan

  assert {
    condition     = { for mode, database in aws_glue_catalog_database.mode : mode => database.name } == { iceberg = "tick_pipeline_iceberg", parquet_projection = "tick_pipeline_parquet_projection" }
    error_message = "The databases must be <project>_<mode>."
  }

  assert {
    condition = (
      join(",", keys(aws_glue_catalog_table.iceberg)) == "aggregated_1m,aggregated_5m,anomalies,raw"
      && join(",", keys(aws_glue_catalog_table.parquet_projection)) == "aggregated_1m,aggregated_5m,anomalies,raw"
    )
    error_message = "Each mode must have the tables raw, aggregated_1m, aggregated_5m and anomalies."
  }

  assert {
    condition     = [for key in keys(aws_glue_catalog_table.view) : trimprefix(key, "iceberg.") if startswith(key, "iceberg.")] == [for key in keys(aws_glue_catalog_table.view) : trimprefix(key, "parquet_projection.") if startswith(key, "parquet_projection.")]
    error_message = "Both modes must have the same views: ${join(", ", keys(aws_glue_catalog_table.view))}."
  }

  assert {
    condition     = contains(keys(aws_glue_catalog_table.view), "iceberg.ticks")
    error_message = "Nobody reads raw: each mode must have the view ticks."
  }

  assert {
    condition     = alltrue([for view in aws_glue_catalog_table.view : view.storage_descriptor[0].ser_de_info[0].name != "" && view.storage_descriptor[0].ser_de_info[0].serialization_library != ""])
    error_message = "Athena refuses a view whose storage descriptor has no SerDe: the provider does not send an empty block."
  }

  assert {
    condition     = output.firehose_iceberg == "tick-pipeline-iceberg" && output.firehose_parquet == "tick-pipeline-parquet-projection" && output.storage_modes == "iceberg,parquet_projection"
    error_message = "The outputs must name both Firehoses and both modes."
  }

  assert {
    condition     = length(aws_athena_named_query.query) == length(jsondecode(file("rendered/queries.json")))
    error_message = "Every query must be saved."
  }

  assert {
    condition = alltrue(concat(
      [for query in aws_athena_named_query.query : !strcontains(query.query, "@")],
      [for view in aws_glue_catalog_table.view : !strcontains(jsondecode(base64decode(split(" ", view.view_original_text)[3])).originalSql, "@")],
    ))
    error_message = "A saved query or view still has a placeholder in place of a database."
  }
}

run "error_records_lie_under_their_mode" {
  command = plan

  assert {
    condition = (
      startswith(aws_kinesis_firehose_delivery_stream.iceberg[0].iceberg_configuration[0].s3_configuration[0].error_output_prefix, "warehouse/iceberg/_firehose_errors/!{firehose:error-output-type}/")
      && startswith(aws_kinesis_firehose_delivery_stream.parquet[0].extended_s3_configuration[0].error_output_prefix, "warehouse/parquet_projection/_firehose_errors/!{firehose:error-output-type}/")
    )
    error_message = "Error records must lie under <warehouse>/<mode>/_firehose_errors/<error-type>/, where error_root in tick_pipeline/storage.py looks."
  }
}

run "iceberg_alone" {
  command = plan

  variables {
    storage_modes = ["iceberg"]
  }

  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.parquet) + length(aws_glue_catalog_table.parquet_projection) == 0 && keys(aws_glue_catalog_database.mode) == ["iceberg"] && keys(module.firehose_role) == ["iceberg"]
    error_message = "Without parquet_projection there must be no Firehose, role, database or table of it."
  }

  assert {
    condition = length(concat(
      [for name, _ in aws_glue_catalog_table.view : name if !startswith(name, "iceberg.")],
      [for name, query in aws_athena_named_query.query : name if query.database != "tick_pipeline_iceberg" || strcontains(query.query, "parquet_projection")],
      [for name, _ in aws_cloudwatch_metric_alarm.alarm : name if strcontains(name, "parquet") || startswith(name, "partitions-")],
      [for name, _ in aws_cloudwatch_event_rule.error_objects : name if name != "iceberg"],
      [for name, _ in aws_cloudwatch_log_group.firehose : name if name != "iceberg"],
    )) == 0
    error_message = "Without parquet_projection there must be no view, query, alarm, rule or log group of it."
  }

  assert {
    condition     = output.firehose_parquet == null && output.firehose_iceberg == "tick-pipeline-iceberg" && output.storage_modes == "iceberg"
    error_message = "Without parquet_projection its output must be null."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.pipeline.dashboard_body, "parquet-projection")
    error_message = "The dashboard shows a Firehose that is not there."
  }
}

run "parquet_projection_alone" {
  command = plan

  variables {
    storage_modes = ["parquet_projection"]
  }

  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.iceberg) + length(aws_glue_catalog_table.iceberg) == 0 && keys(aws_glue_catalog_database.mode) == ["parquet_projection"] && keys(module.firehose_role) == ["parquet_projection"]
    error_message = "Without iceberg there must be no Firehose, role, database or table of it."
  }

  assert {
    condition     = length(aws_glue_catalog_table_optimizer.compaction) + length(aws_glue_catalog_table_optimizer.retention) + length(aws_glue_catalog_table_optimizer.orphan_file_deletion) + length(module.optimizer_role) == 0
    error_message = "Without iceberg there is nothing to optimize."
  }

  assert {
    condition = length(concat(
      [for name, _ in aws_glue_catalog_table.view : name if !startswith(name, "parquet_projection.")],
      [for name, query in aws_athena_named_query.query : name if query.database != "tick_pipeline_parquet_projection" || strcontains(query.query, "tick_pipeline_iceberg")],
      [for name, _ in aws_cloudwatch_metric_alarm.alarm : name if strcontains(name, "iceberg")],
      [for name, _ in aws_cloudwatch_event_rule.error_objects : name if name != "parquet-projection"],
      [for name, _ in aws_cloudwatch_log_group.firehose : name if name != "parquet_projection"],
    )) == 0
    error_message = "Without iceberg there must be no view, query, alarm, rule or log group of it."
  }

  assert {
    condition     = output.firehose_iceberg == null && output.firehose_parquet == "tick-pipeline-parquet-projection" && output.storage_modes == "parquet_projection"
    error_message = "Without iceberg its output must be null."
  }

  assert {
    condition     = !contains(keys(local.job_arguments), "--DATABASE")
    error_message = "Without iceberg no job may be told a database of Iceberg tables."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.pipeline.dashboard_body, "tick-pipeline-iceberg")
    error_message = "The dashboard shows a Firehose that is not there."
  }
}
