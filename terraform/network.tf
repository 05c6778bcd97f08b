# VPC endpoints, for producers and Dagster in subnets without a way out. Firehose and Glue need none: they run outside.

locals {
  interface_endpoints = var.vpc_endpoints == null ? toset([]) : toset(concat(
    ["athena", "glue", "kinesis-firehose", "kinesis-streams", "logs", "monitoring", "sns", "sts"],
    [for service in ["kms"] : service if local.uses_kms],
  ))

  # Through these endpoints only this account's principals: keys of another account, smuggled in, carry no data out.
  # What they may do is for their own policies. Unsigned calls have no principal and are refused as well: tokens of a
  # web identity (AssumeRoleWithWebIdentity) are then to be exchanged outside of this VPC's endpoint.
  this_account_only = {
    Sid       = "ThisAccountOnlyNoNarrowerResource"
    Effect    = "Allow"
    Principal = "*"
    Action    = "*"
    Resource  = "*"
    Condition = { StringEquals = { "aws:PrincipalAccount" = local.account_id } }
  }
}

resource "aws_vpc_endpoint" "s3" {
  count = var.vpc_endpoints == null ? 0 : 1

  vpc_id            = var.vpc_endpoints.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.vpc_endpoints.route_table_ids

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.this_account_only,
      {
        # Layers of container images come from a bucket of ECR's, signed by ECR ("Amazon ECR interface VPC endpoints").
        Sid       = "ImageLayers"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "arn:${local.partition}:s3:::prod-${var.region}-starport-layer-bucket/*"
      },
    ]
  })

  lifecycle {
    precondition {
      condition     = length(var.vpc_endpoints.route_table_ids) > 0
      error_message = "vpc_endpoints.route_table_ids is empty: a gateway endpoint works through route tables; name those of the subnets."
    }
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = var.vpc_endpoints.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.vpc_endpoints.subnet_ids
  security_group_ids  = var.vpc_endpoints.security_group_ids
  private_dns_enabled = true

  policy = jsonencode({ Version = "2012-10-17", Statement = [local.this_account_only] })
}
