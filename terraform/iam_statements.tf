# What iam.tf's actors have in common: ARNs, and the statements that follow from the prefixes and tables of an actor.
#
# ARNs are made from names, not taken from resources: a Firehose needs its role, so the role must not need the Firehose.
# A Sid that ends in NoNarrowerResource marks the few actions for which AWS knows no resource but "*".

locals {
  stream_arn = "arn:${local.partition}:kinesis:${var.region}:${local.account_id}:stream/${local.stream_name}"
  glue_arn   = "arn:${local.partition}:glue:${var.region}:${local.account_id}"
  log_arn    = "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group"
  athena_arn = "arn:${local.partition}:athena:${var.region}:${local.account_id}"
  account    = "arn:${local.partition}:iam::${local.account_id}:root"

  job_arns = { for job, name in local.job_names : job => "${local.glue_arn}:job/${name}" }
  job_log_groups = {
    for job, name in local.job_names : job => [for kind in ["output", "error"] : "${local.log_arn}:/aws-glue/jobs/${name}/${kind}:*"]
  }

  # Tables and views as `<mode>.<name>`; Glue asks for the right on a table, its database and the catalog.
  stored_tables = { for mode in var.storage_modes : mode => [for table in keys(local.table_contracts) : "${mode}.${table}"] }
  readable      = concat(flatten(values(local.stored_tables)), keys(local.enabled_views))
  table_arns = {
    for name in local.readable : name => [
      "${local.glue_arn}:catalog",
      "${local.glue_arn}:database/${local.databases[split(".", name)[0]]}",
      "${local.glue_arn}:table/${local.databases[split(".", name)[0]]}/${split(".", name)[1]}",
    ]
  }
  table_paths = { for mode in var.storage_modes : mode => local.table_prefixes[mode] }

  # Empty without a customer managed key: AWS's own keys serve every principal of the account.
  key_arns = [for arn in [local.kms_key_arn] : arn if local.uses_kms]
  via      = { for service in ["kinesis", "s3", "sns"] : service => "${service}.${var.region}.${data.aws_partition.current.dns_suffix}" }

  # Whom Firehose and Glue act for. Firehose sends the account as external ID ("Controlling access with Amazon Data
  # Firehose"), Glue as aws:SourceAccount.
  trusts_firehose = { services = ["firehose.amazonaws.com"], external_id = local.account_id }
  trusts_glue     = { services = ["glue.amazonaws.com"], source_account = local.account_id }
}

locals {
  put_ticks = [for statement in [
    {
      Sid      = "PutTicks"
      Effect   = "Allow"
      Action   = ["kinesis:PutRecord", "kinesis:PutRecords", "kinesis:DescribeStreamSummary", "kinesis:ListShards"]
      Resource = [local.stream_arn]
    },
    {
      Sid       = "EncryptTicks"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey"]
      Resource  = local.key_arns
      Condition = { StringEquals = { "kms:ViaService" = local.via.kinesis } }
    },
  ] : statement if length(statement.Resource) > 0]

  read_stream = [for statement in [
    {
      Sid      = "ReadStream"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      Resource = [local.stream_arn]
    },
    {
      Sid       = "DecryptTicks"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = local.key_arns
      Condition = { StringEquals = { "kms:ViaService" = local.via.kinesis } }
    },
  ] : statement if length(statement.Resource) > 0]

  # Glue's own metrics (--enable-metrics, --enable-observability-metrics) and the jobs'.
  put_metrics = [{
    Sid       = "PutMetricsNoNarrowerResource"
    Effect    = "Allow"
    Action    = ["cloudwatch:PutMetricData"]
    Resource  = ["*"]
    Condition = { StringEquals = { "cloudwatch:namespace" = ["Glue", local.metrics_namespace] } }
  }]

  # Actor -> Athena's rights in its workgroups. Athena also asks for the database `default`, whatever a query names
  # ("Configure access to databases and tables in the AWS Glue Data Catalog").
  query_workgroups = {
    dagster = [for name in keys(var.athena_workgroups) : name if contains(["jobs", "experiments"], name)]
    analyst = [for name in keys(var.athena_workgroups) : name if name != "jobs"]
  }
  run_queries = {
    for actor, names in local.query_workgroups : actor => [for statement in [
      {
        Sid    = "RunQueries"
        Effect = "Allow"
        Action = [
          "athena:BatchGetQueryExecution",
          "athena:GetQueryExecution",
          "athena:GetQueryResults",
          "athena:GetQueryResultsStream",
          "athena:GetQueryRuntimeStatistics",
          "athena:GetWorkGroup",
          "athena:ListQueryExecutions",
          "athena:StartQueryExecution",
          "athena:StopQueryExecution",
        ]
        Resource = [for name in names : "${local.athena_arn}:workgroup/${local.workgroup_names[name]}"]
      },
      {
        Sid      = "AthenaLooksAtDefault"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase", "glue:GetDatabases"]
        Resource = distinct(concat(["${local.glue_arn}:catalog", "${local.glue_arn}:database/default"], flatten([for name in local.readable : local.table_arns[name][1]])))
      },
    ] : statement if length(statement.Resource) > 0]
  }
  query_results = { for actor, names in local.query_workgroups : actor => [for name in names : "${local.prefixes.athena_results}/${name}"] }
}

