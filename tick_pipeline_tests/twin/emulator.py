"""An emulator of AWS on this machine: started on a free loopback port, reset between tests, ended with us."""

# boto3 has no types of its own, and makes its clients at run time.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import os
import random
import secrets
import string
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest

from tick_pipeline_tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[2]
#: Its environment is its own, for it pins botocore exactly.
PYTHON = ROOT / ".venv" / "emulator" / "bin" / "python"
#: The account that owns all that is created in it.
ACCOUNT = "000000000000"
REGION = "us-east-1"
# The processes of one run of the tests have the same.
_DRAW = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex())
#: Credentials that can be found again, wherever one of them should leak to; in no file of the repository. The emulator
#: takes any.
ACCESS_KEY = "AKIA" + "".join(_DRAW.choices(string.ascii_uppercase + string.digits, k=16))
SECRET_KEY = f"twin-marked-{_DRAW.randbytes(16).hex()}"
#: Why tests that need it cannot run where it is not installed.
ABSENT = "no emulator of AWS in .venv/emulator: make .venv/.emulator"

_LAUNCHER = Path(__file__).with_name("launch_emulator.py")
_HOST = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 5.0
_REQUEST_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LOG_TAIL_CHARACTERS = 2000


class EmulatorError(Exception):
    """The emulator did not start; the message carries the end of its log."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its URL, its process, and the folder of its state and log."""

    url: str
    process_id: int
    folder: Path

    @property
    def log(self) -> Path:
        """What it wrote."""
        return _log(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which any AWS SDK of a child process speaks to it, and to nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            # Neither the profiles of the developer nor the role of the machine.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Java's Kinesis clients would speak CBOR, the emulator speaks JSON.
            "AWS_CBOR_DISABLE": "1",
        }

    def client(self, service: str) -> Any:
        """A boto3 client of one service, whatever the environment says: the same for each call."""
        return _client(self.url, service)

    def reset(self) -> None:
        """Forget everything that was created in it."""
        _request(f"{self.url}/_ministack/reset", method="POST")


@cache
def _client(url: str, service: str) -> Any:
    untyped: Any = boto3
    return untyped.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def require_emulator() -> None:
    """Skip a test where the emulator is not installed.

    In CI it fails: a test that is skipped for good would look like one that passes.
    """
    if PYTHON.exists():
        return
    if os.environ.get("CI") == "true":
        pytest.fail(ABSENT, pytrace=False)
    pytest.skip(ABSENT)


@contextmanager
def run_emulator(folder: Path) -> Generator[Emulator, None, None]:
    """An emulator for as long as the block runs.

    It ends with the block, and also with the thread that entered the block, should this process be
    killed.

    Args:
        folder: an existing folder of its own, for its state, temporary files and log.

    Raises:
        EmulatorError: it is not installed, ended, or did not answer within two minutes.
    """
    if not PYTHON.exists():
        raise EmulatorError(ABSENT)
    port = free_port()
    url = f"http://{_HOST}:{port}"
    with _log(folder).open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, "-I", _LAUNCHER, str(os.getpid())],
            cwd=folder,
            env=_variables(folder, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, url, folder)
        yield Emulator(url=url, process_id=process.pid, folder=folder)
    finally:
        _stop(process)


def has_ended(process_id: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has, too."""
    try:
        return psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _variables(folder: Path, port: int) -> dict[str, str]:
    """All of its environment: none of ours could turn on what a test must not have."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        # It writes scripts below the folder of temporary files, under names that do not change.
        "TMPDIR": str(temporary),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "BIND_HOST": _HOST,
        "MINISTACK_HOST": _HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
        # What it would open beside its one port: MQTT, SFTP, and the containers of a Docker engine.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(url):
        if process.poll() is not None:
            raise EmulatorError(
                f"the emulator ended with exit code {process.returncode} before it was ready: {_tail(folder)}"
            )
        if time.monotonic() > deadline:
            raise EmulatorError(
                f"the emulator did not answer on {url} for {_START_SECONDS:.0f} s: {_tail(folder)}"
            )
        time.sleep(_POLL_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        _request(f"{url}/_ministack/ready")
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _request(url: str, method: str = "GET") -> None:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - our own http URL
    # No proxy: the URL is of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_REQUEST_SECONDS) as response:
        response.read()


def _log(folder: Path) -> Path:
    return folder / "emulator.log"


def _tail(folder: Path) -> str:
    text = _log(folder).read_text(encoding="utf-8", errors="replace").strip()
    return text[-_LOG_TAIL_CHARACTERS:] or "its log is empty"
