"""Iceberg's tables as they were, their history, and going back in it."""

# pyarrow and pyiceberg have no types, or partial ones.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.errors import InputError, QueryError, WorkError
from tick_pipeline.event_time import US_PER_MS, format_instant, now_us, parse_instant
from tick_pipeline.landing.snapshots import expire_snapshots
from tick_pipeline.resources import iceberg_expiry
from tick_pipeline.resources.iceberg import load_table
from tick_pipeline.resources.iceberg_expiry import expire
from tick_pipeline.resources.iceberg_rewrite import merge_manifests
from tick_pipeline.resources.snapshot_history import roll_back
from tick_pipeline_tests.queries import warehouse
from tick_pipeline_tests.resources.maintained import ICEBERG, PARQUET, SmallFiles, small_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

_FOR_EVER_US = now_us() + 10**15
_COUNT = "select count(*) as n from {mode}.received"


@pytest.fixture
def small(home: Home, settings: Settings) -> SmallFiles:
    """Nothing has landed yet."""
    return small_files(home, settings)


def _count(small: SmallFiles, at_us: int | None = None) -> int:
    return int(small.rows(_COUNT, ICEBERG, as_of_us=at_us)[0]["n"])


def test_a_query_reads_a_table_as_it_was(small: SmallFiles) -> None:
    small.land(5, hours=1)
    first, then_us = _count(small), now_us()
    small.land(5, hours=1)
    small.maintain()
    assert _count(small, then_us) == first < _count(small) == _count(small, now_us())
    sql = "select r.symbol, iceberg.ticks.price from iceberg.ticks join iceberg.raw r on r.event_id = iceberg.ticks.event_id"
    assert len(small.rows(sql, ICEBERG, as_of_us=then_us)) < len(small.rows(sql, ICEBERG))
    engine = small.maintenance()._engine  # pyright: ignore[reportPrivateUsage]
    then = engine.estimate("select count(*) from iceberg.raw", as_of_us=then_us)
    assert (then.files, engine.estimate("select count(*) from iceberg.raw").files) == (5, 1)


def test_a_moment_that_no_table_has_is_told_with_its_reason(small: SmallFiles) -> None:
    before_us = now_us()
    with pytest.raises(InputError, match="nothing was ever written"):
        _count(small, before_us)
    small.land(5, hours=1)
    with pytest.raises(InputError, match="its first snapshot is of"):
        _count(small, before_us)
    between_us = now_us()
    small.land(1, hours=1)
    with pytest.raises(QueryError, match="Parquet table: it keeps no history"):
        small.rows(_COUNT, PARQUET, as_of_us=between_us)
    expire(small.lake.raw_table(), _FOR_EVER_US)
    with pytest.raises(InputError, match="have expired; the oldest that is kept"):
        _count(small, between_us)


def test_the_history_tells_what_each_snapshot_did_and_who_made_it(small: SmallFiles) -> None:
    small.land(5, hours=1)
    small.maintain()
    merged, *landed = small.maintenance().history("raw")
    assert (merged.operation, merged.by, merged.is_current) == (
        "replace",
        "maintenance: compaction",
        True,
    )
    assert (merged.files_removed, merged.files_added, merged.files) == (5, 1, 1)
    assert merged.rows_added == merged.rows_removed == merged.rows
    assert [(item.operation, item.by, item.is_current) for item in landed] == [
        ("append", "delivery", False)
    ] * 5
    assert all(item.is_read for item in landed)
    assert sum(item.rows_added for item in landed) == merged.rows


def test_raw_goes_back_over_what_upkeep_did_and_the_delivery_goes_on(small: SmallFiles) -> None:
    small.land(5, hours=1)
    then = format_instant(now_us())
    before = small.ticks_hash(ICEBERG)
    small.maintain()
    merged = small.maintenance().history("raw")[0]
    done = small.maintenance().rollback("raw", then)
    assert (done.from_snapshot, done.table) == (merged.snapshot, "raw")
    assert small.ticks_hash(ICEBERG) == before
    rolled = {item.snapshot: item for item in small.maintenance().history("raw")}
    assert not rolled[merged.snapshot].is_read
    assert rolled[done.to_snapshot].is_current
    small.land(2, hours=1)
    small.maintain()
    small.lake.assert_each_record_landed_once()


def test_raw_does_not_go_back_over_what_landed(small: SmallFiles) -> None:
    """Its delivery would not bring it again."""
    small.land(5, hours=1)
    newest, *_, first = small.maintenance().history("raw")
    with pytest.raises(InputError, match=r"raw landed [\d,]+ rows in 4 commits between"):
        small.maintenance().rollback("raw", first.snapshot)
    assert small.maintenance().history("raw")[0] == newest
    small.lake.assert_each_record_landed_once()


def test_candles_go_back_and_forth(small: SmallFiles) -> None:
    records = [warehouse.tick("AAA", n, n) for n in range(1, 60)]
    warehouse.store_candles(small.home, "1m", warehouse.candles_of(records[:9]), [ICEBERG])
    warehouse.store_candles(small.home, "1m", warehouse.candles_of(records[9:]), [ICEBERG])
    newest, first = small.maintenance().history("aggregated_1m")
    count = "select count(*) as n from {mode}.aggregated_1m"
    assert small.rows(count, ICEBERG) == [{"n": 2}]
    done = small.maintenance().rollback("aggregated_1m", first.snapshot)
    assert "tick-pipeline ohlc" in done.follows
    assert small.rows(count, ICEBERG) == [{"n": 1}]
    small.maintenance().rollback("aggregated_1m", newest.snapshot)
    assert small.rows(count, ICEBERG) == [{"n": 2}]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Lets something happen once, between an expiry's look at a table and its commit."""
    look = iceberg_expiry._expired  # pyright: ignore[reportPrivateUsage]

    def let(work: Callable[[], object]) -> None:
        waiting = [work]

        def looked(table: Table, before_us: int) -> set[int]:
            found = look(table, before_us)
            while waiting:
                waiting.pop()()
            return found

        monkeypatch.setattr(iceberg_expiry, "_expired", looked)

    return let


