"""Upkeep, history and time travel over the twin's bucket and Glue Data Catalog."""

# boto3, pyarrow and pyiceberg have no types, or partial ones.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import AwsError, BusyError, InputError, QueryError
from tick_pipeline.event_time import now_us
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_lake import GlueLake
from tick_pipeline.resources.aws.s3_files import list_parquet_files, warehouse_uri
from tick_pipeline.resources.maintenance import LakeMaintenance
from tick_pipeline.resources.maintenance_port import UpkeepRequest
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.glue_stand_in import SLEEP, replace_script, states
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, JOBS

if TYPE_CHECKING:
    from tick_pipeline.storage import StorageMode
    from tick_pipeline_tests.twin.athena_lake import AthenaLake

_STATISTICS = "select symbol, count(*) as n, sum(volume) as v from {mode}.ticks group by symbol order by symbol"


def _maintenance(lake: AthenaLake, maintainer: str) -> LakeMaintenance:
    settings = lake.settings.model_copy(update={"iceberg_maintainer": maintainer})
    found = GlueLake(AwsClients(settings), settings, lake.home)
    return LakeMaintenance(found, lake.engine(), settings)


def _land(lake: AthenaLake, mode: StorageMode, numbers: range) -> None:
    """A file with one symbol's ticks of an hour each."""
    for number in numbers:
        rows = [tick(f"S{number}", n, n) for n in range(1, 20)]
        TwinLake(lake.twin).land(rows, mode, name=f"firehose-{number}.parquet")


def _answer(lake: AthenaLake, mode: StorageMode, **more: Any) -> list[dict[str, Any]]:
    return lake.engine().run(_STATISTICS.format(mode=mode), **more).records


def test_iceberg_files_are_merged_beside_a_writer_and_the_table_can_be_read_as_it_was(
    lake: AthenaLake,
) -> None:
    _land(lake, ICEBERG, range(6))
    then_us, before = now_us(), _answer(lake, ICEBERG)
    writer = threading.Thread(target=_land, args=(lake, ICEBERG, range(6, 9)))
    upkeep = _maintenance(lake, "table_maintenance")
    request = UpkeepRequest((ICEBERG,), ("raw",))
    writer.start()
    first = upkeep.run(request)[0]
    writer.join()
    assert first.merged_files >= 6
    assert first.before.query_seconds
    after = _answer(lake, ICEBERG)
    assert len(after) == 9
    assert {row["n"] for row in after} == {19}
    # The view has no history: its SELECT stands in its place.
    assert _answer(lake, ICEBERG, as_of_us=then_us) == before
    sql = "select count(*) as n from iceberg.raw"
    assert lake.engine().run(sql, as_of_us=then_us).records == [{"n": 6 * 19}]
    assert lake.engine().estimate(sql, as_of_us=then_us).files == 6
    with pytest.raises(InputError, match="its first snapshot is of"):
        lake.engine().run(sql, as_of_us=START_US)
    with pytest.raises(QueryError, match="Parquet table: it keeps no history"):
        lake.engine().run("select * from parquet_projection.raw", as_of_us=then_us)
    merged = next(item for item in upkeep.history("raw") if item.by)
    assert (merged.operation, merged.by) == ("replace", "maintenance: compaction")
    first_landing = upkeep.history("raw")[-1].snapshot
    with pytest.raises(InputError, match="would never bring them again"):
        upkeep.rollback("raw", first_landing)


def test_parquet_objects_are_merged_and_what_a_kill_left_goes_the_next_time(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(lake, PARQUET, range(6))
    warehouse = warehouse_uri(BUCKET)
    clients = AwsClients(lake.settings)
    landed = list_parquet_files(clients, warehouse, "raw", TimeRange())
    before = _answer(lake, PARQUET)
    upkeep = _maintenance(lake, "table_maintenance")
    request = UpkeepRequest((PARQUET,), ("raw", "anomalies"))

    def refuse(*_: object) -> None:
        raise AwsError("deleting: SlowDown", code="SlowDown")

    with monkeypatch.context() as patch:
        patch.setattr("tick_pipeline.resources.aws.s3_store.S3Store.delete", refuse)
        with pytest.raises(AwsError):
            upkeep.run(request)
    assert _answer(lake, PARQUET) == before
    _land(lake, PARQUET, range(6, 7))
    raw, anomalies = upkeep.run(request)
    assert (raw.removed_files, anomalies.before.files) == (6, 0)
    files = list_parquet_files(clients, warehouse, "raw", TimeRange())
    assert len(files) == 2
    # What was merged has landed when its newest object had.
    assert max(file.modified_us for file in landed) in {file.modified_us for file in files}
    assert _answer(lake, PARQUET)[:6] == before
    assert len(TwinLake(lake.twin).rows("raw", PARQUET, START_US).to_pylist()) == 7 * 19


def test_glues_optimizers_are_left_alone_and_no_mode_drops_hours_alone(lake: AthenaLake) -> None:
    upkeep = _maintenance(lake, "table_optimizers")
    [done] = upkeep.run(UpkeepRequest((ICEBERG,), ("raw",)))
    assert done.notes == ("left to Glue's table optimizers",)
    assert done.before == done.after
    absent = lake.settings.model_copy(update={"project": "nobodys"})
    nobodys = LakeMaintenance(
        GlueLake(AwsClients(absent), absent, lake.home), lake.engine(), absent
    )
    with pytest.raises(
        AwsError, match="no such Iceberg table in the Glue Data Catalog; `terraform"
    ):
        nobodys.history("raw")
    with pytest.raises(InputError, match="iceberg_maintainer"):
        upkeep.run(UpkeepRequest((PARQUET,), ("raw",), retain_hours=10))


def test_a_glue_run_that_reads_is_waited_for_and_keeps_its_objects(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ohlc = JOBS["ohlc"]
    replace_script(lake.twin, ohlc, SLEEP)
    glue = lake.twin.client("glue")
    arguments = {"--STORAGE_MODE": PARQUET.value, "--REPORT": "none"}
    run_id = glue.start_job_run(JobName=ohlc, Arguments=arguments)["JobRunId"]
    found = GlueLake(AwsClients(lake.settings), lake.settings, lake.home)
    with found.unread(ICEBERG):
        assert states(lake.twin, ohlc)[0] in {"STARTING", "RUNNING"}
    monkeypatch.setattr("tick_pipeline.resources.aws.glue_lake._WAIT_SECONDS", 0.5)
    with (
        pytest.raises(BusyError, match=rf"{run_id} .* still after 0\.5 s; let it end"),
        found.unread(PARQUET),
    ):
        pass
    # The wait is one for all tables, until the next upkeep begins.
    monkeypatch.setattr("tick_pipeline.resources.aws.glue_lake._WAIT_SECONDS", 60.0)
    with pytest.raises(BusyError), found.unread(PARQUET):
        pass
    with found.alone():
        pass
    stop = partial(glue.batch_stop_job_run, JobName=ohlc, JobRunIds=[run_id])
    later = threading.Timer(1, stop)
    later.start()
    with found.unread(PARQUET):
        assert states(lake.twin, ohlc) == ["STOPPED"]
    later.join()


def test_a_rollback_that_glue_refuses_is_one_line(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(lake, ICEBERG, range(2))
    upkeep = _maintenance(lake, "table_maintenance")
    snapshot = upkeep.history("raw")[-1].snapshot

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("ACCESS_DENIED")

    monkeypatch.setattr("tick_pipeline.resources.maintenance.roll_back", refuse)
    with pytest.raises(AwsError, match=r"^rolling back iceberg\.raw: "):
        upkeep.rollback("raw", snapshot)
