# One page, four questions, in the order in which one asks them when something is missing.

resource "aws_cloudwatch_dashboard" "pipeline" {
  dashboard_name = var.project
  dashboard_body = jsonencode({ widgets = local.dashboard_widgets })
}

locals {
  # A graph: `metrics` as CloudWatch's dashboards take them (namespace, name, dimensions, options), `statistic` over
  # `period` seconds, and a `line` where a limit lies.
  dashboard_rows = [
    {
      question = "1. Do ticks arrive?"
      hint     = "None put: ask the producer. Refused: too few shards, or one symbol fills one. Behind: the next row shows which Firehose."
      graphs = [
        {
          title     = "Ticks put into the stream, a minute"
          statistic = "Sum"
          period    = 60
          metrics   = [["AWS/Kinesis", "IncomingRecords", "StreamName", local.stream_name, { label = "ticks" }]]
        },
        {
          title     = "Refused by the stream"
          statistic = "Sum"
          period    = 60
          metrics = [
            ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", local.stream_name, { label = "records" }],
            ["AWS/Kinesis", "ReadProvisionedThroughputExceeded", "StreamName", local.stream_name, { label = "reads" }],
          ]
        },
        {
          title     = "How far readers are behind, ms"
          statistic = "Maximum"
          period    = 60
          line      = { label = "alarm", value = local.alarms["stream-behind"].threshold }
          metrics = concat(
            [["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "StreamName", local.stream_name, { label = "the slowest" }]],
            [for name in values(local.firehose_names) : ["AWS/Firehose", "KinesisMillisBehindLatest", "DeliveryStreamName", name, { label = name }]],
            [
              for consumer in aws_kinesis_stream_consumer.anomaly_stream[*].name :
              ["AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest", "StreamName", local.stream_name, "ConsumerName", consumer, { label = consumer }]
            ],
          )
        },
      ]
    },
    {
      question = "2. Do they land, in both modes, and how late?"
      hint     = "The modes must land the same. Late: read that Firehose's log group. Not landed: the records lie under `${local.prefixes.warehouse}/<mode>/_firehose_errors/`, each with its reason."
      graphs = [
        {
          title     = "Landed, 5 minutes"
          statistic = "Sum"
          period    = 300
          metrics   = [for mode, name in local.firehose_names : ["AWS/Firehose", local.landed_rows_metrics[mode], "DeliveryStreamName", name, { label = mode }]]
        },
        {
          title     = "Age of the oldest tick that has not landed, s"
          statistic = "Maximum"
          period    = 60
          line      = { label = "alarm", value = local.late_landing_seconds }
          metrics   = [for key, firehose in local.watched_firehoses : ["AWS/Firehose", firehose.freshness, "DeliveryStreamName", firehose.name, { label = key }]]
        },
        {
          title     = "Not landed: records, and objects under the error prefixes, 5 minutes"
          statistic = "Sum"
          period    = 300
          metrics = concat(
            [for mode, name in local.firehose_names : ["AWS/Firehose", local.failed_rows_metrics[mode], "DeliveryStreamName", name, { label = "${mode}: records" }]],
            [for key, rule in aws_cloudwatch_event_rule.error_objects : ["AWS/Events", "TriggeredRules", "RuleName", rule.name, { label = "${key}: objects" }]],
          )
        },
        {
          title     = "Hours that Firehose writes at once"
          statistic = "Maximum"
          period    = 60
          line      = { label = "limit", value = 500 }
          metrics   = [for mode, name in local.firehose_names : ["AWS/Firehose", "PartitionCount", "DeliveryStreamName", name, { label = mode }] if mode == "parquet_projection"]
        },
      ]
    },
    {
      question = "3. Are candles and anomalies made?"
      hint     = "Candles come once an hour, about 20 minutes after it. None: see the schedule `ohlc_hourly` and its last run in Dagster. Anomalies come by the streaming job and by `anomaly_batch`."
      graphs = [
        {
          title     = "Candles written, an hour"
          statistic = "Sum"
          period    = 3600
          metrics = flatten([
            for mode in sort(var.storage_modes) : [
              for timeframe in ["1m", "5m"] :
              { metric = [local.metrics_namespace, "CandlesWritten", "StorageMode", mode, "Timeframe", timeframe, { label = "${mode} ${timeframe}" }] }
            ]
          ])[*].metric
        },
        {
          title     = "Spark tasks done, 5 minutes"
          statistic = "Sum"
          period    = 300
          metrics   = [for key, name in local.job_names : ["Glue", "glue.driver.aggregate.numCompletedTasks", "JobName", name, "JobRunId", "ALL", "Type", "count", { label = key }]]
        },
        {
          title     = "Spark tasks failed, and runs, 5 minutes"
          statistic = "Sum"
          period    = 300
          metrics = concat(
            [for key, name in local.job_names : ["Glue", "glue.driver.aggregate.numFailedTasks", "JobName", name, "JobRunId", "ALL", "Type", "count", { label = "${key}: tasks" }]],
            [for key, rule in aws_cloudwatch_event_rule.notice : ["AWS/Events", "TriggeredRules", "RuleName", rule.name, { label = key }]],
          )
        },
        {
          title     = "Memory in use on the driver, share"
          statistic = "Average"
          period    = 300
          metrics   = [for key, name in local.job_names : ["Glue", "glue.driver.jvm.heap.usage", "JobName", name, "JobRunId", "ALL", "Type", "gauge", { label = key }]]
        },
      ]
    },
    {
      question = "4. What does it cost?"
      hint     = "Not the bill but what drives it; the bill is in Cost Explorer, by the tag `project` = `${var.project}`${var.monthly_budget_usd > 0 ? ", and the budget is ${var.monthly_budget_usd} USD a month" : ""}."
      graphs = [
        {
          title     = "Athena by workgroup, USD a day at $5 a TB"
          statistic = "Sum"
          period    = 86400
          metrics = concat(
            [for index, key in keys(local.workgroup_names) : ["AWS/Athena", "ProcessedBytes", "WorkGroup", local.workgroup_names[key], { id = "scanned${index}", visible = false }]],
            [for index, key in keys(local.workgroup_names) : [{ expression = "5 * scanned${index} / ${pow(1024, 4)}", label = key }]],
          )
        },
        {
          title     = "Spark executors at work, by job"
          statistic = "Average"
          period    = 300
          metrics   = [for key, name in local.job_names : ["Glue", "glue.driver.ExecutorAllocationManager.executors.numberAllExecutors", "JobName", name, "JobRunId", "ALL", "Type", "gauge", { label = key }]]
        },
        {
          title     = "Bytes into the stream, and through each Firehose, a day"
          statistic = "Sum"
          period    = 86400
          metrics = concat(
            [["AWS/Kinesis", "IncomingBytes", "StreamName", local.stream_name, { label = "stream" }]],
            [for key, firehose in local.watched_firehoses : ["AWS/Firehose", "DataReadFromKinesisStream.Bytes", "DeliveryStreamName", firehose.name, { label = key }]],
          )
        },
        {
          title     = "The bucket's size, bytes"
          statistic = "Average"
          period    = 86400
          metrics   = [["AWS/S3", "BucketSizeBytes", "BucketName", local.bucket, "StorageType", "StandardStorage", { label = "all versions" }]]
        },
      ]
    },
  ]

  landed_rows_metrics = {
    iceberg            = "DeliveryToIceberg.SuccessfulRowCount"
    parquet_projection = "SucceedConversion.Records"
  }

  # CloudWatch's grid is 24 columns wide; each row is a line of text and its graphs beside one another.
  text_height  = 2
  graph_height = 6
  dashboard_widgets = concat([
    for index, row in local.dashboard_rows : concat(
      [{
        type   = "text"
        x      = 0
        y      = index * (local.text_height + local.graph_height)
        width  = 24
        height = local.text_height
        properties = {
          markdown   = "## ${row.question}\n${row.hint}"
          background = "transparent"
        }
      }],
      [for place, graph in [for graph in row.graphs : graph if length(graph.metrics) > 0] : {
        type   = "metric"
        x      = place * floor(24 / length(row.graphs))
        y      = index * (local.text_height + local.graph_height) + local.text_height
        width  = floor(24 / length(row.graphs))
        height = local.graph_height
        properties = {
          title       = graph.title
          region      = var.region
          view        = "timeSeries"
          stat        = graph.statistic
          period      = graph.period
          metrics     = graph.metrics
          yAxis       = { left = { min = 0, showUnits = false } }
          annotations = { horizontal = can(graph.line) ? [graph.line] : [] }
        }
      }],
    )
  ]...)
}
