# What is told, and to whom: one topic, alarms as data, and a notice of each Glue run that failed.

resource "aws_sns_topic" "alerts" {
  name = "${var.project}-alerts"
  # A customer managed key or none. AWS's own (alias/aws/sns) has a policy that nobody can change, and it lets
  # neither CloudWatch nor EventBridge nor Budgets in: their messages would be dropped without a word.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
  kms_master_key_id = local.uses_kms ? local.kms_key_arn : null
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = jsonencode(local.alerts_policy)
}

locals {
  # By its name, so that a plan shows the policies whole.
  topic_arn = "arn:${local.partition}:sns:${var.region}:${local.account_id}:${var.project}-alerts"

  alerts_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AlarmsAndBudgetsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        # Without a condition: EventBridge sends SNS none of the keys that one could test, and is then refused.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        Sid       = "EventBridge"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
      },
    ]
  }
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_email == null ? [] : [var.alarm_email])

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.alarms_enabled }

  alarm_name          = "${var.project}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = try(each.value.comparison, "GreaterThanThreshold")
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  treat_missing_data  = try(each.value.missing, "notBreaching")
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "value"
    return_data = !can(each.value.expression)

    metric {
      namespace   = each.value.namespace
      metric_name = each.value.metric
      dimensions  = each.value.dimensions
      stat        = each.value.statistic
      period      = each.value.period
    }
  }

  dynamic "metric_query" {
    for_each = can(each.value.expression) ? [each.value.expression] : []

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  lifecycle {
    precondition {
      # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
      condition     = each.value.period * each.value.periods <= (each.value.period < 3600 ? 86400 : 604800)
      error_message = "Alarm ${each.key} looks back ${each.value.period * each.value.periods} s: CloudWatch takes a day, or seven with periods of an hour and more."
    }
  }
}

