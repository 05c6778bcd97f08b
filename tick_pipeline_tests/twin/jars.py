"""The jars by which Spark speaks to S3 and the Glue Data Catalog here; Glue has its own.

`python -m tick_pipeline_tests.twin.jars` fetches them (`make .venv/.aws-jars`).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import RuntimeMissingError
from tick_pipeline.resources.spark_runtime import Jar, fetch_jars, jar_paths
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

#: Hadoop's S3A is of the version that pyspark brings, and Amazon's SDK the one that S3A asks for.
AWS_JARS = (
    Jar(
        "org.apache.iceberg",
        "iceberg-aws-bundle",
        "1.10.0",
        "172370cfc32a5f1ae5399b210e86fc04a366dc29a112d97ac8ffc74df7525596",
    ),
    Jar(
        "org.apache.hadoop",
        "hadoop-aws",
        "3.3.4",
        "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a",
    ),
    Jar(
        "com.amazonaws",
        "aws-java-sdk-bundle",
        "1.12.262",
        "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5",
    ),
)
#: Why tests that need them cannot run where they were not fetched.
ABSENT = "no jars for Spark on S3 in the cache: make .venv/.aws-jars"


def aws_class_path() -> list[Path]:
    """The jars for AWS, in the order of the class path.

    Raises:
        RuntimeMissingError: one is not there.
    """
    return jar_paths(load_settings(_env_file=None), AWS_JARS)


def require_aws_jars() -> None:
    """Skip a test where the jars are not there.

    In CI it fails: a test that is skipped for good would look like one that passes.
    """
    try:
        aws_class_path()
    except RuntimeMissingError:
        if os.environ.get("CI") == "true":
            pytest.fail(ABSENT, pytrace=False)
        pytest.skip(ABSENT)


def main() -> None:
    """Fetch what the cache lacks."""
    try:
        for coordinates in fetch_jars(load_settings(_env_file=None), AWS_JARS):
            print(f"fetched {coordinates}")  # noqa: T201
    except RuntimeMissingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
