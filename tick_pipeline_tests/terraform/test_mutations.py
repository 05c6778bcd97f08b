"""Mistakes that somebody might well make in terraform/, each of which must be found, and by the message that tells it."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from tick_pipeline_tests.terraform.policies import plan_resources, violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tick_pipeline_tests.terraform.provider import Terraform

TERRAFORM = Path(__file__).parents[2] / "terraform"
FOLDER = TERRAFORM / "tests" / "mutations"
PATCHES = sorted(FOLDER.glob("*.patch"))
EVERYTHING = "tests/policies/everything.tfvars"

each_patch = pytest.mark.parametrize("patch", PATCHES, ids=[patch.stem for patch in PATCHES])


@dataclass(frozen=True)
class Expected:
    """What a patch says about itself: who catches it (`policies`, `test NAME`), and by what message."""

    caught_by: str
    message: str


def expected(patch: Path) -> Expected:
    """The header of a patch, above the diff."""
    header, _ = patch.read_text(encoding="utf-8").split("\n--- ", 1)
    told = dict(re.findall(r"^# (caught by|message): (.+)$", header, re.MULTILINE))
    assert set(told) == {"caught by", "message"}, f"{patch.name} lacks its header: see the others"
    return Expected(told["caught by"], told["message"])


def git_apply(root: Path, patch: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Apply a patch to files that belong to no repository."""
    return subprocess.run(
        ["git", "apply", *options, str(patch)],  # noqa: S607 - whichever git there is
        cwd=root,
        # Within a repository git would pass over files that are not in its index.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def plain(text: str) -> str:
    """A message as it was written, however Terraform has wrapped and framed it."""
    return " ".join(re.sub("[│╷╵]", " ", text).split())


def what_is_found(terraform: Terraform, folder: Path, patch: Path) -> str:
    """What is said of a copy with the mistake in it, which is taken out again."""
    told = expected(patch)
    applied = git_apply(folder.parent, patch)
    assert applied.returncode == 0, applied.stderr
    try:
        if told.caught_by == "policies":
            return "\n".join(violations(plan_resources(terraform, folder, EVERYTHING)))
        command, name = told.caught_by.split()
        assert command == "test", f"{patch.name}: caught by `policies` or `test NAME`"
        ended = terraform.run(folder, "test", f"-filter=tests/{name}.tftest.hcl", check=False)
        return plain(ended.stdout + ended.stderr)
    finally:
        restored = git_apply(folder.parent, patch, "--reverse")
        assert restored.returncode == 0, restored.stderr


@pytest.fixture(scope="module")
def findings(
    terraform: Terraform, workspace: Callable[[], Path]
) -> Iterator[dict[Path, Future[str]]]:
    """What is found with each patch, two at a time, each in a copy that the others have left as it was."""
    copies: SimpleQueue[Path] = SimpleQueue()

    def find(patch: Path) -> str:
        folder = copies.get()
        try:
            return what_is_found(terraform, folder, patch)
        finally:
            copies.put(folder)

    for _ in range(2):
        copies.put(workspace())
    pool = ThreadPoolExecutor(2)
    try:
        yield {patch: pool.submit(find, patch) for patch in PATCHES}
    finally:
        pool.shutdown(cancel_futures=True)


def test_there_are_mutations() -> None:
    assert len(PATCHES) >= 10


@each_patch
def test_the_patch_still_applies(patch: Path) -> None:
    ended = git_apply(TERRAFORM.parent, patch, "--check")
    assert ended.returncode == 0, (
        f"terraform/tests/mutations/{patch.name} no longer applies: make its mistake anew in the file it names, "
        f"put `git diff --no-prefix` of that below its header, with a/ and b/, and undo it.\n{ended.stderr}"
    )


@each_patch
def test_the_mistake_is_found(patch: Path, findings: dict[Path, Future[str]]) -> None:
    assert expected(patch).message in findings[patch].result()
