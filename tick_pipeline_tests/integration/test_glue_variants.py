"""Each job's script runs with the arguments of its variant, here as in AWS's images of Glue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tick_pipeline_tests.integration.glue_variant import (
    PROFILES,
    ROOT,
    VARIANTS,
    VariantError,
    read_variant,
    run_variant,
)

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(path.stem for path in VARIANTS.glob("*.json"))
JOBS = {
    path.stem
    for path in (ROOT / "tick_pipeline" / "spark" / "jobs").glob("*.py")
    if path.stem != "__init__"
}


@pytest.mark.spark
@pytest.mark.parametrize("name", NAMES)
def test_a_variant_writes_what_sql_makes_of_the_same_ticks(name: str, tmp_path: Path) -> None:
    variant = read_variant(name)
    written = run_variant(variant, "local", tmp_path)
    assert {table.split(".")[0] for table in written} == set(variant.modes)


def test_every_job_has_a_variant_and_each_runs_here() -> None:
    variants = [read_variant(name) for name in NAMES]
    assert {variant.job for variant in variants} == JOBS
    assert all("local" in variant.profiles for variant in variants)


def test_glue_4_has_candles_alone() -> None:
    """Its Spark 3.3 has no stateful pandas, and no Iceberg that fits ours."""
    on_glue_4 = [read_variant(name) for name in NAMES if "glue4" in read_variant(name).profiles]
    assert on_glue_4
    for variant in on_glue_4:
        assert variant.job == "ohlc"
        assert variant.modes == ["parquet_projection"]


def test_compose_has_a_service_for_each_profile_that_is_not_here() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.glue.yaml").read_text())
    services = compose["services"]
    assert set(services) == set(PROFILES) - {"local"}
    for name, service in services.items():
        assert service["profiles"] == [name]
        assert service["network_mode"] == "none"


def test_a_variant_that_is_not_there_or_not_for_a_profile_is_told(tmp_path: Path) -> None:
    with pytest.raises(VariantError, match="no variant 'ohcl'; there are anomalies, "):
        read_variant("ohcl")
    with pytest.raises(VariantError, match="anomalies runs on local, glue5, not glue4"):
        run_variant(read_variant("anomalies"), "glue4", tmp_path)
