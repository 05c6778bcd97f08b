"""Terraform's own checks of terraform/, run on a copy: its format, its validity, and every test it has."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tick_pipeline_tests.terraform.provider import Terraform

TERRAFORM = Path(__file__).parents[2] / "terraform"
TESTS = sorted((TERRAFORM / "tests").glob("*.tftest.hcl"))
MODULES = {
    "": TERRAFORM,
    **{f"./modules/{folder.name}": folder for folder in sorted((TERRAFORM / "modules").iterdir())},
}
#: The variables alone, without the rest of the root.
VARIABLES = "./tests/variables"

_BLOCK = re.compile(
    r'^(variable|resource|run) "(\w+)"(?: "(\w+)")? \{\n(.*?)^\}', re.MULTILINE | re.DOTALL
)
_RULE = re.compile(r"^\s+(validation|precondition|postcondition) \{$", re.MULTILINE)


def rules() -> Counter[tuple[str, str]]:
    """(module, address) -> how many rules are written there that can refuse a plan."""
    found: Counter[tuple[str, str]] = Counter()
    for module, folder in MODULES.items():
        for file in folder.glob("*.tf"):
            for kind, name, second, body in _BLOCK.findall(file.read_text(encoding="utf-8")):
                address = f"var.{name}" if kind == "variable" else f"{name}.{second}"
                found[module, address] += len(_RULE.findall(body))
    return +found


def refusals() -> Counter[tuple[str, str]]:
    """(module, address) -> how many runs expect it, and nothing else, to refuse their plan."""
    found: Counter[tuple[str, str]] = Counter()
    for file in TESTS:
        for kind, _, _, body in _BLOCK.findall(file.read_text(encoding="utf-8")):
            expected = re.search(r"expect_failures = \[([\w.-]+)\]", body)
            if kind == "run" and expected:
                module = re.search(r'source = "(\S+)"', body)
                source = module[1] if module and module[1] != VARIABLES else ""
                found[source, expected[1]] += 1
    return found


def mutated_messages() -> list[str]:
    """The messages of the mistakes in terraform/tests/mutations."""
    texts = [file.read_text(encoding="utf-8") for file in (TERRAFORM / "tests").glob("mutations/*")]
    return [
        message for text in texts for message in re.findall("^# message: (.+)$", text, re.MULTILINE)
    ]


@pytest.fixture(scope="module")
def copy(workspace: Callable[[], Path]) -> Path:
    """A copy that the tests only read."""
    return workspace()


def test_every_rule_has_a_run_that_breaks_it() -> None:
    """A rule that no variable can break has a mutation in place of a run, which names its message."""
    assert sum(rules().values()) > 40
    untested = rules() - refusals()
    by_mutation = {
        (module, address)
        for module, address in untested
        if address.count(".") == 1
        and any(message in _text_of(module, address) for message in mutated_messages())
    }
    assert set(untested) - by_mutation == set()


def test_every_run_breaks_a_rule_that_is_there() -> None:
    assert refusals() - rules() == Counter()


def test_variables_stand_alone_for_the_validations() -> None:
    """A copy of them would go stale."""
    link = TERRAFORM / "tests" / "variables" / "variables.tf"
    assert link.is_symlink()
    assert link.resolve() == (TERRAFORM / "variables.tf").resolve()


def test_provider_gives_every_resource_the_tags() -> None:
    """No plan shows the tags by default."""
    main = (TERRAFORM / "main.tf").read_text(encoding="utf-8")
    provider = re.search(r'^provider "aws" \{\n(.*?)^\}', main, re.MULTILINE | re.DOTALL)
    assert provider is not None
    assert "default_tags {\n    tags = local.tags\n  }" in provider[1]


def test_files_are_formatted(terraform: Terraform, copy: Path) -> None:
    ended = terraform.run(copy, "fmt", "-check", "-diff", "-recursive", check=False)
    assert ended.returncode == 0, f"make tf-fmt mends this:\n{ended.stdout}{ended.stderr}"


def test_configuration_is_valid(terraform: Terraform, copy: Path) -> None:
    terraform.run(copy, "validate")


@pytest.fixture(scope="module")
def outcomes(terraform: Terraform, copy: Path) -> Iterator[dict[Path, Future[Any]]]:
    """What Terraform makes of each file, two at a time: most of it is one thread's work."""
    pool = ThreadPoolExecutor(2)
    try:
        yield {
            file: pool.submit(terraform.run, copy, "test", f"-filter=tests/{file.name}")
            for file in TESTS
        }
    finally:
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("file", TESTS, ids=[file.name.split(".")[0] for file in TESTS])
def test_terraform_test(file: Path, outcomes: dict[Path, Future[Any]]) -> None:
    assert "Success!" in outcomes[file].result().stdout


@pytest.mark.parametrize("profile", ["demo", "production"])
def test_profile_can_be_planned(profile: str, terraform: Terraform, copy: Path) -> None:
    if not terraform.is_standin:
        pytest.skip("the provider itself asks AWS who we are; test_policies.py plans it without")
    planned = terraform.run(
        copy, "plan", "-var=region=eu-central-1", f"-var-file=profiles/{profile}.tfvars"
    )
    assert " to add, 0 to change, 0 to destroy." in planned.stdout
    assert "Warning" not in planned.stdout


def _text_of(module: str, address: str) -> str:
    kind, name = address.split(".")
    return "".join(
        body
        for file in MODULES[module].glob("*.tf")
        for _, first, second, body in _BLOCK.findall(file.read_text(encoding="utf-8"))
        if (first, second) == (kind, name)
    )
