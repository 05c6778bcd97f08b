"""HOME, the local deployment's state: where each part of it lies, its version, and its beginning."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import HomeError
from tick_pipeline.event_time import US_PER_HOUR, format_short, now_us, parse_instant
from tick_pipeline.spark.locks import exclusive

if TYPE_CHECKING:
    from pathlib import Path

#: Raised when a HOME of the release before lacks what this one needs. 2: the tables `anomalies`.
VERSION = 2
_DAYS_BEFORE = 7
#: Characters that mean something in a URI, a glob, a class path or Spark's options.
_UNUSABLE = '#%?*[]{}:,\\"\n'
_FOLDERS = (
    "stream",
    "warehouse",
    "landing",
    "anomaly_stream",
    "labels",
    "locks",
    "report",
    "reports",
    "logs",
    "redrive",
    "spark",
    "dagster",
)


@dataclass(frozen=True)
class Home:
    """An initialised HOME.

    Attributes:
        path: absolute.
        partitions_start_us: first hour of the Dagster partitions, microseconds.
    """

    path: Path
    partitions_start_us: int

    @property
    def stream(self) -> Path:
        """The local stream: segments, merged segments, rejected records, consumers' positions."""
        return self.path / "stream"

    @property
    def warehouse(self) -> Path:
        """Root of the tables of both storage modes."""
        return self.path / "warehouse"

    @property
    def catalog(self) -> Path:
        """The Iceberg catalog, one SQLite file."""
        return self.path / "catalog.db"

    @property
    def landing(self) -> Path:
        """Checkpoints and leases of the delivery loop."""
        return self.path / "landing"

    @property
    def anomaly_stream(self) -> Path:
        """The streaming job: its checkpoint, its progress, and whether it is wanted."""
        return self.path / "anomaly_stream"

    @property
    def labels(self) -> Path:
        """What the simulator injected, one file per run."""
        return self.path / "labels"

    @property
    def locks(self) -> Path:
        """One lock file per thing that has one writer at a time."""
        return self.path / "locks"

    @property
    def reports(self) -> Path:
        """One JSON report per run of a job."""
        return self.path / "reports"

    @property
    def logs(self) -> Path:
        """What each process of the live mode says, one file each."""
        return self.path / "logs"


def marker_of(path: Path) -> Path:
    """The file that makes a folder a HOME."""
    return path / "home.json"


def read_home(path: Path, *, partitions_start: str | None = None) -> Home | None:
    """The HOME at `path`; None where there is none yet (absent, empty, or never finished).

    Raises:
        HomeError: the folder holds other things, or a HOME of another version.
    """
    path = path.expanduser().absolute()
    unusable = sorted(set(str(path)) & set(_UNUSABLE))
    if unusable:
        raise HomeError(
            f"{path} holds {' '.join(unusable)}, which a table's location cannot; "
            "name another folder with TICK_PIPELINE_HOME"
        )
    if path.exists() and not path.is_dir():
        raise HomeError(f"{path} is a file; TICK_PIPELINE_HOME must name a folder")
    marker = marker_of(path)
    if not marker.exists():
        strangers = _strangers(path)
        if strangers:
            raise HomeError(
                f"{path} is no HOME of tick_pipeline and not empty (it holds {strangers[0]!r}); "
                "name another folder with TICK_PIPELINE_HOME"
            )
        if _has_state(path):
            raise HomeError(
                f"{path} holds a stream or checkpoints, but {marker.name} is missing: going on could "
                "skip records; put the file back, or `tick-pipeline reset` to begin anew"
            )
        return None
    try:
        document: dict[str, Any] = json.loads(marker.read_text(encoding="utf-8"))
        version, start = document["version"], parse_instant(document["partitions_start"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HomeError(
            f"{marker} cannot be read ({error}); `tick-pipeline reset` begins anew"
        ) from error
    if version != VERSION:
        raise HomeError(
            f"{path} is of version {version}, this tick_pipeline needs {VERSION}; keep it with the "
            "release that made it, name another TICK_PIPELINE_HOME, or `tick-pipeline reset` to begin anew"
        )
    return Home(path, parse_instant(partitions_start) if partitions_start else start)


def prepare_home(path: Path) -> Path:
    """Create the folders of a HOME, without its marker; `finish_home` makes it one."""
    path = path.expanduser().absolute()
    try:
        for name in _FOLDERS:
            (path / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"{path} cannot be created: {error.strerror}; name another TICK_PIPELINE_HOME"
        ) from error
    return path


def finish_home(path: Path) -> Home:
    """Write the marker, once everything else is there; from then on the folder is a HOME."""
    start = partitions_start_of_new_home()
    write_atomically(
        marker_of(path),
        json.dumps({"version": VERSION, "partitions_start": format_short(start)}, indent=2),
    )
    return Home(path, start)


def partitions_start_of_new_home() -> int:
    """Where the partitions of a HOME begin that is made now: midnight seven days ago, microseconds."""
    return now_us() // (24 * US_PER_HOUR) * 24 * US_PER_HOUR - _DAYS_BEFORE * 24 * US_PER_HOUR


def remove_home(path: Path) -> None:
    """Delete a HOME, of any version, and nothing else.

    Raises:
        BusyError: a process writes one of its tables.
        HomeError: the folder is no HOME, or cannot be deleted.
    """
    path = path.expanduser().resolve()
    if not path.exists():
        return
    if not marker_of(path).exists() and _strangers(path):
        raise HomeError(f"{path} is no HOME of tick_pipeline; it was left as it is")
    with ExitStack() as locks:
        for lock in sorted((path / "locks").glob("*.lock")):
            locks.enter_context(exclusive(lock, what="a table of this HOME", wait_seconds=0))
        # Renamed first: a deletion that is cut off must not leave half a HOME to go on with.
        doomed = path.with_name(f".{path.name}.deleted-{os.getpid()}")
        try:
            path.rename(doomed)
        except OSError as error:
            raise HomeError(f"{path} cannot be deleted: {error.strerror}") from error
        shutil.rmtree(doomed)


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by a text so that a reader, or a crash, sees the old or the new one whole."""
    temporary = path.with_name(f"_{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError:
        # What was written of it must not fill a full disk further.
        temporary.unlink(missing_ok=True)
        raise


def _has_state(path: Path) -> bool:
    """Whether there is more than what an initialisation that was cut off leaves: empty parts."""
    return (path / "stream" / "stream.json").exists() or any((path / "landing").glob("*.json"))


def _strangers(path: Path) -> list[str]:
    if not path.exists():
        return []
    return sorted(
        item.name
        for item in path.iterdir()
        if item.name not in _FOLDERS and not item.name.startswith(("catalog.db", "_home.json"))
    )