def _two_candles(small: SmallFiles) -> Table:
    """Two snapshots, of a row each."""
    records = [warehouse.tick("AAA", n, n) for n in range(1, 60)]
    for part in (records[:9], records[9:]):
        warehouse.store_candles(small.home, "1m", warehouse.candles_of(part), [ICEBERG])
    return load_table(small.home.path, "aggregated_1m")


def test_an_expiry_keeps_what_is_rolled_back_to_meanwhile(
    small: SmallFiles, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """PyIceberg would drop the branch main with it, and leave the table empty."""
    table = _two_candles(small)
    first = table.metadata.snapshots[0]
    meanwhile(lambda: small.maintenance().rollback("aggregated_1m", str(first.snapshot_id)))
    expire(table, _FOR_EVER_US)
    now = load_table(small.home.path, "aggregated_1m").metadata
    assert [item.snapshot_id for item in now.snapshots] == [first.snapshot_id]
    assert now.current_snapshot_id == first.snapshot_id


def test_two_expiries_at_once_drop_what_one_would(
    small: SmallFiles, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """Landing's and upkeep's."""
    table = _two_candles(small)
    meanwhile(lambda: expire(load_table(small.home.path, "aggregated_1m"), _FOR_EVER_US))
    expire(table, _FOR_EVER_US)
    assert len(load_table(small.home.path, "aggregated_1m").metadata.snapshots) == 1


def test_landing_expires_beside_an_upkeep_that_removes_files(small: SmallFiles) -> None:
    small.land(2, hours=1)
    table = small.lake.raw_table()
    # What is listed, and gone when it is looked at.
    (small.home.warehouse / "iceberg/raw/metadata/gone.avro").symlink_to("nowhere")
    assert expire_snapshots(table, _FOR_EVER_US) == 1
    Path(table.metadata.snapshots[-1].manifest_list.removeprefix("file://")).unlink()
    with pytest.raises(WorkError, match="refers to a file that is not there"):
        expire_snapshots(table, _FOR_EVER_US)


def test_what_readers_saw_after_a_rollback_is_told_after_an_expiry_too(small: SmallFiles) -> None:
    """The snapshot that was rolled back to is the oldest, and what readers saw later than the next."""
    table = _two_candles(small)
    first, second = table.metadata.snapshots
    small.maintenance().rollback("aggregated_1m", str(first.snapshot_id))
    then_us = load_table(small.home.path, "aggregated_1m").metadata.last_updated_ms * US_PER_MS
    _two_candles(small)
    count = "select count(*) as n from {mode}.aggregated_1m"
    before = small.rows(count, ICEBERG, as_of_us=then_us)
    expire(load_table(small.home.path, "aggregated_1m"), second.timestamp_ms * US_PER_MS)
    assert small.rows(count, ICEBERG, as_of_us=then_us) == before == [{"n": 1}]


def test_a_snapshot_that_expires_before_the_rollback_is_refused(small: SmallFiles) -> None:
    table = _two_candles(small)
    first = table.metadata.snapshots[0]
    expire(load_table(small.home.path, "aggregated_1m"), _FOR_EVER_US)
    with pytest.raises(InputError, match=f"aggregated_1m has no snapshot {first.snapshot_id}"):
        roll_back(table, first)


def test_raw_goes_forward_again_over_what_somebody_rolled_back_elsewhere(
    small: SmallFiles,
) -> None:
    small.land(3, hours=1)
    table = small.lake.raw_table()
    first, *_, newest = table.metadata.snapshots
    before = _count(small)
    table.manage_snapshots().set_current_snapshot(first.snapshot_id).commit()
    assert _count(small) < before
    done = small.maintenance().rollback("raw", str(newest.snapshot_id))
    assert "rows that had landed are read again" in done.follows
    assert _count(small) == before
    small.lake.assert_each_record_landed_once()


def test_raw_does_not_go_where_nobody_can_tell_what_landed_between(small: SmallFiles) -> None:
    """As where a clock was ahead, and a snapshot expired before an older one."""
    small.land(2, hours=1)
    table = small.lake.raw_table()
    first, second = table.metadata.snapshots
    merge_manifests(table)
    small.maintenance().rollback("raw", str(second.snapshot_id))
    merge_manifests(table)
    table.maintenance.expire_snapshots().by_ids([first.snapshot_id, second.snapshot_id]).commit()
    other = table.metadata.snapshots[0]
    with pytest.raises(InputError, match="nobody can tell whether records landed"):
        small.maintenance().rollback("raw", str(other.snapshot_id))


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("123", "has no snapshot 123"),
        ("yesterday", "neither the id of a snapshot nor an instant"),
        ("2020-01-01", "its first snapshot is of"),
        ("now", "is at the snapshot"),
    ],
)
def test_a_place_to_go_back_to_that_is_none_is_refused(
    small: SmallFiles, to: str, message: str
) -> None:
    small.land(2, hours=1)
    wanted = format_instant(now_us()) if to == "now" else to
    assert to != "2020-01-01" or parse_instant(to)
    with pytest.raises(InputError, match=message):
        small.maintenance().rollback("raw", wanted)
