variable "name" {
  description = "Name of the job."
  type        = string
  nullable    = false
}

variable "description" {
  description = "What the job does, one line."
  type        = string
  nullable    = false
}

variable "role_arn" {
  description = "Role that the job runs as."
  type        = string
  nullable    = false
}

variable "script" {
  description = "S3 URI of the entry script."
  type        = string
  nullable    = false
}

variable "streaming" {
  description = "Whether the job is a streaming one: it runs until it is stopped."
  type        = bool
  default     = false
  nullable    = false
}

variable "defaults" {
  description = "What all jobs of a project share: release of Glue, S3 URI of the wheel, Spark's configuration joined by ` --conf `, S3 URIs of the event logs and of temporary files."
  type = object({
    glue_version      = string
    wheel             = string
    spark_conf        = string
    spark_ui_location = string
    temporary         = string
  })
  nullable = false
}

variable "arguments" {
  description = "The job's own arguments, `--NAME` -> value; a run may override them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "worker_type" {
  description = "Size of a worker, as G.1X."
  type        = string
  nullable    = false
}

variable "max_workers" {
  description = "Most workers, the driver's included; auto-scaling takes what a run needs."
  type        = number
  nullable    = false
}

variable "flex" {
  description = "Whether to run on spare capacity. Streaming jobs cannot."
  type        = bool
  nullable    = false
}

variable "timeout_minutes" {
  description = "When Glue stops a run: the most that it can cost. Seven days at most."
  type        = number
  nullable    = false
}

variable "notify_after_minutes" {
  description = "When Glue tells, by the event `Glue Job Run Status`, that a run still runs; null: never."
  type        = number
  default     = null
}

variable "max_retries" {
  description = "How often Glue itself starts a failed run again. 0: a retry of Glue's is another run, which the orchestrator that waits for the first would not see, and its own retry would then run beside it."
  type        = number
  default     = 0
  nullable    = false
}

variable "max_concurrent_runs" {
  description = "Runs at the same time, at most; one more is refused."
  type        = number
  nullable    = false
}

variable "maintenance_window" {
  description = "Day and hour, UTC, in which Glue may restart a streaming job, as Sun:5; null for batch jobs."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "Key of the log groups; null for CloudWatch's own."
  type        = string
  default     = null
}
