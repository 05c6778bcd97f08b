# What this project may cost a month. AWS counts only what carries the tag `project`, and only from the day on which
# the tag is activated as a cost allocation tag (Billing console; it takes up to a day to appear there).

resource "aws_budgets_budget" "monthly" {
  count = var.monthly_budget_usd > 0 ? 1 : 0

  name         = "${var.project}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:project$%s", var.project)]
  }

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
      # Straight to the address as well: that needs no subscription that somebody has confirmed.
      subscriber_email_addresses = var.alarm_email == null ? [] : [var.alarm_email]
    }
  }

  # Budgets takes a topic only where it may publish already.
  depends_on = [aws_sns_topic_policy.alerts]
}
