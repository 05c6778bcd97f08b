# Access: nothing that was not asked for, and for this account alone. Every policy: test_policies.py.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "no_endpoint_and_no_grant_by_default" {
  command = plan

  assert {
    condition     = length(aws_vpc_endpoint.s3) + length(aws_vpc_endpoint.interface) == 0
    error_message = "Nobody asked for VPC endpoints, which are billed by the hour."
  }

  assert {
    condition     = length(aws_lakeformation_permissions.database) + length(aws_lakeformation_permissions.table) == 0
    error_message = "Nobody asked for Lake Formation, whose grants only a data lake administrator can make."
  }
}

run "lake_formation_grants_what_iam_allows" {
  command = plan

  variables {
    lake_formation_enabled = true
  }

  assert {
    condition = (
      toset(aws_lakeformation_permissions.table["analyst.iceberg.ticks"].permissions) == toset(["DESCRIBE", "SELECT"])
      && toset(aws_lakeformation_permissions.table["firehose_iceberg.iceberg.raw"].permissions) == toset(["ALTER", "DELETE", "DESCRIBE", "INSERT", "SELECT"])
      && toset(aws_lakeformation_permissions.table["glue_batch.iceberg.raw"].permissions) == toset(["DESCRIBE", "SELECT"])
    )
    error_message = "Analysts read, Firehose commits to raw, and the batch jobs only read raw."
  }

  assert {
    condition     = alltrue([for name, grant in aws_lakeformation_permissions.table : !contains(grant.permissions, "ALL") && !contains(grant.permissions, "DROP")])
    error_message = "No role may drop a table or do everything to it."
  }

  assert {
    condition     = length(setsubtract([for name, _ in aws_lakeformation_permissions.table : join(".", slice(split(".", name), 0, 2))], keys(aws_lakeformation_permissions.database))) == 0
    error_message = "Whoever sees a table must see its database."
  }
}

run "endpoints_are_for_this_account_alone" {
  command = plan

  variables {
    vpc_endpoints = {
      vpc_id             = "vpc-0123456789abcdef0"
      subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
      route_table_ids    = ["rtb-0123456789abcdef0"]
      security_group_ids = ["sg-0123456789abcdef0"]
    }
  }

  assert {
    condition     = one(aws_vpc_endpoint.s3).vpc_endpoint_type == "Gateway" && join(",", one(aws_vpc_endpoint.s3).route_table_ids) == "rtb-0123456789abcdef0"
    error_message = "S3 must be reached by a gateway, which is free, through the route tables."
  }

  assert {
    condition     = join(",", keys(aws_vpc_endpoint.interface)) == "athena,glue,kinesis-firehose,kinesis-streams,logs,monitoring,sns,sts"
    error_message = "An endpoint is missing or too many; there are ${join(", ", keys(aws_vpc_endpoint.interface))}."
  }

  assert {
    condition = alltrue([
      for endpoint in concat(values(aws_vpc_endpoint.interface), aws_vpc_endpoint.s3) :
      try(jsondecode(endpoint.policy).Statement[0].Condition.StringEquals["aws:PrincipalAccount"], "") == "123456789012"
    ])
    error_message = "Keys of another account must not carry data out through an endpoint."
  }
}

run "role_is_bound_to_this_account" {
  command = plan

  module {
    source = "./modules/actor"
  }

  variables {
    name                     = "some-role"
    description              = "some role"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    trust = {
      services       = ["glue.amazonaws.com"]
      source_account = "123456789012"
      source_arns    = ["arn:aws:glue:us-east-1:123456789012:*"]
    }
    policy = "{}"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Sid       = "Services"
      Effect    = "Allow"
      Principal = { Service = ["glue.amazonaws.com"] }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "123456789012" }
        ArnLike      = { "aws:SourceArn" = ["arn:aws:glue:us-east-1:123456789012:*"] }
      }
    }]
    error_message = "A service must act for this account alone: ${aws_iam_role.this.assume_role_policy}."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The role must have the boundary."
  }
}