locals {
  # Name -> an alarm: `statistic` of `metric` over `period` seconds, or `expression` of it, against `threshold` in
  # `periods` periods in succession. If not given: comparison GreaterThanThreshold, missing notBreaching, which is
  # right for metrics that are only sent when something happens.
  alarms = merge(
    {
      stream-behind = {
        description = "A reader of the stream is more than 5 minutes behind, so tables or anomalies are late. First: see on the dashboard which Firehose is behind, or whether the streaming job has just started and catches up."
        namespace   = "AWS/Kinesis"
        metric      = "GetRecords.IteratorAgeMilliseconds"
        dimensions  = { StreamName = local.stream_name }
        statistic   = "Maximum"
        period      = 60
        periods     = 5
        threshold   = 5 * 60 * 1000
      }

      stream-loss-near = {
        description = "Loss draws near: a reader is behind by more than half of the ${var.stream_retention_hours} hours that the stream keeps. First: raise stream_retention_hours and apply, which also saves what is in the stream; then mend the reader."
        namespace   = "AWS/Kinesis"
        metric      = "GetRecords.IteratorAgeMilliseconds"
        dimensions  = { StreamName = local.stream_name }
        statistic   = "Maximum"
        period      = 60
        periods     = 5
        expression  = "100 * value / ${var.stream_retention_hours * 3600 * 1000}"
        threshold   = 50
      }

      stream-writes-refused = {
        description = "The stream refuses records; producers repeat them, and lose them if they give up. First: ${var.stream_mode == "PROVISIONED" ? "raise stream_shards" : "wait, since ON_DEMAND scales within minutes"}; if it stays, look for one symbol that fills one shard."
        namespace   = "AWS/Kinesis"
        metric      = "WriteProvisionedThroughputExceeded"
        dimensions  = { StreamName = local.stream_name }
        statistic   = "Sum"
        period      = 300
        periods     = 2
        threshold   = 0
      }

      stream-reads-refused = {
        description = "Readers ask for more than the shards' common 2 MB/s or 5 reads a second, and fall behind. First: look for a reader too many (another consumer, a second streaming job); else set enhanced_fan_out_enabled."
        namespace   = "AWS/Kinesis"
        metric      = "ReadProvisionedThroughputExceeded"
        dimensions  = { StreamName = local.stream_name }
        statistic   = "Sum"
        period      = 300
        periods     = 3
        threshold   = 0
      }
    },

    # By enhanced fan-out the streaming job no longer shows in the stream's iterator age.
    { for consumer in aws_kinesis_stream_consumer.anomaly_stream[*].name : "anomaly-stream-behind" => {
      description = "The streaming job is more than 5 minutes behind the stream, so anomalies are late. First: see in its log whether it catches up after a start; if not, it takes more than one driver scores: docs/anomalies-at-scale.md."
      namespace   = "AWS/Kinesis"
      metric      = "SubscribeToShardEvent.MillisBehindLatest"
      dimensions  = { StreamName = local.stream_name, ConsumerName = consumer }
      statistic   = "Maximum"
      period      = 60
      periods     = 5
      threshold   = 5 * 60 * 1000
    } },

    { for key, firehose in local.watched_firehoses : "landing-late-${key}" => {
      description = "The oldest record that ${firehose.name} has not delivered is older than ${local.late_landing_seconds / 60} minutes: its hours stay open. First: read its log group; a missing permission, a changed table or a deleted key shows there."
      namespace   = "AWS/Firehose"
      metric      = firehose.freshness
      dimensions  = { DeliveryStreamName = firehose.name }
      statistic   = "Maximum"
      period      = 300
      periods     = 2
      threshold   = local.late_landing_seconds
    } },

    { for mode, name in local.firehose_names : "rows-failed-${replace(mode, "_", "-")}" => {
      description = "Records did not become rows of ${local.databases[mode]}.raw; they lie under s3://${local.bucket}/${local.error_prefixes[mode]}/. First: read the error message of one; a new field means that a producer is ahead of the contract."
      namespace   = "AWS/Firehose"
      metric      = local.failed_rows_metrics[mode]
      dimensions  = { DeliveryStreamName = name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 0
    } },

    # Only the Parquet Firehose partitions dynamically.
    { for mode, name in local.firehose_names : "partitions-many" => {
      description = "${name} writes into more than 400 hours at once; from 500 on it sends records to the error prefix. First: find who replays old ticks, and let them come in the order of time, or slower."
      namespace   = "AWS/Firehose"
      metric      = "PartitionCount"
      dimensions  = { DeliveryStreamName = name }
      statistic   = "Maximum"
      period      = 60
      periods     = 3
      threshold   = 400
    } if mode == "parquet_projection" },

    { for mode, name in local.firehose_names : "partitions-exceeded" => {
      description = "${name} had more than its limit of active partitions: records go to s3://${local.bucket}/${local.error_prefixes[mode]}/. First: stop the replay that does it; then redrive the error records."
      namespace   = "AWS/Firehose"
      metric      = "PartitionCountExceeded"
      dimensions  = { DeliveryStreamName = name }
      statistic   = "Maximum"
      period      = 60
      periods     = 1
      threshold   = 0
    } if mode == "parquet_projection" },

    { for key, rule in aws_cloudwatch_event_rule.error_objects : "error-objects-${key}" => {
      description = "New objects under s3://${local.bucket}/${local.watched_errors[key]}: records that no table holds, kept for ${var.errors_retention_days} days. First: read one; mend the cause, then redrive them."
      namespace   = "AWS/Events"
      metric      = "TriggeredRules"
      dimensions  = { RuleName = rule.name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 0
    } },

    # Glue sends its own metrics from a job with --enable-metrics whose script has made a GlueContext.
    # https://docs.aws.amazon.com/glue/latest/dg/monitoring-awsglue-with-cloudwatch-metrics.html
    { for key, name in local.job_names : "tasks-failed-${replace(key, "_", "-")}" => {
      description = "Spark tasks of ${name} failed. Spark repeats them, so the run may yet succeed. First: look in its log for lost executors (out of memory: glue_worker_type) or refused requests to S3."
      namespace   = "Glue"
      metric      = "glue.driver.aggregate.numFailedTasks"
      dimensions  = { JobName = name, JobRunId = "ALL", Type = "count" }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 1
      comparison  = "GreaterThanOrEqualToThreshold"
    } },

    # A notice that could not be published leaves no other trace.
    { for key, rule in aws_cloudwatch_event_rule.notice : "notice-lost-${key}" => {
      description = "A notice of a Glue run could not be published. First: look for the run in Glue's console; then see whether the policies of the topic and of its key let events.amazonaws.com in."
      namespace   = "AWS/Events"
      metric      = "FailedInvocations"
      dimensions  = { RuleName = rule.name }
      statistic   = "Sum"
      period      = 300
      periods     = 1
      threshold   = 0
    } },

    # A run sends it about 20 minutes after each hour, some minutes earlier or later: one hour without is nothing, two
    # are a run that is missing. FILL: for what is missing CloudWatch would else take older hours into account, and
    # tell hours later. Where all is missing there is nothing to fill, hence `breaching`.
    { for mode in var.storage_modes : "no-candles-${replace(mode, "_", "-")}" => {
      description = "No one-minute candle was written to ${local.databases[mode]} for two hours. First: see whether ticks arrive (if none should, all is well); then whether Dagster's schedule ohlc_hourly is on, and its last run."
      namespace   = local.metrics_namespace
      metric      = "CandlesWritten"
      dimensions  = { StorageMode = mode, Timeframe = "1m" }
      statistic   = "Sum"
      period      = 3600
      periods     = 2
      expression  = "FILL(value, 0)"
      threshold   = 1
      comparison  = "LessThanThreshold"
      missing     = "breaching"
    } },

    { for key, name in local.workgroup_names : "scanned-${key}" => {
      description = "Queries of ${name} scanned more within an hour than one of them may ($5 a TB). First: look in the workgroup's history for a query that is repeated, or has no filter on the time."
      namespace   = "AWS/Athena"
      metric      = "ProcessedBytes"
      dimensions  = { WorkGroup = name }
      statistic   = "Sum"
      period      = 3600
      periods     = 1
      threshold   = var.athena_workgroups[key].scan_limit_gib * pow(1024, 3)
    } },

    # Each query sends one sample of its time. People mistype: of theirs only many mean something.
    { for key, name in local.workgroup_names : "queries-failed-${key}" => {
      description = "Queries of ${name} fail${key == "jobs" ? "" : ", more than people mistype"}. First: read the error of the last in the workgroup's history; a table that changed, a permission, or the limit on what a query may scan."
      namespace   = "AWS/Athena"
      metric      = "TotalExecutionTime"
      dimensions  = { WorkGroup = name, QueryState = "FAILED", QueryType = "DML" }
      statistic   = "SampleCount"
      period      = 3600
      periods     = 1
      threshold   = key == "jobs" ? 1 : 20
      comparison  = "GreaterThanOrEqualToThreshold"
    } },
  )

  # https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
  # https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-metric.html
  freshness_metrics = {
    iceberg            = "DeliveryToIceberg.DataFreshness"
    parquet_projection = "DeliveryToS3.DataFreshness"
  }
  failed_rows_metrics = {
    iceberg            = "DeliveryToIceberg.FailedRowCount"
    parquet_projection = "FailedConversion.Records"
  }

  watched_firehoses = merge(
    { for mode, name in local.firehose_names : replace(mode, "_", "-") => {
      name      = name
      freshness = local.freshness_metrics[mode]
    } },
    var.raw_archive_enabled ? { archive = { name = local.archive_name, freshness = "DeliveryToS3.DataFreshness" } } : {},
  )
  # A record waits for a buffer to fill, and for the next while the first is delivered.
  late_landing_seconds = max(900, 2 * var.firehose_buffer_seconds)

  # Prefixes of error records, in our own bucket: in another's we change no notifications.
  watched_errors = length(local.own_buckets) == 0 || !var.alarms_enabled ? {} : merge(
    { for mode, prefix in local.error_prefixes : replace(mode, "_", "-") => "${prefix}/" },
    var.raw_archive_enabled ? { archive = "${local.prefixes.archive}/_firehose_errors/" } : {},
  )
}

# S3 itself counts no objects of a prefix, but it tells EventBridge of each.
resource "aws_s3_bucket_notification" "events" {
  for_each = local.own_buckets

  bucket      = each.value
  eventbridge = true
}

# Without a target: a rule counts what it matches, and the alarm on that tells once when errors begin and once when
# they end. A target would send a mail for each object, one a minute and mode while a producer is wrong.
resource "aws_cloudwatch_event_rule" "error_objects" {
  for_each = local.watched_errors

  name        = "${var.project}-error-objects-${each.key}"
  description = "Objects written under ${each.value}; alarm ${var.project}-error-objects-${each.key} counts them."
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [local.bucket] }
      object = { key = [{ prefix = each.value }] }
    }
  })
}

