"""The workflows, as far as they can be judged without GitHub; their longer scripts really run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from tick_pipeline_tests.ci.workflows import FOLDER, ROOT, WORKFLOWS, Workflow, run_script

BIN = Path(sys.executable).parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: What a job may write, and no other may.
WRITES = {
    ("plan", "plan"): {"id-token"},
    ("release", "publish"): {"attestations", "contents", "id-token"},
}
#: Stands for terraform: tells its arguments, and shows a plan.
TERRAFORM = '#!/bin/bash\necho "$@" >> "$RUNNER_TEMP/asked"\necho "the plan"\n'

each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS.keys())


def inputs(action: str) -> list[dict[str, str]]:
    """What each step that uses an action gives to it."""
    steps = [step for workflow in WORKFLOWS.values() for step in workflow.steps]
    return [step.get("with", {}) for step in steps if step.get("uses", "").startswith(f"{action}@")]


def test_there_are_checks_a_plan_and_a_release() -> None:
    assert set(WORKFLOWS) == {"checks", "plan", "release"}


@each_workflow
def test_every_action_is_pinned_to_a_commit_and_names_its_version(workflow: Workflow) -> None:
    """A tag can be moved to other code; the comment is what Dependabot raises and people read."""
    lines = [line for line in workflow.text.splitlines() if "uses:" in line]
    assert len(lines) == len([step for step in workflow.steps if "uses" in step])
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_is_the_same_commit_everywhere() -> None:
    used = {step["uses"] for each in WORKFLOWS.values() for step in each.steps if "uses" in step}
    assert len({action.split("@")[0] for action in used}) == len(used)


@each_workflow
def test_a_job_may_do_only_what_it_asks_for(workflow: Workflow) -> None:
    assert workflow.content["permissions"] == {}
    for name, job in workflow.jobs.items():
        permissions: dict[str, str] = job["permissions"]
        written = {scope for scope, level in permissions.items() if level != "read"}
        assert written == WRITES.get((workflow.name, name), set()), name


@each_workflow
def test_no_run_waits_or_lasts_for_ever(workflow: Workflow) -> None:
    assert {"group", "cancel-in-progress"} == set(workflow.content["concurrency"])
    for job in workflow.jobs.values():
        assert 0 < int(job["timeout-minutes"]) <= 90
        assert job["runs-on"] == "ubuntu-24.04"


@each_workflow
def test_no_step_runs_what_a_pull_request_names(workflow: Workflow) -> None:
    """An expression is put into a script as text: a branch's name would be run."""
    for step in workflow.steps:
        assert "${{" not in step.get("run", "")
    assert "pull_request_target" not in workflow.content["on"]


def test_no_checkout_leaves_its_token_behind() -> None:
    found = inputs("actions/checkout")
    assert found
    assert all(each["persist-credentials"] == "false" for each in found)


@each_workflow
def test_every_make_target_is_in_the_makefile(workflow: Workflow) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    scripts = "\n".join(step.get("run", "") for step in workflow.steps)
    run = re.findall(r"(?m)^\s*make ((?:[a-z-]+ ?)+)$", scripts)
    assert {target for words in run for target in words.split()} <= targets


@each_workflow
def test_every_file_that_a_workflow_names_is_there(workflow: Workflow) -> None:
    named = re.findall(r"'([\w./]+\.\w+)'", workflow.text)
    named += [f"terraform/{path}" for path in re.findall(r"-var-file=(\S+)", workflow.text)]
    for path in named:
        assert (ROOT / path).is_file(), path


