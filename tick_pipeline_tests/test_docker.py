"""The image and the compose deployment, as far as they can be judged without a Docker engine."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.instance.config import dagster_instance_config
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.workspace.load import location_origins_from_yaml_paths

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("code", "daemon", "webserver")
DAGSTER_YAML = ROOT / "deploy" / "dagster.yaml"
WORKSPACE_YAML = ROOT / "deploy" / "workspace.yaml"
#: What the Postgres image brings.
POSTGRES_COMMANDS = {"pg_isready": {"--username", "--dbname"}}


def instructions(name: str) -> list[str]:
    """Arguments of every instruction of one name, in order, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE))
    found: list[str] = re.findall(rf"(?m)^{name}\s+(.*)$", joined)
    return found


def last_stage_environment() -> dict[str, str]:
    return dict(item.split("=", 1) for item in shlex.split(instructions("ENV")[-1]))


def image_commands() -> dict[str, list[str]]:
    """The image's own command and the one of its health check."""
    check = instructions("HEALTHCHECK")[0]
    return {
        "image": json.loads(instructions("CMD")[-1]),
        "image's health": json.loads(check[check.index("[") :]),
    }


def compose_commands() -> dict[str, list[str]]:
    """Every command of compose, and every one of a health check, by what it is for."""
    found: dict[str, list[str]] = {}
    for name, service in SERVICES.items():
        if "command" in service:
            found[name] = service["command"]
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD", "a list: no shell between the engine and the command"
        found[f"{name}'s health"] = words
    return found


COMMANDS = image_commands() | compose_commands()


@cache
def help_of(*words: str) -> str:
    """What a command of this environment says of itself."""
    done = subprocess.run(
        [BIN / words[0], *words[1:], "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def split_command(words: list[str]) -> tuple[list[str], list[str]]:
    """A command with its subcommands, and the long options given to it."""
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    return words[:first], [word.split("=")[0] for word in words[first:] if word.startswith("-")]


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_exists_and_knows_its_options(words: list[str]) -> None:
    """A renamed option would otherwise show only when a container does not start."""
    command, options = split_command(words)
    if command[0] in POSTGRES_COMMANDS:
        assert set(options) <= POSTGRES_COMMANDS[command[0]]
        return
    assert (BIN / command[0]).is_file()
    if command == ["python"]:
        assert options == ["-c"]
        compile(words[2], "health check", "exec")
        return
    text = help_of(*command)
    assert f"Usage: {' '.join(command)} " in text
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{option} of {command}"


def test_compose_and_the_image_start_the_same_code_location() -> None:
    assert COMMANDS["code"] == COMMANDS["image"]
    assert COMMANDS["code's health"] == COMMANDS["image's health"]


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    """.dockerignore is a list of exceptions from everything; a COPY that it hides fails the build."""
    shown = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in shown
    for line in instructions("COPY"):
        if "--from=build" in line:
            continue
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            top = source.split("/")[0]
            assert {f"!{top}", f"!{top}/"} & set(shown), source


def test_nothing_of_the_users_own_reaches_the_build() -> None:
    shown = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:].rstrip("/") for line in shown if line.startswith("!")}
    assert not kept & {".env", ".git", ".tick_pipeline", ".venv"}


def test_pyproject_lies_beside_the_package() -> None:
    """Dagster looks for it above the package that it loads defs/ from."""
    assert re.search(r"(?m)^WORKDIR /opt/tick_pipeline$", DOCKERFILE)
    sources = " ".join(line for line in instructions("COPY") if "--from" not in line)
    assert "pyproject.toml" in sources
    assert "tick_pipeline/ tick_pipeline/" in sources
    assert "--editable ." in DOCKERFILE


def test_the_image_installs_by_the_same_uv_and_only_what_is_locked() -> None:
    pinned = re.compile(r"uv==(\S+)")
    makefile = pinned.search((ROOT / "Makefile").read_text(encoding="utf-8"))
    image = pinned.search(DOCKERFILE)
    assert makefile
    assert image
    assert image.group(1) == makefile.group(1)
    install = next(line for line in instructions("RUN") if "--requirements" in line)
    assert "--constraints requirements.lock" in install
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name in ("dagster-postgres", "hatchling", "editables"):
        assert re.search(rf"(?m)^{name}==\S+ \\\n    --hash=sha256:", lock), name