locals {
  # Name -> an event of a Glue run that is told as it comes: what it is, and the sentence about it. Not Glue's own message:
  # quotes in it would break the sentence, and the notice would be lost.
  notices = {
    # TIMEOUT is also the streaming job that ran longer than it may and did not end by itself.
    job-failures = {
      description = "Runs of this project's Glue jobs that failed or ran too long."
      detail_type = "Glue Job State Change"
      jobs        = sort(values(local.job_names))
      states      = ["FAILED", "TIMEOUT"]
      sentence    = "The Glue job <job> ended as <state> at <time> (run <run>); why is in the log group /aws-glue/jobs/<job>/error."
    }
    # The run's own clock decides (notify_after_minutes in glue_jobs.tf): an alarm on the job's metrics could not tell one
    # long run from a sensor's restarts.
    stream-runs-long = {
      description = "The streaming job runs longer than anomaly_stream_max_hours and did not end by itself."
      detail_type = "Glue Job Run Status"
      jobs        = [local.job_names.anomaly_stream]
      states      = ["RUNNING"]
      sentence    = "The Glue job <job> still runs at <time> (run <run>) and costs about $0.90 an hour; stop it where nobody wants it."
    }
  }
}

# https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
resource "aws_cloudwatch_event_rule" "notice" {
  for_each = { for name, notice in local.notices : name => notice if var.alarms_enabled }

  name        = "${var.project}-${each.key}"
  description = each.value.description
  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = [each.value.detail_type]
    detail      = { jobName = each.value.jobs, state = each.value.states }
  })
}

resource "aws_cloudwatch_event_target" "notice" {
  for_each = aws_cloudwatch_event_rule.notice

  rule = each.value.name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      job   = "$.detail.jobName"
      state = "$.detail.state"
      run   = "$.detail.jobRunId"
      time  = "$.time"
    }
    input_template = "\"${local.notices[each.key].sentence}\""
  }

  depends_on = [aws_sns_topic_policy.alerts]
}
