"""Terraform for tests: its binary, a provider that can be had here, and copies of the configuration to work in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]

#: What is kept in Terraform's state alone, and why.
LOCAL_TYPES = {
    "aws_glue_catalog_table_optimizer": "the emulator has no optimizers",
    "aws_glue_registry": "the emulator has no registry of schemas",
    "aws_glue_schema": "the same",
    "aws_cloudwatch_event_target": "the stand-in sends it without the id that the provider makes up",
}
SERVICES = (
    "athena",
    "budgets",
    "cloudwatch",
    "ec2",
    "events",
    "firehose",
    "glue",
    "iam",
    "kinesis",
    "kms",
    "lakeformation",
    "logs",
    "s3",
    "sns",
    "sts",
)

_SCRIPT = ROOT / "terraform" / "scripts" / "terraformrc"
_COMMAND_SECONDS = 900.0
#: What a developer's own Terraform leaves beside the configuration; none of it may change a test.
_LEFT_BY_USE = shutil.ignore_patterns(
    ".terraform*", ".build", "*.tfstate*", "*.tfplan", "terraform.tfvars*", "*.auto.tfvars*",
    "*override.tf", "backend.tf", "__pycache__",
)  # fmt: skip


class NoTerraformError(Exception):
    """Terraform cannot run here; the message says what is missing, in one line."""


@dataclass(frozen=True)
class Terraform:
    """A Terraform that runs with no account, no settings of the user and, if need be, no registry."""

    binary: str
    environment: Mapping[str, str]
    #: Whether the provider is the offline stand-in, which is not all that the real one is.
    is_standin: bool = False

    def run(
        self, folder: Path, *args: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command in a folder.

        Args:
            folder: the one with the configuration.
            args: the command and its options, as `("plan", "-detailed-exitcode")`.
            env: variables besides ours.
            check: whether an exit code other than 0 fails the test.

        Raises:
            AssertionError: the command failed; the message is what it wrote.
        """
        ended = subprocess.run(
            [self.binary, *args],
            cwd=folder,
            env={**self.environment, **(env or {})},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if check and ended.returncode != 0:
            raise AssertionError(
                f"terraform {' '.join(args)} ended with {ended.returncode}:\n{ended.stderr}{ended.stdout}"
            )
        return ended

    def json(self, folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Any:
        """What a command that takes -json prints, as `json(folder, "show")`."""
        return json.loads(self.run(folder, args[0], "-json", *args[1:], env=env).stdout)


def find_terraform(folder: Path) -> Terraform:
    """Terraform with a provider that can be had here.

    Args:
        folder: an empty folder, in which it is tried.

    Raises:
        NoTerraformError: there is no binary, or no provider can be had.
    """
    binary = shutil.which("terraform")
    if binary is None:
        raise NoTerraformError("no terraform on the PATH: install Terraform 1.11 or newer")
    terraform = Terraform(binary, _environment())
    shutil.copy(ROOT / "terraform" / "versions.tf", folder)
    ended = terraform.run(folder, "init", "-backend=false", check=False)
    if ended.returncode != 0:
        raise NoTerraformError(
            "terraform init cannot get the provider hashicorp/aws: reach its registry, or name an "
            f"offline stand-in of it by TICK_PIPELINE_TERRAFORM_STANDIN ({_reason(ended.stderr)})"
        )
    is_standin = any(folder.glob(".terraform/providers/*/*/*/*/*/stub_provider.py"))
    return Terraform(binary, terraform.environment, is_standin=is_standin)


def copy_configuration(folder: Path) -> Path:
    """Copy terraform/ and the package it reads, side by side, and return the former's copy.

    The environment of the checkout is linked beside them: it builds the wheel.
    """
    for name in ("terraform", "tick_pipeline"):
        shutil.copytree(ROOT / name, folder / name, ignore=_LEFT_BY_USE)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder / "terraform"


def point_at(folder: Path, url: str) -> None:
    """Let a copy of the configuration speak to an emulator of AWS at that URL, and to nothing else."""
    aws = {
        "endpoints": [dict.fromkeys(SERVICES, url)],
        "s3_use_path_style": True,
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_requesting_account_id": True,
    }
    override = json.dumps({"provider": {"aws": aws}})
    (folder / "emulator_override.tf.json").write_text(override, encoding="utf-8")


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_", "TICK_PIPELINE_"))
    }
    return {
        **kept,
        # Keys of nobody: a call that leaves this machine by mistake is refused.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        **_source_of_providers(),
    }


def _source_of_providers() -> dict[str, str]:
    asked = subprocess.run([_SCRIPT], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise NoTerraformError(f"no provider for Terraform: {_reason(asked.stderr)}")
    configuration = asked.stdout.strip()
    if configuration:
        return {"TF_CLI_CONFIG_FILE": configuration}
    # The real one has 700 MB: fetched once for all copies of the configuration, which have no lock file to match.
    cache = ROOT / ".venv" / "terraform-providers"
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "TF_PLUGIN_CACHE_DIR": str(cache),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
    }


def _reason(text: str) -> str:
    """The one line to show of what a command wrote: Terraform's first error, else the last line."""
    lines = [line for line in (line.strip("╷│╵ ") for line in text.splitlines()) if line]
    errors = [line for line in lines if line.startswith("Error: ")]
    return (*errors, *reversed(lines), "it gives no reason")[0]
