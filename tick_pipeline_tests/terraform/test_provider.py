"""Which provider Terraform's tests and make's offline targets take, and what is said where none can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.terraform import provider
from tick_pipeline_tests.terraform.provider import (
    ROOT,
    NoTerraformError,
    copy_configuration,
    find_terraform,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline_tests.terraform.provider import Terraform

NAMED = "TICK_PIPELINE_TERRAFORM_STANDIN"
INSTALL = """#!/usr/bin/env bash
echo installed >> "$(dirname "$0")/../installs"
echo "$1" > "$1/terraformrc"
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script in a checkout that has nothing beside it."""
    folder = tmp_path / "checkout" / "terraform" / "scripts"
    folder.mkdir(parents=True)
    return Path(shutil.copy(ROOT / "terraform" / "scripts" / "terraformrc", folder))


def standin(folder: Path) -> Path:
    """A stand-in whose installation is counted in `installs` beside it."""
    folder.mkdir(parents=True)
    (folder / "install").write_text(INSTALL, encoding="utf-8")
    (folder / "install").chmod(0o755)
    return folder


def ask(script: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_configuration_that_is_named_and_there_is_taken(script: Path, tmp_path: Path) -> None:
    standin(tmp_path / "shared" / "tools" / "terraform-standin")
    mine = tmp_path / "my terraformrc"
    mine.touch()
    assert ask(script, TF_CLI_CONFIG_FILE=str(mine)).stdout == f"{mine}\n"
    assert not (tmp_path / "shared" / "tools" / "installs").exists()


def test_without_anything_the_user_s_own_configuration_stays(script: Path, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for variables in ({}, {"TF_CLI_CONFIG_FILE": ""}, {"TF_CLI_CONFIG_FILE": gone}):
        asked = ask(script, **variables)
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, "", "")


@pytest.mark.parametrize("is_named", [True, False])
def test_a_standin_is_installed_once_and_again_when_it_has_changed(
    script: Path, tmp_path: Path, is_named: bool
) -> None:
    beside = tmp_path / "shared" / "tools" / "terraform-standin"
    folder = standin(tmp_path / "named" if is_named else beside)
    variables = {NAMED: str(folder)} if is_named else {}
    expected = tmp_path / "checkout" / ".venv" / "terraform-standin" / "terraformrc"
    for _ in range(2):
        assert ask(script, **variables).stdout == f"{expected}\n"
    installs = folder.parent / "installs"
    assert installs.read_text().count("installed") == 1

    later = expected.stat().st_mtime + 1
    os.utime(folder / "install", (later, later))
    assert ask(script, **variables).stdout == f"{expected}\n"
    assert installs.read_text().count("installed") == 2


def test_a_standin_that_is_named_but_not_there_is_an_error(script: Path, tmp_path: Path) -> None:
    asked = ask(script, **{NAMED: str(tmp_path / "gone")})
    assert asked.returncode == 1
    assert asked.stderr == (
        f"terraformrc: {NAMED} is {tmp_path / 'gone'}, which has no executable install\n"
    )


def test_a_machine_without_terraform_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTerraformError, match="no terraform on the PATH"):
        find_terraform(tmp_path)


def test_a_provider_that_cannot_be_had_is_told_in_one_line(
    terraform: Terraform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "mirror"
    empty.mkdir()
    configuration = tmp_path / "terraformrc"
    configuration.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{empty}"\n  }}\n}}\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(
        provider, "_source_of_providers", lambda: {"TF_CLI_CONFIG_FILE": str(configuration)}
    )
    folder = tmp_path / "tried"
    folder.mkdir()
    with pytest.raises(NoTerraformError) as refusal:
        find_terraform(folder)
    assert NAMED in str(refusal.value)
    assert "Error: Failed to query available provider packages" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_workspace_is_valid_and_carries_nothing_of_the_user(
    terraform: Terraform, workspace: Callable[[], Path]
) -> None:
    folder = workspace()
    assert terraform.json(folder, "validate")["valid"] is True
    assert terraform.run(folder, "state", "list", check=False).stdout == ""
    assert {path.name for path in folder.parent.iterdir()} == {
        ".venv",
        "terraform",
        "tick_pipeline",
    }


def test_what_a_developer_leaves_beside_the_configuration_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ("terraform.tfstate", "terraform.tfvars", "a.auto.tfvars", "b_override.tf", "backend.tf")
    checkout = tmp_path / "checkout"
    for name in ("terraform/.terraform", "tick_pipeline/__pycache__"):
        (checkout / name).mkdir(parents=True)
    for name in ("main.tf", *left):
        (checkout / "terraform" / name).touch()
    monkeypatch.setattr(provider, "ROOT", checkout)
    folder = copy_configuration(tmp_path / "copy")
    assert [path.name for path in folder.iterdir()] == ["main.tf"]
    assert list((tmp_path / "copy" / "tick_pipeline").iterdir()) == []


def test_a_command_that_fails_tells_what_terraform_said(
    terraform: Terraform, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text('output "a" {}\n', encoding="utf-8")
    with pytest.raises(AssertionError, match='The argument "value" is required'):
        terraform.run(tmp_path, "validate")
    assert terraform.run(tmp_path, "validate", check=False).returncode == 1
