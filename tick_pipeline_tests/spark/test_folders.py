"""A folder's files appear whole, take the place of the old ones, and go with what lies below them."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import SparkJobError
from tick_pipeline.spark.folders import (
    Folder,
    LocalFolder,
    open_folder,
    side_by_side,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.lake import Lake


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A place that is not there yet, of a name that a parser of URIs would not take."""
    return tmp_path / "my wärehouse %20"


@pytest.fixture(params=["local", pytest.param("hadoop", marks=pytest.mark.spark)])
def folder(request: pytest.FixtureRequest, root: Path) -> Folder:
    """A folder on this disk, by either way to it."""
    if request.param == "local":
        return open_folder(f"file://{root}/")
    lake: Lake = request.getfixturevalue("lake")
    return open_folder(f"file:{root}", lake.spark)


def test_a_file_comes_back_as_it_was_put(folder: Folder) -> None:
    content = bytes(range(256)) * 5000
    folder.write("year=2026/hour=01/a.parquet", b"old")
    folder.write("year=2026/hour=01/a.parquet", content)
    folder.write("b", b"")
    assert folder.read("year=2026/hour=01/a.parquet") == content
    assert folder.read("b") == b""
    assert folder.files("year=2026/hour=01") == {"a.parquet": len(content)}


def test_where_nothing_is_there_is_nothing_to_see_or_to_remove(folder: Folder) -> None:
    assert folder.files("year=2026") == {}
    assert folder.read("year=2026/a") is None
    folder.delete("year=2026")


def test_only_data_files_count(folder: Folder, root: Path) -> None:
    """By Hive's rule; folders are none."""
    for name in ("b", "a", "_staged", ".crc", "below/c"):
        folder.write(f"hour/{name}", b"12")
    assert list(folder.files("hour").items()) == [("a", 2), ("b", 2)]


def test_a_staged_file_takes_the_place_of_the_old_one(folder: Folder) -> None:
    folder.write("_staging/run/part-0", b"new")
    folder.write("hour/a", b"the old one, longer")
    folder.replace("_staging/run/part-0", "hour/a")
    folder.write("_staging/run/part-1", b"first")
    folder.replace("_staging/run/part-1", "other hour/a")
    folder.delete("_staging")
    assert (folder.read("hour/a"), folder.read("other hour/a")) == (b"new", b"first")
    assert folder.files("_staging/run") == {}


def test_a_staged_file_that_another_run_took_away_leaves_the_old_one(folder: Folder) -> None:
    folder.write("hour/a", b"old")
    with pytest.raises(SparkJobError, match=r"_staging/part-0 is gone: .* run this one again"):
        folder.replace("_staging/part-0", "hour/a")
    assert folder.read("hour/a") == b"old"


def test_a_folder_goes_with_all_below_it_and_a_file_alone(folder: Folder) -> None:
    for name in ("gone/deep/a", "gone/_b", "stays/a", "stays/b"):
        folder.write(name, b"1")
    folder.delete("gone")
    folder.delete("stays/a")
    assert (folder.files("gone/deep"), folder.read("gone/_b")) == ({}, None)
    assert folder.files("stays") == {"b": 1}


def test_what_a_kill_left_unfinished_is_no_data_and_goes_with_the_next(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    (tmp_path / "_a").write_bytes(b"half of")
    assert (folder.files(""), folder.read("a")) == ({}, None)
    folder.write("a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_not_on_this_disk_needs_spark() -> None:
    with pytest.raises(SparkJobError, match="s3://bucket/warehouse is not on a local disk"):
        open_folder("s3://bucket/warehouse")


def test_work_side_by_side_keeps_its_order() -> None:
    assert side_by_side(lambda number: number * number, range(50)) == [
        number * number for number in range(50)
    ]
