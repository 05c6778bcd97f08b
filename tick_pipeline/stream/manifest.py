"""`stream.json`: what is fixed when a stream is created."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from tick_pipeline.errors import StreamError
from tick_pipeline.stream.layout import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = 1


def open_manifest(root: Path, shards: int) -> int:
    """Number of shards of the stream at `root`, which is created, with `shards`, where it is absent.

    Raises:
        StreamError: the stream is of another version, or no stream can have so few shards.
        OSError: as the disk raises it.
    """
    if shards < 1:
        raise StreamError(f"a stream of {shards} shards cannot be; it needs at least 1")
    root.mkdir(parents=True, exist_ok=True)
    path = root / "stream.json"
    if not path.exists():
        _create(path, shards)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version, count = int(document["version"]), int(document["shards"])
    except (ValueError, KeyError, TypeError) as error:
        raise StreamError(
            f"{path} cannot be read ({error}); `tick-pipeline reset` begins anew"
        ) from error
    if version != _VERSION:
        raise StreamError(
            f"{root} holds a stream of version {version}, this tick_pipeline needs {_VERSION}; "
            "`tick-pipeline reset` begins anew"
        )
    return count


def _create(path: Path, shards: int) -> None:
    temporary = path.with_name(f"_{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as handle:
            handle.write(json.dumps({"version": _VERSION, "shards": shards}))
            handle.flush()
            os.fsync(handle.fileno())
        # Another process may be first: then its number counts.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
