"""Promise `nothing_secret`: no credential in a log, a report, an error, metadata or the repository.

Runs after every other test (see conftest.py), over all that they wrote, with credentials that can be found again.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.cli.main import run
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, ROOT, SECRET_KEY
from tick_pipeline_tests.twin.provision import provision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline_tests.twin.twin import Twin

_MARKS = (ACCESS_KEY.encode(), SECRET_KEY.encode())
#: What AWS gives out as keys, and what a private key begins with.
_KEYS = re.compile(
    rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----"
    rb"|aws_secret_access_key\s*=\s*[A-Za-z0-9/+]{40}\b"
)
#: AWS's own example, which no account has.
_EXAMPLES = {b"AKIAIOSFODNN7EXAMPLE"}


def _leaks(content: bytes) -> list[bytes]:
    return [mark for mark in _MARKS if mark in content]


def _files(folder: Path) -> Iterator[Path]:
    """All below a folder; one that another process takes away meanwhile is passed over."""
    paths = (Path(root, name) for root, _, names in os.walk(folder) for name in names)
    return (path for path in paths if path.is_file() and not path.is_symlink())


def test_nothing_secret(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In what all tests left: logs of jobs, reports, Dagster's runs and metadata, tables, state."""
    written = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        written = written.parent  # what the other processes wrote, too
    looked = 0
    for path in _files(written):
        # The last test of another process is still at work; and a test may have made a file that nobody may read.
        with suppress(FileNotFoundError, PermissionError):
            looked += 1
            assert not _leaks(path.read_bytes()), path
    assert looked


def test_nothing_secret_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            with suppress(FileNotFoundError):  # another process's file of a moment
                found = set(_KEYS.findall(path.read_bytes())) - _EXAMPLES
                assert not found, f"{name}: {found}"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("StartQueryExecution", "ExpiredTokenException"),
        ("ListShards", "AccessDeniedException"),
    ],
)
def test_an_error_that_quotes_the_credentials_is_told_without_them(
    operation: str,
    code: str,
    twin: Twin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As services do that echo a request: key, token or signature."""
    monkeypatch.setenv("TICK_PIPELINE_HOME", str(tmp_path / "home"))
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    quoted = f"Credential={ACCESS_KEY}/20260101 aws_secret_access_key={SECRET_KEY} is not valid"
    twin.gateway.fail(operation, code, message=quoted, times=9)
    command = ["query", "select 1 as one"] if "Query" in operation else ["status"]
    assert run(command) == 1
    told = capfd.readouterr()
    assert code in told.err
    assert told.err.count("\n") == 1
    assert not _leaks((told.out + told.err).encode())
