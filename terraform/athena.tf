# Workgroups bound what a query may cost, each its own results; saved queries are the package's .sql files.

resource "aws_athena_workgroup" "group" {
  for_each = var.athena_workgroups

  name          = local.workgroup_names[each.key]
  description   = each.value.description
  force_destroy = var.force_destroy

  configuration {
    # What is set here holds, whatever a client asks for: no result elsewhere, no limit passed.
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = floor(each.value.scan_limit_gib * 1024 * 1024 * 1024)

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      # Results expire by the bucket's lifecycle (athena_results_retention_days).
      output_location = "s3://${local.bucket}/${local.prefixes.athena_results}/${each.key}/"

      encryption_configuration {
        encryption_option = local.uses_kms ? "SSE_KMS" : "SSE_S3"
        kms_key_arn       = local.kms_key_arn
      }
    }
  }
}

locals {
  # Made from tick_pipeline/queries/*.sql by `make tf-render`: defaults filled in, so that each runs as it stands.
  queries = jsondecode(file("${path.module}/rendered/queries.json"))
  # Those whose tables are all there.
  enabled_queries = {
    for name, query in local.queries : name => query
    if length(setsubtract(query.storage_modes, var.storage_modes)) == 0
  }
  query_workgroup = contains(keys(var.athena_workgroups), "analysts") ? "analysts" : "jobs"
}

resource "aws_athena_named_query" "query" {
  for_each = local.enabled_queries

  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.group[local.query_workgroup].name
  database    = local.databases[each.value.storage_modes[0]]
  query       = replace(replace(each.value.sql, "@iceberg@", lookup(local.databases, "iceberg", "")), "@parquet_projection@", lookup(local.databases, "parquet_projection", ""))

  depends_on = [aws_glue_catalog_table.view]
}
