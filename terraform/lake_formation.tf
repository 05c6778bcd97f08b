# Grants of Lake Formation, where it guards this account's catalog: IAM's rights on a table then count only together with
# them. They follow from local.access, as the IAM policies do.
#
# The bucket is not registered with Lake Formation: each role reaches its own prefixes by IAM alone, and no role makes a
# table, for which DATA_LOCATION_ACCESS would be needed. Register it (and grant columns) where an analyst may see a part of
# a table only. New databases still carry IAM_ALLOWED_PRINCIPALS unless the account's data lake settings leave it out.

locals {
  actor_arns = merge(
    {
      glue_batch  = module.glue_batch_role.arn
      glue_stream = module.glue_stream_role.arn
      dagster     = module.dagster_role.arn
      analyst     = module.analyst_role.arn
    },
    { for mode in var.storage_modes : "firehose_${mode}" => module.firehose_role[mode].arn },
    # None of it without optimizers; the archive's Firehose sees no table.
    { for number, role in module.optimizer_role : "optimizer" => role.arn },
  )

  # `<actor>.<mode>` and `<actor>.<mode>.<table>`, as local.access names them.
  table_grants = var.lake_formation_enabled ? merge([
    for actor in keys(local.actor_arns) : {
      for name in local.access[actor].catalog_read : "${actor}.${name}" => {
        actor = actor
        mode  = split(".", name)[0]
        table = split(".", name)[1]
        # ALTER: a commit updates the table in the catalog.
        permissions = contains(local.access[actor].catalog_commit, name) ? ["ALTER", "DELETE", "DESCRIBE", "INSERT", "SELECT"] : ["DESCRIBE", "SELECT"]
      }
    }
  ]...) : {}
  database_grants = {
    for key in distinct([for grant in values(local.table_grants) : "${grant.actor}.${grant.mode}"]) :
    key => { actor = split(".", key)[0], mode = split(".", key)[1] }
  }
}

resource "aws_lakeformation_permissions" "database" {
  for_each = local.database_grants

  principal   = local.actor_arns[each.value.actor]
  permissions = ["DESCRIBE"]

  database {
    name = aws_glue_catalog_database.mode[each.value.mode].name
  }
}

resource "aws_lakeformation_permissions" "table" {
  for_each = local.table_grants

  principal   = local.actor_arns[each.value.actor]
  permissions = each.value.permissions

  table {
    database_name = aws_glue_catalog_database.mode[each.value.mode].name
    name          = each.value.table
  }

  depends_on = [aws_glue_catalog_table.iceberg, aws_glue_catalog_table.parquet_projection, aws_glue_catalog_table.view]
}
