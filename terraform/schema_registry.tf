# The tick's JSON Schema, where producers of other teams find it and where an incompatible change is refused. It gates
# changes only: the wire carries plain JSON, without a schema id, so that any tool can read a record.

resource "aws_glue_registry" "ticks" {
  registry_name = var.project
  description   = "Schemas of what goes through ${local.stream_name}"
}

resource "aws_glue_schema" "tick" {
  schema_name       = "tick"
  registry_arn      = aws_glue_registry.ticks.arn
  data_format       = "JSON"
  compatibility     = "BACKWARD"
  schema_definition = jsonencode(jsondecode(file("${path.module}/rendered/tick.schema.json")))
  description       = local.contracts.tick.grain
}
