# Upkeep of the Iceberg tables by Glue: compaction, expiry of snapshots, removal of orphan files. With
# iceberg_maintainer = "table_maintenance" the Dagster job of that name does it, and none of this is made.

locals {
  optimized_tables = { for table, contract in local.iceberg_tables : table => contract if var.iceberg_maintainer == "table_optimizers" }
}

resource "aws_glue_catalog_table_optimizer" "compaction" {
  for_each = local.optimized_tables

  catalog_id    = local.account_id
  database_name = aws_glue_catalog_database.mode["iceberg"].name
  table_name    = aws_glue_catalog_table.iceberg[each.key].name
  type          = "compaction"

  configuration {
    enabled  = true
    role_arn = one(module.optimizer_role[*].arn)

    compaction_configuration {
      iceberg_configuration {
        strategy = "binpack"
        # Glue's own threshold of 100 files in a partition would never be met: an hour of raw has one for each of
        # Firehose's intervals, the other tables have one or two.
        min_input_files       = 5
        delete_file_threshold = 1
      }
    }
  }
}

resource "aws_glue_catalog_table_optimizer" "retention" {
  for_each = local.optimized_tables

  catalog_id    = local.account_id
  database_name = aws_glue_catalog_database.mode["iceberg"].name
  table_name    = aws_glue_catalog_table.iceberg[each.key].name
  type          = "retention"

  configuration {
    enabled  = true
    role_arn = one(module.optimizer_role[*].arn)

    retention_configuration {
      iceberg_configuration {
        snapshot_retention_period_in_days = var.snapshot_retention_days
        number_of_snapshots_to_retain     = 10
        clean_expired_files               = true
      }
    }
  }
}

resource "aws_glue_catalog_table_optimizer" "orphan_file_deletion" {
  for_each = local.optimized_tables

  catalog_id    = local.account_id
  database_name = aws_glue_catalog_database.mode["iceberg"].name
  table_name    = aws_glue_catalog_table.iceberg[each.key].name
  type          = "orphan_file_deletion"

  configuration {
    enabled  = true
    role_arn = one(module.optimizer_role[*].arn)

    orphan_file_deletion_configuration {
      iceberg_configuration {
        # Longer than any job writes: a file that is not yet committed looks like an orphan.
        orphan_file_retention_period_in_days = 3
        location                             = "s3://${local.bucket}/${local.table_prefixes.iceberg[each.key]}"
      }
    }
  }
}
