# One role for one actor: who may become it, and all that it may do.

locals {
  equal = { for key, value in {
    "sts:ExternalId"    = var.trust.external_id
    "aws:SourceAccount" = var.trust.source_account
  } : key => value if value != null }

  service_conditions = merge(
    { for operator in ["StringEquals"] : operator => local.equal if length(local.equal) > 0 },
    { for operator in ["ArnLike"] : operator => { "aws:SourceArn" = var.trust.source_arns } if length(var.trust.source_arns) > 0 },
  )

  trust_statements = concat(
    [for services in [var.trust.services] : merge(
      {
        Sid       = "Services"
        Effect    = "Allow"
        Principal = { Service = services }
        Action    = "sts:AssumeRole"
      },
      { for key, conditions in { Condition = local.service_conditions } : key => conditions if length(conditions) > 0 },
    ) if length(services) > 0],
    [for principals in [var.trust.principals] : {
      Sid       = "Principals"
      Effect    = "Allow"
      Principal = { AWS = principals }
      Action    = "sts:AssumeRole"
    } if length(principals) > 0],
  )
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = local.trust_statements })
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = var.max_session_hours * 3600
}

resource "aws_iam_role_policy" "this" {
  name   = "actor"
  role   = aws_iam_role.this.name
  policy = var.policy

  lifecycle {
    precondition {
      # IAM counts no white space, and jsonencode writes none.
      condition     = length(var.policy) <= 10240
      error_message = "${var.name}: the policy has ${length(var.policy)} characters; IAM takes 10240 in a role's own policies."
    }
  }
}
