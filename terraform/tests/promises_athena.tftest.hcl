# Athena: no query without a limit.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  region = "us-east-1"
}

run "workgroups_bound_every_query" {
  command = plan

  assert {
    condition     = join(",", keys(aws_athena_workgroup.group)) == "analysts,experiments,incident,jobs" && output.athena_workgroup == "tick-pipeline-jobs"
    error_message = "There must be a workgroup each for Dagster, people, experiments and incidents."
  }

  assert {
    condition     = alltrue([for group in aws_athena_workgroup.group : group.configuration[0].enforce_workgroup_configuration])
    error_message = "Without enforcement a client sets its own limit and the place of its results."
  }

  assert {
    condition     = alltrue([for group in aws_athena_workgroup.group : group.configuration[0].bytes_scanned_cutoff_per_query > 0]) && aws_athena_workgroup.group["analysts"].configuration[0].bytes_scanned_cutoff_per_query == 21474836480
    error_message = "Every workgroup must limit what a query may scan; analysts to 20 GiB."
  }

  assert {
    condition     = alltrue([for group in aws_athena_workgroup.group : group.configuration[0].engine_version[0].selected_engine_version == "Athena engine version 3"])
    error_message = "The queries are written for engine version 3."
  }

  assert {
    condition = alltrue([
      for name, group in aws_athena_workgroup.group :
      group.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
      && group.configuration[0].result_configuration[0].output_location == "s3://tick-pipeline-123456789012-us-east-1/athena-results/${name}/"
    ])
    error_message = "Results must be encrypted and lie below athena-results/, where they expire."
  }

  assert {
    condition     = !anytrue([for group in aws_athena_workgroup.group : group.force_destroy])
    error_message = "A destroy must not take saved queries and history with it unless force_destroy says so."
  }
}
