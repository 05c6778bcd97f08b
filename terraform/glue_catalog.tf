# One database for each storage mode, the same four tables in each, and the views that make both read alike.

locals {
  # Table -> key prefix in the bucket: `<warehouse>/<mode>/<table>`, as table_location in tick_pipeline/storage.py.
  table_prefixes = {
    for mode in ["iceberg", "parquet_projection"] : mode => {
      for table in keys(local.table_contracts) : table => "${local.prefixes.warehouse}/${mode}/${table}"
    }
  }
  iceberg_tables = { for table, contract in local.table_contracts : table => contract if contains(var.storage_modes, "iceberg") }
  parquet_tables = { for table, contract in local.table_contracts : table => contract if contains(var.storage_modes, "parquet_projection") }

  # A contract's type as Iceberg and as Glue name it.
  iceberg_types = { string = "string", int64 = "long", double = "double", timestamp = "timestamptz" }
  glue_types    = { string = "string", int64 = "bigint", double = "double", timestamp = "timestamp" }

  # Made from the package by `make tf-render`.
  iceberg = jsondecode(file("${path.module}/rendered/iceberg.json"))
  views   = jsondecode(file("${path.module}/rendered/views.json"))

  # Partition key -> its first and last value and its digits: every hour that can exist, none of it in the catalog.
  projected = {
    year  = { range = "${local.first_year},${local.last_year}", digits = 4 }
    month = { range = "1,12", digits = 2 }
    day   = { range = "1,31", digits = 2 }
    hour  = { range = "0,23", digits = 2 }
  }
  projection = merge({ "projection.enabled" = "true" }, [
    for key in local.partition_keys : {
      "projection.${key}.type"   = "integer"
      "projection.${key}.range"  = local.projected[key].range
      "projection.${key}.digits" = tostring(local.projected[key].digits)
    }
  ]...)
}

resource "aws_glue_catalog_database" "mode" {
  for_each = local.databases

  name         = each.value
  description  = "Ticks, candles and anomalies, stored as ${each.key}"
  location_uri = "${local.warehouse}/${each.key}"
}

resource "aws_glue_catalog_table" "iceberg" {
  for_each = local.iceberg_tables

  database_name = aws_glue_catalog_database.mode["iceberg"].name
  name          = each.key

  open_table_format_input {
    iceberg_input {
      metadata_operation = "CREATE"
      version            = "2"

      iceberg_table_input {
        location = "s3://${local.bucket}/${local.table_prefixes.iceberg[each.key]}"
        properties = merge(
          { for name, value in local.iceberg.properties : name => value if name != "format-version" },
          { comment = "${each.value.grain}; key ${join(", ", each.value.key)}" },
        )

        schema {
          schema_id = 0
          type      = "struct"

          dynamic "fields" {
            for_each = each.value.fields

            content {
              id       = fields.key + 1
              name     = fields.value.name
              type     = jsonencode(try(fields.value.iceberg_type, local.iceberg_types[fields.value.type])) # a JSON text: types can nest
              required = false                                                                              # raw keeps invalid records, nulls included
              doc      = fields.value.description
            }
          }
        }

        partition_spec {
          spec_id = 0

          fields {
            name      = "${local.iceberg.partition_columns[each.key]}_hour"
            source_id = index(each.value.fields[*].name, local.iceberg.partition_columns[each.key]) + 1
            field_id  = 1000 # where Iceberg begins to number partition fields
            transform = "hour"
          }
        }
      }
    }
  }

  # The first metadata file is to be encrypted and versioned as all that follow.
  depends_on = [
    aws_s3_bucket_policy.lake,
    aws_s3_bucket_server_side_encryption_configuration.lake,
    aws_s3_bucket_versioning.lake,
  ]

  lifecycle {
    # Every commit moves the metadata location, and a schema changes by `tick-pipeline contracts apply`, which rewrites
    # no file and loses no reader. An apply that set one of these back would write the metadata location it had read
    # before, and hide every commit since.
    ignore_changes = [description, open_table_format_input, owner, parameters, partition_keys, retention, storage_descriptor, table_type]
  }
}

resource "aws_glue_catalog_table" "parquet_projection" {
  for_each = local.parquet_tables

  database_name = aws_glue_catalog_database.mode["parquet_projection"].name
  name          = each.key
  description   = "${each.value.grain}; key ${join(", ", each.value.key)}"
  table_type    = "EXTERNAL_TABLE"

  # No crawler and no partition in the catalog: Athena works out each hour's folder from the query's own filter.
  parameters = merge(local.projection, {
    EXTERNAL       = "TRUE"
    classification = "parquet"
    "storage.location.template" = join("/", concat(
      ["s3://${local.bucket}/${local.table_prefixes.parquet_projection[each.key]}"],
      [for key in local.partition_keys : "${key}=$${${key}}"],
    ))
  })

  dynamic "partition_keys" {
    for_each = local.partition_keys

    content {
      name    = partition_keys.value
      type    = "string"
      comment = "${partition_keys.value} of the event, UTC, zero-padded"
    }
  }

  storage_descriptor {
    location      = "s3://${local.bucket}/${local.table_prefixes.parquet_projection[each.key]}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.fields

      content {
        name    = columns.value.name
        type    = local.glue_types[columns.value.type]
        comment = columns.value.description
      }
    }
  }
}

locals {
  # `<mode>.<view>` -> the view of an enabled mode, its text with the database's name in it.
  enabled_views = merge([
    for mode in var.storage_modes : {
      for name, view in local.views[mode] : "${mode}.${name}" => {
        mode    = mode
        name    = name
        columns = view.columns
        sql     = replace(view.sql, "@${mode}@", local.databases[mode])
      }
    }
  ]...)
}

# A view lies in the catalog as Athena itself writes it: the statement, its catalog and its columns in one JSON text.
resource "aws_glue_catalog_table" "view" {
  for_each = local.enabled_views

  database_name = aws_glue_catalog_database.mode[each.value.mode].name
  name          = each.value.name
  description   = "View over raw that reads the same in both storage modes"
  table_type    = "VIRTUAL_VIEW"

  parameters = {
    presto_view = "true"
    comment     = "Presto View"
  }

  view_expanded_text = "/* Presto View */"
  view_original_text = "/* Presto View: ${base64encode(jsonencode({
    originalSql = each.value.sql
    catalog     = "awsdatacatalog"
    schema      = local.databases[each.value.mode]
    columns     = [for column in each.value.columns : { name = column.name, type = column.athena_type }]
  }))} */"

  storage_descriptor {
    # Athena wants them to be there, whatever they say; the provider sends no empty block.
    ser_de_info {
      name                  = "-"
      serialization_library = "-"
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.name
        type = columns.value.glue_type
      }
    }
  }

  depends_on = [aws_glue_catalog_table.iceberg, aws_glue_catalog_table.parquet_projection]
}
