# Watching: what is told, to whom, and under which tags it is billed.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "alarms_tell_the_topic" {
  command = plan

  variables {
    alarm_email = "ann@example.com"
  }

  assert {
    condition = length(setsubtract(
      ["stream-behind", "stream-loss-near", "stream-writes-refused", "landing-late-iceberg", "landing-late-parquet-projection", "rows-failed-iceberg", "rows-failed-parquet-projection", "error-objects-iceberg", "error-objects-parquet-projection", "no-candles-iceberg", "no-candles-parquet-projection", "scanned-jobs", "queries-failed-jobs"],
      keys(aws_cloudwatch_metric_alarm.alarm)
    )) == 0
    error_message = "An alarm is missing; there are ${join(", ", keys(aws_cloudwatch_metric_alarm.alarm))}."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.alarm : join(",", alarm.alarm_actions) == aws_sns_topic.alerts.arn && strcontains(alarm.alarm_description, "First: ")])
    error_message = "Every alarm must go to the topic and say what to do first."
  }

  assert {
    condition     = aws_sns_topic_subscription.email["ann@example.com"].protocol == "email" && aws_sns_topic_subscription.email["ann@example.com"].topic_arn == aws_sns_topic.alerts.arn
    error_message = "The address must be subscribed to the topic."
  }

  assert {
    condition = (
      join(",", jsondecode(aws_cloudwatch_event_rule.notice["job-failures"].event_pattern).detail.jobName) == "tick-pipeline-anomalies,tick-pipeline-anomaly-stream,tick-pipeline-ohlc"
      && aws_cloudwatch_event_target.notice["job-failures"].arn == aws_sns_topic.alerts.arn
    )
    error_message = "A failed run of each Glue job must be told to the topic."
  }

  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.notice["stream-runs-long"].event_pattern).detail.jobName == ["tick-pipeline-anomaly-stream"]
      && aws_cloudwatch_event_target.notice["stream-runs-long"].arn == aws_sns_topic.alerts.arn
    )
    error_message = "A streaming job that runs longer than it should must be told to the topic: it is the dearest station."
  }

  assert {
    condition     = one(aws_budgets_budget.monthly).limit_amount == "50" && { for notice in one(aws_budgets_budget.monthly).notification : notice.notification_type => notice.threshold } == { ACTUAL = 80, FORECASTED = 100 }
    error_message = "The budget must be told at 80 % and when the forecast passes it."
  }

  assert {
    condition = alltrue([
      for notice in one(aws_budgets_budget.monthly).notification :
      join(",", notice.subscriber_sns_topic_arns) == aws_sns_topic.alerts.arn && join(",", notice.subscriber_email_addresses) == "ann@example.com"
    ])
    error_message = "The budget must be told to the topic and to the address."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.firehose : group.retention_in_days == 7])
    error_message = "Logs must be forgotten after seven days by default."
  }
}

run "alarms_and_budget_go_when_they_are_off" {
  command = plan

  variables {
    alarms_enabled     = false
    monthly_budget_usd = 0
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.alarm) + length(aws_cloudwatch_event_rule.error_objects) + length(aws_cloudwatch_event_rule.notice) + length(aws_cloudwatch_event_target.notice) + length(aws_sns_topic_subscription.email) == 0
    error_message = "With alarms_enabled = false there must be no alarm, rule or subscription."
  }

  assert {
    condition     = length(aws_budgets_budget.monthly) == 0
    error_message = "A budget of 0 is none."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.pipeline.dashboard_name == "tick-pipeline" && output.sns_topic_arn == aws_sns_topic.alerts.arn
    error_message = "Dashboard and topic must be there in any case: Dagster notifies by the topic."
  }
}

run "everything_is_tagged" {
  command = plan

  variables {
    environment = "staging"
    owner       = "markets"
  }

  assert {
    condition     = local.tags == { project = "tick-pipeline", environment = "staging", owner = "markets" }
    error_message = "The default tags must be project, environment and owner."
  }
}
