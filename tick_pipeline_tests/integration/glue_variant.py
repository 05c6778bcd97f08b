"""One variant of a job, by its JSON: ticks into a HOME, the job's script as Glue starts it, what it wrote.

    python -m tick_pipeline_tests.integration.glue_variant VARIANT [--profile local|glue5|glue4]

VARIANT is a file, or the name of one in glue_variants/. `local` is the Spark of this environment; the
others are AWS's images of Glue, by docker-compose.glue.yaml.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import widen_to_hours
from tick_pipeline.orchestration.partitions import Window
from tick_pipeline.resources.iceberg import warehouse_uri
from tick_pipeline.resources.spark_runtime import jar_paths, spark_environment
from tick_pipeline.settings import load_settings
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.session import local_conf
from tick_pipeline_tests.integration.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
VARIANTS = Path(__file__).with_name("glue_variants")
PROFILES = ("local", "glue5", "glue4")
_COMPOSE = ROOT / "docker-compose.glue.yaml"
_SECONDS = 600
_PRODUCE = ("--scenario=spikes", "--duration=1800", "--rate=20", "--symbols=3", "--past")


class VariantError(Exception):
    """A variant cannot be run, or its job did not do what it should."""


@dataclass(frozen=True)
class Variant:
    """A job, where it can run, and the arguments of its own."""

    name: str
    job: str
    profiles: tuple[str, ...]
    arguments: dict[str, str]

    @property
    def modes(self) -> list[str]:
        """Storage modes that it writes."""
        return self.arguments["--STORAGE_MODE"].split(",")


def read_variant(name: str) -> Variant:
    """A variant by its file, or by its name.

    Raises:
        VariantError: there is none.
    """
    path = Path(name) if name.endswith(".json") else VARIANTS / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in VARIANTS.glob("*.json")))
        raise VariantError(f"no variant {name!r}; there are {known}, or give a JSON file of yours")
    document = json.loads(path.read_text(encoding="utf-8"))
    return Variant(
        path.stem, document["job"], tuple(document["profiles"]), dict(document["arguments"])
    )


def run_variant(variant: Variant, profile: str, folder: Path) -> dict[str, int]:
    """Run it over fresh ticks; what it wrote, by `<mode>.<table>`, all of it checked by SQL.

    Args:
        variant: which.
        profile: where.
        folder: an empty one, which a container gets under the same path.

    Raises:
        VariantError: the profile has no such job, the job failed, or wrote what it should not.
    """
    if profile not in variant.profiles:
        raise VariantError(f"{variant.name} runs on {', '.join(variant.profiles)}, not {profile}")
    pipeline = Pipeline(folder / "home")
    produced = pipeline.json("produce", *_PRODUCE)
    pipeline.json("deliver")
    script, wheel = _shipped(variant.job, folder)
    arguments = _arguments(variant, pipeline.home, produced)
    command, environment = (
        _here(script, wheel, arguments, folder)
        if profile == "local"
        else _in_container(profile, script, wheel, arguments, folder)
    )
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise VariantError(f"{variant.name} on {profile} failed:\n{done.stdout}{done.stderr}")
    return _written(variant, pipeline, produced)


def _shipped(job: str, folder: Path) -> tuple[Path, Path]:
    """The script and the wheel, as Terraform uploads them."""
    build = ROOT / "terraform" / "scripts" / "build-wheel"
    subprocess.run([build, folder / "wheel"], check=True, capture_output=True)
    (wheel,) = (folder / "wheel").glob("*.whl")
    script = folder / f"{job}.py"
    shutil.copy(ROOT / "tick_pipeline" / "spark" / "jobs" / script.name, script)
    return script, wheel


def _arguments(variant: Variant, home: Path, produced: dict[str, Any]) -> list[str]:
    given = {"--WAREHOUSE": warehouse_uri(home), **variant.arguments}
    if variant.job == "anomaly_stream":
        checkpoint = (home / "anomaly_stream" / "checkpoint").as_uri()
        given |= {"--STREAM": str(home / "stream"), "--CHECKPOINT": checkpoint}
        given |= {"--RULES": ScoringRules().to_json()}
    else:
        hours = Window(*widen_to_hours(produced["start_us"], produced["end_us"])).parameters
        given |= {"--START": hours["start"], "--END": hours["end"]}
    # As Glue hands them over: name and value apart.
    return [text for pair in given.items() for text in pair]


def _conf(home: Path, folder: Path) -> dict[str, str]:
    return local_conf(
        catalog_file=str(home / "catalog.db"),
        warehouse=warehouse_uri(home),
        scratch=str(folder / "scratch"),
    )


def _here(
    script: Path, wheel: Path, arguments: Sequence[str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    jars = ":".join(map(str, jar_paths(load_settings())))
    conf = {**_conf(folder / "home", folder), "spark.driver.extraClassPath": jars}
    options = [part for item in conf.items() for part in ("--conf", "=".join(item))]
    environment = {
        **spark_environment(),
        "PYTHONPATH": str(site),
        "PYSPARK_SUBMIT_ARGS": shlex.join([*options, "pyspark-shell"]),
    }
    return [sys.executable, str(script), *arguments], environment


def _in_container(
    profile: str, script: Path, wheel: Path, arguments: Sequence[str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    if shutil.which("docker") is None:
        raise VariantError(f"{profile} needs Docker with compose; --profile local does without")
    jars = [shutil.copy(path, folder) for path in jar_paths(load_settings())]
    conf = _conf(folder / "home", folder)
    if profile == "glue4":
        # Our Iceberg is built for Spark 3.5, and candles from Parquet need none.
        jars = []
        conf = {name: value for name, value in conf.items() if "iceberg" not in value.lower()}
    submit = ["spark-submit", *(["--jars", ",".join(map(str, jars))] if jars else [])]
    for item in conf.items():
        submit += ["--conf", "=".join(item)]
    line = (
        f"pip3 install --quiet --no-deps --no-index {shlex.quote(str(wheel))} && "
        f"{shlex.join([*submit, str(script), *arguments])}"
    )
    compose = ["docker", "compose", "--file", str(_COMPOSE), "--profile", profile]
    environment = {**os.environ, "TICK_PIPELINE_GLUE_FOLDER": str(folder)}
    return [*compose, "run", "--rm", profile, line], environment


def _written(variant: Variant, pipeline: Pipeline, produced: dict[str, Any]) -> dict[str, int]:
    """Rows by table, once the product's own claims about them hold."""
    hours = Window(*widen_to_hours(produced["start_us"], produced["end_us"])).parameters
    tables, claims = {
        "ohlc": (["aggregated_1m", "aggregated_5m"], ["candles_match_sql", "five_is_five_ones"]),
        "anomalies": (["anomalies"], ["anomaly_sanity"]),
        "anomaly_stream": (["anomalies"], ["anomaly_sanity"]),
    }[variant.job]
    written: dict[str, int] = {}
    for mode in variant.modes:
        for claim in claims:
            broken = pipeline.query(claim, storage_mode=mode, **hours)
            if broken:
                raise VariantError(f"{variant.name}: {claim} of {mode} does not hold: {broken[0]}")
        for table in tables:
            rows = pipeline.scalar(f"select count(*) from {mode}.{table}")
            if not rows:
                raise VariantError(f"{variant.name}: {mode}.{table} is empty")
            written[f"{mode}.{table}"] = rows
    return written


def main() -> None:
    """Run one variant and print what it wrote."""
    parser = argparse.ArgumentParser(prog="glue_variant")
    parser.add_argument("variant")
    parser.add_argument("--profile", default="local", choices=PROFILES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tick_pipeline_glue_") as folder:
        try:
            written = run_variant(read_variant(given.variant), given.profile, Path(folder))
        except VariantError as error:
            sys.exit(f"glue_variant: {error}")
    print(json.dumps(written, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
