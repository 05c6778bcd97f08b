# What the Glue jobs install: a wheel of the package, built when its sources change and uploaded under their hash, so
# that a job's arguments name exactly the code it runs. The former one goes; the bucket's versions still hold it.

locals {
  package_folder = "${path.module}/../tick_pipeline"
  # What terraform/wheel/pyproject.toml puts into it.
  shipped_files = sort(concat(
    ["__init__.py", "errors.py", "event_time.py", "storage.py"],
    [for file in fileset(local.package_folder, "{contracts,spark}/**") : file if !strcontains(file, "__pycache__")],
  ))
  package_hash    = substr(sha256(join("", [for file in local.shipped_files : "${file}:${filesha256("${local.package_folder}/${file}")}"])), 0, 12)
  package_version = one(regex("__version__ = \"([^\"]+)\"", file("${local.package_folder}/__init__.py")))

  wheel_name = "tick_pipeline-${local.package_version}-py3-none-any.whl"
  wheel_file = "${path.module}/.build/${local.package_hash}/${local.wheel_name}"
  wheel_key  = "${local.prefixes.artifacts}/${local.package_hash}/${local.wheel_name}"
}

resource "terraform_data" "wheel" {
  triggers_replace = local.package_hash

  provisioner "local-exec" {
    command = "${path.module}/scripts/build-wheel '${dirname(local.wheel_file)}'"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "wheel" {
  bucket = local.bucket
  key    = local.wheel_key
  source = local.wheel_file

  # The key changes with the code, so the provider need not compare the file, which another machine may not have.
  depends_on = [
    terraform_data.wheel,
    aws_s3_bucket_policy.lake,
    aws_s3_bucket_server_side_encryption_configuration.lake,
    aws_s3_bucket_versioning.lake,
  ]

  lifecycle {
    # A job that starts, or gets one more worker, while this is applied, installs the former wheel.
    create_before_destroy = true
  }
}

# The scripts that Glue starts: a few lines that call the wheel.
resource "aws_s3_object" "script" {
  for_each = local.job_names

  bucket      = local.bucket
  key         = "${local.prefixes.artifacts}/${local.package_hash}/${each.key}.py"
  source      = "${local.package_folder}/spark/jobs/${each.key}.py"
  source_hash = filesha256("${local.package_folder}/spark/jobs/${each.key}.py")

  depends_on = [
    aws_s3_bucket_policy.lake,
    aws_s3_bucket_server_side_encryption_configuration.lake,
    aws_s3_bucket_versioning.lake,
  ]

  lifecycle {
    create_before_destroy = true
  }
}
