# The Iceberg tables: the contracts' columns, the hour of the event, and one who maintains them.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "iceberg_is_partitioned_by_the_hour_of_the_event" {
  command = plan

  assert {
    condition = {
      for name, table in aws_glue_catalog_table.iceberg :
      name => one([for field in table.open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].partition_spec[0].fields : "${field.transform}(${table.open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].schema[0].fields[field.source_id - 1].name})"])
    } == { raw = "hour(event_ts)", aggregated_1m = "hour(bucket_start)", aggregated_5m = "hour(bucket_start)", anomalies = "hour(event_at)" }
    error_message = "Each Iceberg table must be partitioned by the hour of its event time and by nothing else."
  }

  assert {
    condition = alltrue([
      for table in aws_glue_catalog_table.iceberg :
      table.open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].schema[0].fields[*].id == range(1, length(table.open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].schema[0].fields) + 1)
    ])
    error_message = "The ids of an Iceberg table's fields must count from 1, as source_id of its partition takes for granted."
  }
}

run "iceberg_columns_are_those_of_the_contracts" {
  command = plan

  assert {
    condition = {
      for name, table in aws_glue_catalog_table.iceberg :
      name => [for field in table.open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].schema[0].fields : "${field.name} ${jsondecode(field.type)}"]
      } == {
      for name, contract in { raw = "tick", aggregated_1m = "candle", aggregated_5m = "candle", anomalies = "anomaly" } :
      name => [
        for field in jsondecode(file("../tick_pipeline/contracts/${contract}.json")).fields :
        "${field.name} ${lookup(field, "iceberg_type", { string = "string", int64 = "long", double = "double", timestamp = "timestamptz" }[field.type])}"
      ]
    }
    error_message = "The columns of an Iceberg table are not those of its contract."
  }

  assert {
    condition     = length([for field in aws_glue_catalog_table.iceberg["raw"].open_table_format_input[0].iceberg_input[0].iceberg_table_input[0].schema[0].fields : field if field.required]) == 0
    error_message = "raw keeps invalid records, so none of its columns may be required."
  }
}

run "iceberg_upkeep_is_glues_by_default" {
  command = plan

  assert {
    condition = alltrue([
      for optimizers in [aws_glue_catalog_table_optimizer.compaction, aws_glue_catalog_table_optimizer.retention, aws_glue_catalog_table_optimizer.orphan_file_deletion] :
      join(",", keys(optimizers)) == "aggregated_1m,aggregated_5m,anomalies,raw" && alltrue([for optimizer in optimizers : optimizer.configuration[0].enabled])
    ])
    error_message = "Every Iceberg table must be compacted, its snapshots expired and its orphan files removed."
  }

  assert {
    condition     = alltrue([for optimizer in aws_glue_catalog_table_optimizer.compaction : optimizer.configuration[0].compaction_configuration[0].iceberg_configuration[0].min_input_files <= 10])
    error_message = "Compaction must begin at fewer files than an hour brings: Glue's own threshold of 100 in a partition is never met."
  }

  assert {
    condition     = alltrue([for optimizer in aws_glue_catalog_table_optimizer.orphan_file_deletion : optimizer.configuration[0].orphan_file_deletion_configuration[0].iceberg_configuration[0].orphan_file_retention_period_in_days >= 3])
    error_message = "A file younger than three days may belong to a job that has not committed yet: it is no orphan."
  }
}

run "iceberg_has_one_maintainer" {
  command = plan

  variables {
    iceberg_maintainer = "table_maintenance"
  }

  assert {
    condition     = length(aws_glue_catalog_table_optimizer.compaction) + length(aws_glue_catalog_table_optimizer.retention) + length(aws_glue_catalog_table_optimizer.orphan_file_deletion) + length(module.optimizer_role) == 0
    error_message = "Where Dagster maintains the tables Glue must not do so too."
  }
}