def test_the_python_of_the_image_is_one_of_ours_and_one_for_both_stages() -> None:
    bases = [line.split()[0] for line in instructions("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "the environment's python is a link into the base image"
    assert bases[0].startswith("python:3.11-slim")


def test_the_jars_have_whole_second_times_before_the_class_archive_is_named() -> None:
    """Image layers cut times to seconds; the archive's folder is named by the jars' times."""
    run = next(line for line in instructions("RUN") if "spark_runtime" in line)
    assert run.index("fetch_jars") < run.index("touch --date=") < run.index(" -m tick_pipeline")


def test_the_user_is_not_root_and_owns_the_volume() -> None:
    user, group = instructions("USER")[-1].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert f"--uid {user}" in DOCKERFILE
    assert "--owner=tick --group=tick /var/lib/tick_pipeline" in DOCKERFILE
    assert not any("user" in service for service in SERVICES.values())


def test_ports_bind_to_this_machine_alone() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"webserver": ["127.0.0.1:3000:3000"]}


def test_no_password_is_written_down_and_none_has_a_default() -> None:
    demanded = re.compile(r"\$\{DAGSTER_POSTGRES_PASSWORD:\?[^}]+\}")
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if re.search("password|secret|token|key", name, re.IGNORECASE):
                assert demanded.fullmatch(value), name
    database = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))["storage"]["postgres"]
    assert database["postgres_db"]["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}
    assert not re.search(r"(?i)(password|secret|token)\s*=", DOCKERFILE)


def test_postgres_is_pinned_to_a_major_and_keeps_its_data() -> None:
    assert re.fullmatch(r"postgres:\d+", SERVICES["postgres"]["image"])
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert set(COMPOSE["volumes"]) == {"postgres", "state"}


def test_who_needs_postgres_waits_for_it() -> None:
    for name in OURS:
        waits = SERVICES[name]["depends_on"]
        assert waits["postgres"] == {"condition": "service_healthy"}
        assert (name == "code") != ("code" in waits)


def test_the_three_share_one_image_and_one_environment() -> None:
    """A run resolves the daemon's instance in the code location's container."""
    assert len({SERVICES[name]["image"] for name in OURS}) == 1
    environments = [SERVICES[name]["environment"] for name in OURS]
    assert environments[0] == environments[1] == environments[2]
    image = last_stage_environment()
    for name in ("DAGSTER_HOME", "TICK_PIPELINE_CACHE", "TICK_PIPELINE_HOME"):
        assert environments[0][name] == image[name]


def test_the_ticks_lie_on_the_volume_of_the_container_that_runs_execute_in() -> None:
    """HOME takes no strangers: what Dagster writes lies beside it, not in it."""
    home = Path(last_stage_environment()["TICK_PIPELINE_HOME"])
    for name in ("code", "webserver"):
        assert SERVICES[name]["volumes"] == [f"state:{home.parent}"]
    config = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))
    for section in ("compute_logs", "local_artifact_storage"):
        folder = Path(config[section]["config"]["base_dir"])
        assert folder.is_relative_to(home.parent)
        assert not folder.is_relative_to(home)


@pytest.fixture
def dagster_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the deployment's dagster.yaml, and the variables that compose sets."""
    for name, value in SERVICES["code"]["environment"].items():
        if name.startswith("DAGSTER_POSTGRES_"):
            monkeypatch.setenv(name, "p@ss" if name.endswith("PASSWORD") else value)
    (tmp_path / "dagster.yaml").write_bytes(DAGSTER_YAML.read_bytes())
    return tmp_path


def test_dagster_accepts_its_configuration(dagster_home: Path) -> None:
    config, custom_class = dagster_instance_config(str(dagster_home))
    assert custom_class is None
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
    assert config["telemetry"] == {"enabled": False}
    assert config["run_retries"]["enabled"]
    assert set(config["retention"]) == {"schedule", "sensor"}


def test_dagster_builds_the_instance_up_to_the_connection(
    dagster_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every class is found and takes its settings; only the server is missing."""
    from dagster_postgres.utils import DagsterPostgresException

    reached: list[str] = []

    def refuse(fn: object, *args: object, **kwargs: object) -> None:
        reached.append("connection")
        raise DagsterPostgresException("no server in this test")

    for module in ("run_storage.run_storage", "event_log.event_log", "schedule_storage"):
        name = module if "." in module else f"{module}.{module}"
        monkeypatch.setattr(f"dagster_postgres.{name}.retry_pg_connection_fn", refuse)
    with pytest.raises(DagsterPostgresException, match="no server in this test"):
        DagsterInstance.from_config(str(dagster_home))
    assert reached == ["connection"]


def test_runs_are_queued_and_execute_in_the_code_location(dagster_home: Path) -> None:
    from dagster._core.instance.ref import InstanceRef

    reference = InstanceRef.from_dir(str(dagster_home))
    assert isinstance(reference.run_coordinator, QueuedRunCoordinator)
    assert isinstance(reference.run_launcher, DefaultRunLauncher)
    assert isinstance(reference.compute_log_manager, LocalComputeLogManager)


def test_the_driver_is_the_one_that_is_installed(dagster_home: Path) -> None:
    """SQLAlchemy 2.1 takes psycopg 3 for a plain postgresql URL; dagster-postgres brings psycopg2."""
    from dagster_postgres.utils import pg_url_from_config
    from sqlalchemy.engine import make_url

    config = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))["storage"]["postgres"]
    database: dict[str, Any] = config["postgres_db"]
    plain = {key: value for key, value in database.items() if not isinstance(value, dict)}
    url = make_url(pg_url_from_config({"postgres_db": {"username": "u", **plain}}))
    assert url.get_dialect().import_dbapi().__name__ == "psycopg2"


def test_the_workspace_names_the_service_and_the_port_that_serve_the_code() -> None:
    [origin] = location_origins_from_yaml_paths([str(WORKSPACE_YAML)])
    words = COMMANDS["code"]
    assert origin.location_name == words[words.index("--location-name") + 1]
    assert str(getattr(origin, "port", None)) == words[words.index("--port") + 1]
    assert getattr(origin, "host", None) in SERVICES
