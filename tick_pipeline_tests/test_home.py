"""HOME is begun by whoever comes first, is versioned, and nothing of a stranger's is deleted."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import BusyError, HomeError
from tick_pipeline.home import exclusive, marker_of, read_home, remove_home
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.home import Home


def test_a_new_home_has_every_table_empty(home: Home) -> None:
    tables = [open_catalog(home.path).load_table(f"iceberg.{table}") for table in TABLES]
    assert all(table.current_snapshot() is None for table in tables)
    assert all((home.warehouse / "parquet_projection" / table).is_dir() for table in TABLES)


def test_every_iceberg_table_is_partitioned_by_the_hour_of_its_rows(home: Home) -> None:
    catalog = open_catalog(home.path)
    specs = {table: catalog.load_table(f"iceberg.{table}").spec() for table in TABLES}
    assert {table: [str(field) for field in spec.fields] for table, spec in specs.items()} == {
        "raw": ["1000: event_ts_hour: hour(7)"],
        "aggregated_1m": ["1000: bucket_start_hour: hour(2)"],
        "aggregated_5m": ["1000: bucket_start_hour: hour(2)"],
        "anomalies": ["1000: event_at_hour: hour(4)"],
    }


def test_an_empty_folder_becomes_a_home(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert open_home(load_settings(home=tmp_path / "empty")).catalog.exists()


def test_the_start_of_the_partitions_is_kept(settings: Settings, home: Home) -> None:
    assert open_home(settings).partitions_start_us == home.partitions_start_us


def test_a_set_start_of_the_partitions_wins(settings: Settings, home: Home) -> None:
    given = load_settings(home=settings.home, partitions_start="2026-01-01T05:00:00Z")
    assert open_home(given).partitions_start_us == 1_767_243_600_000_000


@pytest.mark.parametrize("version", [1, 99])
def test_a_home_of_another_version_is_refused_with_a_way_on(home: Home, version: int) -> None:
    """One of version 1 has no table `anomalies`."""
    marker = marker_of(home.path)
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"version": version}))
    with pytest.raises(HomeError, match=rf"version {version}, .* needs 2; .*reset") as refusal:
        read_home(home.path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}'])
def test_a_broken_marker_is_refused_with_a_way_on(home: Home, text: str) -> None:
    marker_of(home.path).write_text(text)
    with pytest.raises(HomeError, match="reset"):
        read_home(home.path)


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(HomeError, match=r"thesis\.tex"):
        open_home(load_settings(home=tmp_path))
    with pytest.raises(HomeError, match="left as it is"):
        remove_home(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_removed_home_is_gone(home: Home) -> None:
    remove_home(home.path)
    assert not home.path.exists()


def test_a_file_in_place_of_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="is a file"):
        open_home(load_settings(home=tmp_path / "file"))


def test_several_processes_may_begin_one_home_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from tick_pipeline.settings import load_settings;"
        "from tick_pipeline.resources.local import open_home;"
        "print(open_home(load_settings(home=sys.argv[1])).partitions_start_us)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "home")], stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = {child.communicate(timeout=120)[0] for child in children}
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(outputs) == 1


def test_a_lock_that_another_process_holds_is_told_after_the_wait(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with (
        exclusive(lock, what="the table"),
        pytest.raises(BusyError, match="another process holds the table"),
        exclusive(lock, what="the table", wait_seconds=0.1),
    ):
        pass


def test_a_home_whose_name_has_a_blank_or_an_umlaut_works(tmp_path: Path) -> None:
    home = open_home(load_settings(home=tmp_path / "meine Börse"))
    raw = open_catalog(home.path).load_table("iceberg.raw")
    assert raw.location() == f"file://{home.path}/warehouse/iceberg/raw"
    assert (home.warehouse / "iceberg" / "raw" / "metadata").is_dir()


@pytest.mark.parametrize("name", ["a#b", "a%20b", "a?b", "a:b", "a*b"])
def test_a_home_whose_name_no_location_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HomeError, match="name another folder"):
        open_home(load_settings(home=tmp_path / name))


def test_a_home_without_its_marker_is_not_gone_on_with(settings: Settings, home: Home) -> None:
    """Its checkpoints would make a delivery skip records of a new stream."""
    (home.landing / "parquet_projection.json").write_text("{}")
    marker_of(home.path).unlink()
    with pytest.raises(HomeError, match="is missing"):
        open_home(settings)
    remove_home(home.path)
    assert open_home(settings).path == home.path


def test_a_home_behind_a_link_is_removed_whole(tmp_path: Path, home: Home) -> None:
    link = tmp_path / "link"
    link.symlink_to(home.path)
    remove_home(link)
    assert not home.path.exists()


def test_a_home_that_is_written_to_is_not_removed(home: Home) -> None:
    with (
        exclusive(home.locks / "deliver-iceberg.lock", what="a delivery"),
        pytest.raises(BusyError),
    ):
        remove_home(home.path)
    assert marker_of(home.path).exists()
