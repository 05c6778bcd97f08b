"""What lies among the tables and belongs to none: found level by level, on a disk as in a bucket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tick_pipeline.event_time import as_datetime
from tick_pipeline.storage import PARTITION_KEYS, TABLES, StorageMode, partition_hour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tick_pipeline.queries.pruning import TimeRange

_ICEBERG_FOLDERS = ("data", "metadata")
_KEY = {key: re.compile(rf"{key}=\d{{{4 if key == 'year' else 2}}}") for key in PARTITION_KEYS}


class Level(NamedTuple):
    """What lies directly in a folder: names of folders, and of files."""

    folders: list[str]
    files: list[str]


def find_strays(
    mode: StorageMode, times: TimeRange, list_level: Callable[[str], Level], root: str
) -> list[str]:
    """A line for each object or folder that belongs to no table of the mode.

    Readers of Parquet pass over names that begin with `_` or `.`, so those are no strays.

    Args:
        mode: whose prefix.
        times: hours of Parquet's tables that are looked into; of others only the folders above them.
        list_level: lists a folder, which may not be there.
        root: the mode's folder.
    """
    root = root.rstrip("/")
    tables, found = list_level(root), list[str]()
    found += [f"{name}: no table's" for name in _seen(tables.files)]
    for name in tables.folders:
        if name not in TABLES:
            found += [f"{name}/: no table of {mode}"] if _seen([name]) else []
        elif mode is StorageMode.ICEBERG:
            found += _around_iceberg(name, list_level(f"{root}/{name}"))
        else:
            found += _around_hours(f"{root}/{name}", name, PARTITION_KEYS, times, list_level)
    return found


def _around_iceberg(table: str, level: Level) -> Iterator[str]:
    for name in (*(f"{name}/" for name in level.folders), *level.files):
        if name.rstrip("/") not in _ICEBERG_FOLDERS:
            yield f"{table}/{name}: not in data/ or metadata/, so Iceberg does not know it"


def _around_hours(
    folder: str,
    told: str,
    keys: tuple[str, ...],
    times: TimeRange,
    list_level: Callable[[str], Level],
) -> Iterator[str]:
    level = list_level(folder)
    if not keys:
        yield from (f"{told}/{name}/: below an hour's folder" for name in _seen(level.folders))
        return
    for name in _seen(level.files):
        yield f"{told}/{name}: outside the hours' folders, so no query by hour reads it"
    for name in _seen(level.folders):
        if not _KEY[keys[0]].fullmatch(name):
            yield f"{told}/{name}/: no {keys[0]}=, so no query by hour reads it"
        elif len(keys) == 1 and partition_hour(f"{told}/{name}") is None:
            yield f"{told}/{name}/: there is no such hour, so no query by hour reads it"
        elif _may_touch(f"{told}/{name}", times):
            yield from _around_hours(
                f"{folder}/{name}", f"{told}/{name}", keys[1:], times, list_level
            )


def _seen(names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith(("_", "."))]


def _may_touch(told: str, times: TimeRange) -> bool:
    """Whether an hour's folder, or one above hours, may hold hours of the range."""
    hour_us = partition_hour(told)
    if hour_us is not None:
        return times.touches_hour(hour_us)
    given = [part.partition("=")[2] for part in told.split("/")[1:]]
    return _first(times.start_us, len(given)) <= given <= _last(times.end_us, len(given))


def _first(us: int | None, depth: int) -> list[str]:
    return [""] if us is None else _keys(us)[:depth]


def _last(us: int | None, depth: int) -> list[str]:
    return ["~"] if us is None else _keys(us - 1)[:depth]


def _keys(us: int) -> list[str]:
    return as_datetime(us).strftime("%Y %m %d %H").split()
