"""How a Glue script is run here: as Glue does it, as far as the script can tell."""

from __future__ import annotations

import os
import shlex
import zipfile
from typing import TYPE_CHECKING

from tick_pipeline.resources.spark_runtime import (
    class_archive_options,
    jar_paths,
    spark_environment,
)
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import CATALOG
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, ROOT, SECRET_KEY
from tick_pipeline_tests.twin.jars import aws_class_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Glue hands all of Spark's configuration over in one argument.
_CONF = "--conf"
_BETWEEN = f" {_CONF} "
#: Of this process's environment only what programs need to run at all: nothing of the developer's AWS.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
#: The modules that the checkout would bring, were it on the path: a job has the wheel's alone.
_SITE = f"""import sys
sys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]
"""


def glue_process(
    script: Path,
    arguments: Sequence[str],
    *,
    twin_url: str,
    modules: Sequence[Path],
    folder: Path,
) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a run of a Glue script; start it with `folder` as its directory.

    Of the project the script can import what the wheels hold and nothing else. `s3://` is S3A at the
    twin, as Iceberg's GlueCatalog and S3FileIO are; they and boto3 find it by AWS_ENDPOINT_URL.

    Args:
        script: the file, anywhere.
        arguments: as Glue hands them over; `--conf a=b --conf c=d`, in one value, is taken out and
            becomes Spark's configuration, the rest is the script's.
        twin_url: where all of AWS answers.
        modules: wheels of `--additional-python-modules`, as files.
        folder: an existing one of the run's own.

    Raises:
        RuntimeMissingError: a jar or the JVM is missing.
    """
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    for wheel in modules:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    own, conf = _split_conf(arguments)
    environment = {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **_only_spark(spark_environment()),
        "PYTHONPATH": str(site),
        "PYSPARK_SUBMIT_ARGS": _submit_arguments(conf, twin_url, folder),
        # Behind all others: a class archive holds for a class path that goes on where its own ended.
        "SPARK_DIST_CLASSPATH": ":".join(str(path) for path in aws_class_path()),
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
        **_aws(twin_url, folder),
    }
    return [environment["PYSPARK_PYTHON"], "-u", str(script), *own], environment


def _split_conf(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The script's own arguments, and Spark's configuration."""
    own: list[str] = []
    conf: dict[str, str] = {}
    given = iter(arguments)
    for argument in given:
        name, equals, value = argument.partition("=")
        if name != _CONF:
            own.append(argument)
            continue
        for setting in (value if equals else next(given)).split(_BETWEEN):
            key, _, text = setting.partition("=")
            conf[key.strip()] = text.strip()
    return own, conf


def _submit_arguments(conf: dict[str, str], twin_url: str, folder: Path) -> str:
    product = load_settings(_env_file=None)
    jars = ":".join(str(path) for path in jar_paths(product))
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *class_archive_options(product)]
    settings = {
        **conf,
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraClassPath": jars,
        "spark.executor.extraClassPath": jars,
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": twin_url,
        "spark.hadoop.fs.s3a.endpoint.region": REGION,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        # One address for every bucket: the twin's has no subdomains.
        f"spark.sql.catalog.{CATALOG}.s3.path-style-access": "true",
    }
    parts = ["--master", "local[2]", "--driver-memory", "1g"]
    for name, value in settings.items():
        parts += [_CONF, f"{name}={value}"]
    return shlex.join([*parts, "pyspark-shell"])


def _only_spark(environment: dict[str, str]) -> dict[str, str]:
    names = ("JAVA_HOME", "SPARK_HOME", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
    return {name: environment[name] for name in (*names, "SPARK_LOCAL_IP", "TZ")}


def _aws(url: str, folder: Path) -> dict[str, str]:
    # A file of no profiles: with none at all, Amazon's first SDK fills the log with stacks.
    profiles = folder / "no-profiles"
    profiles.touch()
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_CONFIG_FILE": str(profiles),
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CBOR_DISABLE": "1",
    }