def test_the_checks_are_those_of_a_contributor() -> None:
    run = [step["run"] for step in WORKFLOWS["checks"].jobs["python"]["steps"] if "run" in step]
    assert run == [".ci/run", "make build-wheel"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    terraform = WORKFLOWS["checks"].jobs["terraform"]["steps"]
    assert [step["run"] for step in terraform if "run" in step] == ["make tf-validate tf-test"]


def test_what_is_badly_formatted_is_told_and_not_mended() -> None:
    """Only `fmt -check` fails."""
    recipe = re.search(r"(?m)^tf-validate:.*\n((?:\t.*\n)+)", MAKEFILE)
    assert recipe
    assert re.search(r"fmt .*-check", recipe.group(1))


def test_python_is_the_first_that_the_makefile_takes_and_one_that_the_package_allows() -> None:
    [version] = {each["python-version"] for each in inputs("actions/setup-python")}
    first = re.search(r"(?m)^PYTHON \?= \$\(shell command -v python([\d.]+)", MAKEFILE)
    assert first
    assert version == first.group(1)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    allowed = re.search(r'(?m)^requires-python = "(.+)"$', project)
    assert allowed
    assert f"{version}.0" in SpecifierSet(allowed.group(1))


def test_terraform_is_one_version_that_the_configuration_allows() -> None:
    [version] = {each["terraform_version"] for each in inputs("hashicorp/setup-terraform")}
    assert re.fullmatch(r"1\.11\.\d+", version)
    text = (ROOT / "terraform" / "versions.tf").read_text(encoding="utf-8")
    required = re.search(r'required_version\s*=\s*"(.+)"', text)
    assert required
    assert version in SpecifierSet(required.group(1).replace("~>", "~="))


def test_packages_are_cached_by_the_lock_and_never_for_a_release() -> None:
    [cache] = inputs("actions/cache")
    assert "hashFiles('requirements.lock'" in cache["key"]
    assert "actions/cache" not in WORKFLOWS["release"].text
    assert all("cache" not in each for each in inputs("actions/setup-python"))


def test_the_linter_refuses_an_action_by_its_tag(tmp_path: Path) -> None:
    """Its own configuration could switch it off in silence."""
    copied = tmp_path / ".github" / "workflows"
    shutil.copytree(FOLDER, copied)
    checks = copied / "checks.yaml"
    text = checks.read_text(encoding="utf-8")
    checks.write_text(re.sub(r"checkout@\S+ # \S+", "checkout@v4", text), encoding="utf-8")
    command = re.search(r"(?m)^\t\$\(BIN\)/(zizmor .+)$", MAKEFILE)
    assert command
    program, *options = command.group(1).split()
    linted = subprocess.run(
        [BIN / program, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert linted.returncode != 0
    assert "unpinned-uses" in linted.stdout


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """The variables and files of a runner, with a terraform that only tells what it was asked."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM, encoding="utf-8")
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "AWS_REGION": "eu-central-1",
    }


def plan_step(name: str, runner: dict[str, str], cwd: Path, **variables: str) -> str:
    """Run a step of the plan; what it printed."""
    done = run_script(WORKFLOWS["plan"].script(name), cwd=cwd, environment={**runner, **variables})
    assert done.returncode == 0, done.stderr
    return done.stdout


ROLE = "arn:aws:iam::123456789012:role/plan"


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"OURS": "false", "ROLE": ROLE, "REGION": "eu-central-1"}, "from a fork"),
        ({"OURS": "true", "ROLE": "", "REGION": "eu-central-1"}, "AWS_PLAN_ROLE_ARN"),
        ({"OURS": "true", "ROLE": ROLE, "REGION": ""}, "AWS_REGION"),
    ],
    ids=["fork", "no role", "no region"],
)
def test_a_plan_that_cannot_be_made_is_skipped_and_says_why(
    variables: dict[str, str], reason: str, runner: dict[str, str], tmp_path: Path
) -> None:
    printed = plan_step("Look for the settings", runner, tmp_path, **variables)
    assert re.fullmatch(f"::notice title=No terraform plan::.*{reason}.*\n", printed)
    assert reason in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (tmp_path / "output").read_text(encoding="utf-8") == "ready=false\n"
    assert_plan_waits_for_the_settings()


def test_a_plan_is_made_where_the_variables_are_set(runner: dict[str, str], tmp_path: Path) -> None:
    set_up = {"OURS": "true", "ROLE": ROLE, "REGION": "eu-central-1"}
    assert plan_step("Look for the settings", runner, tmp_path, **set_up) == ""
    assert (tmp_path / "output").read_text(encoding="utf-8") == "ready=true\n"
    assert_plan_waits_for_the_settings()


def assert_plan_waits_for_the_settings() -> None:
    """The output that the first job gives is the one that the second is bound to."""
    jobs: dict[str, dict[str, Any]] = WORKFLOWS["plan"].jobs
    assert jobs["settings"]["outputs"] == {"ready": "${{ steps.settings.outputs.ready }}"}
    assert jobs["plan"]["needs"] == "settings"
    assert jobs["plan"]["if"] == "needs.settings.outputs.ready == 'true'"


def test_the_backend_is_configured_where_it_is_given(
    runner: dict[str, str], tmp_path: Path
) -> None:
    given = 'bucket = "b"\nkey = "k"'
    plan_step("Initialise", runner, tmp_path, BACKEND_CONFIG="")
    plan_step("Initialise", runner, tmp_path, BACKEND_CONFIG=given)
    without, with_it = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert "-backend-config" not in without
    file = with_it.partition("-backend-config=")[2]
    assert Path(file).read_text(encoding="utf-8") == f"{given}\n"


@pytest.mark.parametrize("backend", [True, False])
def test_the_summary_shows_the_plan_and_says_when_it_is_from_nothing(
    backend: bool, runner: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "terraform").mkdir()
    if backend:
        (tmp_path / "terraform" / "backend.tf").touch()
    plan_step("Plan", runner, tmp_path)
    plan_step("Show it in the summary", runner, tmp_path)
    summary = (tmp_path / "summary").read_text(encoding="utf-8")
    assert "```text\nthe plan\n```\n" in summary
    assert ("From nothing" in summary) is not backend