# Actor -> statements on bucket and catalog, from local.access in iam.tf.
locals {
  # Actor -> right -> keys below its prefixes. Spark on Glue also writes `<folder>_$folder$`, EMRFS's mark of an empty
  # folder, but not for Iceberg, whose files go to S3 without EMRFS.
  keys = {
    for actor, may in local.access : actor => {
      for right in ["read", "write", "delete"] : right => flatten([
        for prefix in may[right] : concat(["${prefix}/*"], [
          for mark in ["${prefix}_$folder$"] : mark if may.spark && !startswith(prefix, "${local.prefixes.warehouse}/iceberg/")
        ])
      ])
    }
  }

  lake_statements = {
    for actor, may in local.access : actor => [for statement in [
      {
        Sid      = "SeeBucket"
        Effect   = "Allow"
        Action   = concat(["s3:GetBucketLocation"], [for action in ["s3:ListBucketMultipartUploads"] : action if length(may.write) > 0])
        Resource = [local.bucket_arn]
      },
      {
        # Also decides whether a missing key below them is told as missing (404) or refused (403).
        Sid      = "ListOwnPrefixes"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arn]
        Condition = { StringLike = { "s3:prefix" = distinct(concat(
          may.read, may.write, may.delete, local.keys[actor].read, local.keys[actor].write, local.keys[actor].delete
        )) } }
      },
      {
        Sid      = "ReadObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for key in local.keys[actor].read : "${local.bucket_arn}/${key}"]
      },
      {
        Sid      = "WriteObjects"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = [for key in local.keys[actor].write : "${local.bucket_arn}/${key}"]
      },
      {
        Sid      = "DeleteObjects"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = [for key in local.keys[actor].delete : "${local.bucket_arn}/${key}"]
      },
      {
        # With a bucket key the encryption context is the bucket, else the object ("Reducing the cost of SSE-KMS with
        # Amazon S3 Bucket Keys"). An upload in parts is decrypted when it is put together.
        Sid      = "UseKeyForObjects"
        Effect   = "Allow"
        Action   = concat(["kms:Decrypt"], [for action in ["kms:GenerateDataKey"] : action if length(may.write) > 0])
        Resource = local.key_arns
        Condition = {
          StringEquals = { "kms:ViaService" = local.via.s3 }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [local.bucket_arn, "${local.bucket_arn}/*"] }
        }
      },
      {
        Sid      = "ReadCatalog"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]
        Resource = distinct(flatten([for name in may.catalog_read : local.table_arns[name]]))
      },
      {
        # An Iceberg commit is a table whose metadata location was moved.
        Sid      = "CommitToTables"
        Effect   = "Allow"
        Action   = ["glue:UpdateTable"]
        Resource = distinct(flatten([for name in may.catalog_commit : local.table_arns[name]]))
      },
      {
        # Needed where somebody registered the bucket with Lake Formation, whose grants then decide.
        Sid      = "DataByLakeFormationNoNarrowerResource"
        Effect   = "Allow"
        Action   = ["lakeformation:GetDataAccess"]
        Resource = [for resource in ["*"] : resource if var.lake_formation_enabled && length(may.catalog_read) > 0]
      },
    ] : statement if length(statement.Resource) > 0]
  }
}
