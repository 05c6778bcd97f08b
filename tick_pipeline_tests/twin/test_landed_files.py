"""What came into raw on AWS: by the catalog's snapshots and by S3's listing, as it is told of a HOME."""

# boto3, pyarrow and pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import AwsError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_SECOND, hour_floor, now_us
from tick_pipeline.landing.read_marks import Mark, ReadMarks
from tick_pipeline.resources.aws import glue_landed_files
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_landed_files import GlueLandedFiles
from tick_pipeline.resources.landed import Landed, LandedFile
from tick_pipeline.settings import load_settings
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, provision

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.storage import StorageMode
    from tick_pipeline_tests.twin.twin import Twin

MODES = (ICEBERG, PARQUET)
HOUR_US = hour_floor(now_us()) - 5 * US_PER_HOUR


@pytest.fixture
def files(twin: Twin, home: Home, monkeypatch: pytest.MonkeyPatch) -> GlueLandedFiles:
    """The adapter on tables that are empty; objects are told as soon as they are there."""
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None, home=home.path)
    # The emulator dates objects by milliseconds, and its answers, as AWS does, by seconds.
    return GlueLandedFiles(AwsClients(settings), settings, home, settle_seconds=-1)


def ticks(hour_us: int, number: int, *, late_seconds: int = 0) -> list[dict[str, Any]]:
    found = [tick("AAA", (hour_us - START_US) / US_PER_SECOND + n, n + 1) for n in range(number)]
    return [item | {"sent_ts": item["event_ts"] + late_seconds * US_PER_SECOND} for item in found]


def look(files: GlueLandedFiles, mode: StorageMode, mark: Mark | None) -> Landed:
    return files.since(mode, mark, reader="landed_hours")


def hours(landed: Landed) -> list[int]:
    return sorted({file.hour_us for file in landed.files})


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_touched_hours_are_told_once(
    twin: Twin, home: Home, files: GlueLandedFiles, mode: StorageMode
) -> None:
    """With how late their rows are; what deletes or overwrites touches none."""
    lake = TwinLake(twin)
    assert look(files, mode, None).files == ()
    lake.land(ticks(HOUR_US, 3), mode, name="0.parquet")
    first = look(files, mode, None)
    assert hours(first) == [HOUR_US]
    assert files.lateness(first.files, 60 * US_PER_SECOND).late == 0
    # An object's time has whole seconds: the next one may have the same.
    mark = first.mark
    if mode is PARQUET:
        mark = replace(mark, number=max(file.mark for file in first.files) - 1)
    lake.land(ticks(HOUR_US, 2, late_seconds=7200), mode, name="1.parquet")
    lake.land(ticks(HOUR_US + US_PER_HOUR, 1), mode, name="2.parquet")
    if mode is ICEBERG:
        lake.iceberg("raw").delete("sequence = 3")
    second = look(files, mode, mark)
    new = {file.path: file for file in second.files if file not in first.files}
    assert hours(Landed(tuple(new.values()), mark)) == [HOUR_US, HOUR_US + US_PER_HOUR]
    counted = files.lateness(list(new.values()), 60 * US_PER_SECOND)
    assert (counted.rows, counted.late, counted.unread) == (3, 2, 0)
    assert files.mark(mode).number >= max(file.mark for file in second.files)
    assert look(files, mode, second.mark).files == ()
    assert ReadMarks(home).smallest(mode) == (second.mark.number if mode is ICEBERG else None)


def test_an_object_is_told_once_it_was_surely_to_be_seen(twin: Twin, home: Home) -> None:
    """A minute after its time: until then a run may have begun before it was there."""
    provided = provision(twin.client, twin.url).settings
    with pytest.MonkeyPatch.context() as patch:
        for name, value in provided.items():
            patch.setenv(name, value)
        settings = load_settings(_env_file=None, home=home.path)
    files = GlueLandedFiles(AwsClients(settings), settings, home)
    TwinLake(twin).land(ticks(HOUR_US, 1), PARQUET)
    early = look(files, PARQUET, None)
    assert early.files == ()
    [file] = look(
        GlueLandedFiles(AwsClients(settings), settings, home, settle_seconds=-1), PARQUET, None
    ).files
    assert file.landed_us is not None
    assert early.mark.number < file.landed_us + 60 * US_PER_SECOND


def test_marks_are_by_the_clock_that_dates_objects(
    twin: Twin, files: GlueLandedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run on a machine that is ahead would be taken to have read what landed after it."""
    monkeypatch.setattr(glue_landed_files, "now_us", lambda: now_us() + US_PER_HOUR)
    TwinLake(twin).land(ticks(HOUR_US, 1), PARQUET, name="0.parquet")
    [file] = look(files, PARQUET, None).files
    run = files.mark(PARQUET)
    assert 0 <= run.number - file.mark < US_PER_HOUR


def test_an_expired_cursor_falls_back_to_the_look_back(twin: Twin, files: GlueLandedFiles) -> None:
    lake = TwinLake(twin)
    for number in range(3):
        lake.land(ticks(HOUR_US + number * US_PER_HOUR, 1), ICEBERG)
    table = lake.iceberg("raw")
    old = sorted(table.snapshots(), key=lambda item: item.sequence_number)[:2]
    table.maintenance.expire_snapshots().by_ids([item.snapshot_id for item in old]).commit()
    found = look(files, ICEBERG, replace(files.mark(ICEBERG), number=0))
    assert hours(found) == [HOUR_US + number * US_PER_HOUR for number in range(3)]
    assert found.warning is not None
    assert look(files, ICEBERG, found.mark) == Landed((), found.mark)


def test_what_may_not_be_read_is_one_line(twin: Twin, files: GlueLandedFiles) -> None:
    twin.gateway.fail("GetTable", "AccessDeniedException")
    with pytest.raises(AwsError, match=r"AWS refuses GetTable \(AccessDenied"):
        look(files, ICEBERG, None)
    twin.gateway.fail("GET", "AccessDenied", status=403)
    with pytest.raises(AwsError, match="for the time: AWS refuses GetBucketLocation"):
        look(files, PARQUET, None)


def test_a_file_that_is_gone_is_counted_as_unread(files: GlueLandedFiles) -> None:
    gone = LandedFile(HOUR_US, 1, 1, f"s3://{BUCKET}/warehouse/gone.parquet")
    assert files.lateness([gone], 0).unread == 1
    assert files.lateness([], 0).unread == 0
