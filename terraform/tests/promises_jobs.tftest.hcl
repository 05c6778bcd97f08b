# The Spark jobs: every hour is computed anew, with the packages that Glue has. How they are wired: test_policies.py.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "batch_job" {
  command = plan

  module {
    source = "./modules/glue-job"
  }

  variables {
    name        = "some-job"
    description = "some job"
    role_arn    = "arn:aws:iam::123456789012:role/some-job"
    script      = "s3://bucket/script.py"
    arguments   = { "--STORAGE_MODE" = "iceberg" }
    defaults = {
      glue_version      = "5.1"
      wheel             = "s3://bucket/package.whl"
      spark_conf        = "a=b --conf c=d"
      spark_ui_location = "s3://bucket/spark-ui/"
      temporary         = "s3://bucket/temporary/"
    }
    worker_type         = "G.1X"
    max_workers         = 4
    flex                = true
    timeout_minutes     = 60
    max_concurrent_runs = 2
    log_retention_days  = 7
  }

  assert {
    condition     = aws_glue_job.this.default_arguments["--job-bookmark-option"] == "job-bookmark-disable"
    error_message = "A bookmark would hide from a rerun what an earlier run had read: its hours would end empty."
  }

  assert {
    condition = {
      for name in ["--additional-python-modules", "--python-modules-installer-option", "--datalake-formats", "--conf", "--TempDir", "--STORAGE_MODE"] :
      name => split(",", aws_glue_job.this.default_arguments[name])[0]
      } == {
      "--additional-python-modules"       = "s3://bucket/package.whl"
      "--python-modules-installer-option" = "--no-deps"
      "--datalake-formats"                = "iceberg"
      "--conf"                            = "a=b --conf c=d"
      "--TempDir"                         = "s3://bucket/temporary/"
      "--STORAGE_MODE"                    = "iceberg"
    }
    error_message = "A job must install the wheel without what it depends on, and get Iceberg, Spark's configuration and its own arguments."
  }

  assert {
    condition     = aws_glue_job.this.command[0].name == "glueetl" && aws_glue_job.this.command[0].python_version == "3" && aws_glue_job.this.execution_class == "FLEX" && aws_glue_job.this.timeout == 60
    error_message = "A batch job must be an ETL job, may run as FLEX and must end in time."
  }

  assert {
    condition     = aws_glue_job.this.max_retries == 0
    error_message = "Glue must not start a failed run again: whoever waits for the first would not see the second."
  }

  assert {
    condition     = { for name, group in aws_cloudwatch_log_group.this : group.name => group.retention_in_days } == { "/aws-glue/jobs/some-job/output" = 7, "/aws-glue/jobs/some-job/error" = 7 } && aws_glue_job.this.default_arguments["--custom-logGroup-prefix"] == "/aws-glue/jobs/some-job"
    error_message = "A job must log to log groups that forget."
  }
}

run "streaming_job" {
  command = plan

  module {
    source = "./modules/glue-job"
  }

  variables {
    name        = "some-job"
    description = "some job"
    role_arn    = "arn:aws:iam::123456789012:role/some-job"
    script      = "s3://bucket/script.py"
    streaming   = true
    defaults = {
      glue_version      = "5.1"
      wheel             = "s3://bucket/package.whl"
      spark_conf        = "a=b"
      spark_ui_location = "s3://bucket/spark-ui/"
      temporary         = "s3://bucket/temporary/"
    }
    worker_type         = "G.1X"
    max_workers         = 2
    flex                = false
    timeout_minutes     = 270
    maintenance_window  = "Sun:5"
    max_concurrent_runs = 1
    log_retention_days  = 7
  }

  assert {
    condition     = aws_glue_job.this.command[0].name == "gluestreaming" && aws_glue_job.this.execution_class == "STANDARD" && aws_glue_job.this.maintenance_window == "Sun:5"
    error_message = "A streaming job must be one for Glue too, never run as FLEX, and have a maintenance window."
  }

  assert {
    condition     = aws_glue_job.this.timeout == 270 && one(aws_glue_job.this.execution_property).max_concurrent_runs == 1
    error_message = "A streaming job must end in time and run once at a time."
  }
}
