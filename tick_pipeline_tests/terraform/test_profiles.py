"""The profiles set variables that are there: the demo can be destroyed, production cannot, none holds a secret."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest

from tick_pipeline_tests.docs.pages import ROOT

TERRAFORM = ROOT / "terraform"
_HCL: dict[str, Any] = runpy.run_path(str(TERRAFORM / "scripts" / "render_docs.py"))
VARIABLES = _HCL["blocks"]((TERRAFORM / "variables.tf").read_text(), "variable")
EXAMPLE = TERRAFORM / "terraform.tfvars.example"
PROFILES = sorted((TERRAFORM / "profiles").glob("*.tfvars"))
FILES = [*PROFILES, EXAMPLE]

#: What AWS's keys look like, and names of what should not stand in a file.
_SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|BEGIN [A-Z ]*PRIVATE KEY|secret|password|token", re.IGNORECASE
)
#: A line that is switched off, and would set a variable.
_OFF = re.compile(r"^# ([a-z0-9_]+) += ", re.MULTILINE)
#: The account that AWS's documentation gives away in examples.
_NOBODY = "111122223333"

each_file = pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])


def values(name: str) -> dict[str, Any]:
    """What a profile sets."""
    return _HCL["values"]((TERRAFORM / "profiles" / f"{name}.tfvars").read_text())


def setting(name: str, profile: str) -> Any:
    """A variable's value under a profile."""
    return values(profile).get(name, VARIABLES[name].get("default"))


def test_there_are_a_demo_and_production() -> None:
    assert [path.stem for path in PROFILES] == ["demo", "production"]


@each_file
def test_it_sets_variables_that_are_there(file: Any) -> None:
    """Terraform only warns of one that is not. Lines that are switched off count too."""
    text = file.read_text()
    named = set(_HCL["values"](text)) | {name for name in _OFF.findall(text) if "_" in name}
    assert named - set(VARIABLES) == set()


@each_file
def test_it_holds_no_secret_and_no_account(file: Any) -> None:
    text = file.read_text()
    assert _SECRET.search(text) is None
    assert set(re.findall(r"\b[0-9]{12}\b", text)) <= {_NOBODY, "123456789012"}
    assert set(re.findall(r"@([\w.-]+)", text)) <= {"example.com"}


@pytest.mark.parametrize("profile", ["demo", "production"])
def test_a_profile_leaves_to_the_user_what_is_the_users(profile: str) -> None:
    """It would win over terraform.tfvars."""
    assert set(values(profile)) & {"region", "project", "owner", "s3_bucket_name"} == set()
    assert set(values(profile)) & set(_HCL["values"](EXAMPLE.read_text())) == set()


def test_the_example_gives_what_has_no_default() -> None:
    wanted = {name for name, block in VARIABLES.items() if "default" not in block}
    assert wanted <= set(_HCL["values"](EXAMPLE.read_text()))


def test_the_demo_can_be_destroyed_with_all_it_holds() -> None:
    assert setting("force_destroy", "demo") is True
    assert setting("raw_archive_enabled", "demo") is False
    assert setting("kms_key_enabled", "demo") is False, "a key stays for 30 days"


def test_the_demo_is_bounded_in_what_it_can_cost() -> None:
    """What runs ends by itself; what is billed by the hour is as small as it gets."""
    assert setting("stream_mode", "demo") == "PROVISIONED"
    assert setting("stream_shards", "demo") == 1
    assert setting("stream_retention_hours", "demo") == 24
    assert setting("glue_max_workers", "demo") == 2
    assert 0 < setting("anomaly_stream_max_hours", "demo") <= 3
    assert setting("anomaly_stream_idle_minutes", "demo") > 0
    assert setting("glue_job_timeout_minutes", "demo") <= 30
    assert setting("iceberg_maintainer", "demo") != "table_optimizers"
    assert setting("alarms_enabled", "demo") is False
    assert setting("log_retention_days", "demo") <= 3
    assert setting("vpc_endpoints", "demo") is None
    assert setting("enhanced_fan_out_enabled", "demo") is False
    limits = [group["scan_limit_gib"] for group in setting("athena_workgroups", "demo").values()]
    assert max(limits) <= 10
    assert 0 < setting("monthly_budget_usd", "demo") <= 20


def test_production_is_not_destroyed_by_mistake() -> None:
    assert setting("environment", "production") == "production"
    assert setting("force_destroy", "production") is False
    assert setting("raw_archive_enabled", "production") is True


def test_production_is_kept_and_watched() -> None:
    assert setting("kms_key_enabled", "production") is True
    assert setting("stream_retention_hours", "production") == 168
    assert setting("alarms_enabled", "production") is True
    assert setting("alarm_email", "production").endswith("@example.com")
    assert setting("monthly_budget_usd", "production") > 0
    assert setting("iceberg_maintainer", "production") == "table_optimizers"
    assert setting("anomaly_stream_max_hours", "production") == 167
    longer = ("errors_retention_days", "noncurrent_version_days", "log_retention_days")
    for name in longer:
        assert setting(name, "production") > setting(name, "demo"), name


def test_production_tells_what_is_to_be_changed() -> None:
    text = (TERRAFORM / "profiles" / "production.tfvars").read_text()
    assert re.search(r"^# CHANGE THIS.*\n(#.*\n)*alarm_email +=", text, re.MULTILINE)
    assert {"permissions_boundary_arn", "dagster_principals"} <= set(_OFF.findall(text))
