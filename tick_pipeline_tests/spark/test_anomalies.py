"""The anomaly job over real tables equals a plain recompute, whatever the order, the copies and the cuts."""

# pandas' and pyarrow's types are partial
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tick_pipeline.errors import BusyError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND, as_datetime
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.spark import anomalies
from tick_pipeline.spark.jobs import anomalies as job
from tick_pipeline.spark.locks import table_lock
from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.spark.zscore import Scorer, Ticks
from tick_pipeline.storage import (
    ANOMALIES,
    LoadDataMode,
    StorageMode,
    hour_partition,
    iceberg_identifier,
)
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute
from tick_pipeline_tests.spark.lake import tick

if TYPE_CHECKING:
    from tick_pipeline_tests.spark.lake import Lake
    from tick_pipeline_tests.spark.oracle import Tick

pytestmark = pytest.mark.spark

BOTH = tuple(StorageMode)
PARQUET, ICEBERG = StorageMode.PARQUET_PROJECTION, StorageMode.ICEBERG
#: Short and lenient, so that a few hundred ticks meet every branch.
LENIENT = ScoringRules(
    metrics=METRICS, window_minutes=3, threshold=2.5, min_samples=4, tick_sizes={"A": 0.01}
)
_FEW = settings(
    max_examples=4,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
both_modes = pytest.mark.parametrize("mode", BOTH, ids=str)


def walk(start_us: int, seed: int, *, hours: int = 1, rows: int = 400, symbols: str = "AAB") -> Any:
    """Raw rows of a random walk from two windows before the hours on: ties, copies, invalid rows, edges."""
    rng = random.Random(seed)
    begin_us = start_us - 2 * LENIENT.window_seconds * US_PER_SECOND
    end_us = start_us + hours * US_PER_HOUR
    edges = [start_us + number * US_PER_HOUR + by for number in range(hours + 1) for by in (-1, 0)]
    times = [rng.randrange(begin_us, end_us) for _ in range(rows)]
    # Most trade in bursts, so that a window holds enough of them.
    times += [
        burst + rng.randrange(4 * US_PER_MINUTE)
        for burst in (start_us - 2 * US_PER_MINUTE, start_us + 20 * US_PER_MINUTE)
        for _ in range(rows // 2)
    ]
    times += [us for us in edges if us < end_us] + times[:20]
    price = dict.fromkeys(symbols, 100.0)
    found: list[Tick] = []
    for sequence, us in enumerate(sorted(times), start=1):
        symbol = rng.choice(symbols)
        price[symbol] *= 1 + rng.gauss(0, 1e-4) + (0.01 if rng.random() < 0.03 else 0)
        row = tick(
            us,
            sequence if rng.random() < 0.9 else 1,
            event_id=f"{symbol}:{sequence}",
            symbol=symbol,
            price=round(price[symbol], 2),
            volume=5000.0 if us in edges else float(rng.choice([0, 1, 2, 3, 100])),
        )
        found.append(row)
        if rng.random() < 0.05:
            found.append(row | {"price": rng.choice([row["price"], 1.0]), "sequence": 7})
        if rng.random() < 0.02:
            found.append(row | {"event_id": f"bad:{sequence}", "price": -1.0})
    return found


def expected(rows: list[Tick], start_us: int, hours: int = 1, rules: ScoringRules = LENIENT) -> Any:
    """Every score of the hours, recomputed from all valid rows."""
    valid = [row for row in rows if row["price"] > 0]
    scores = recompute(pd.DataFrame(valid).rename(columns={"event_ts": "event_us"}), rules)
    return scores[scores["event_us"].between(start_us, start_us + hours * US_PER_HOUR - 1)]


@pytest.mark.parametrize("load", [None, *LoadDataMode], ids=str)
@both_modes
def test_anomalies_equal_a_plain_recompute(
    lake: Lake, mode: StorageMode, load: LoadDataMode | None
) -> None:
    """Of an hour that needs the ticks of the hour before, in each storage mode, however raw is read."""
    start_us = lake.fresh_hours(2) + US_PER_HOUR
    rows = walk(start_us, seed=start_us // US_PER_HOUR)
    random.Random(1).shuffle(rows)
    lake.land(rows, *BOTH)
    report = lake.score(start_us, mode, rules=LENIENT, load=load)
    found = lake.anomalies(start_us, mode)
    assert_equal(found, expected(rows, start_us), LENIENT)
    of_hour = [row for row in rows if row["event_ts"] >= start_us]
    valid = [row for row in of_hour if row["price"] > 0]
    ticks = len({(row["event_id"], row["event_ts"]) for row in valid})
    assert report.rows == len(of_hour)
    assert report.context_rows == len(rows) - len(of_hour)
    assert (report.ticks, report.invalid) == (ticks, len(of_hour) - len(valid))
    assert report.duplicates == len(valid) - ticks > 0
    assert report.anomalies == found.num_rows > 20
    assert sum(report.by_symbol.values()) == sum(report.by_metric.values()) == found.num_rows
    assert set(report.by_metric) == set(METRICS)
    assert report.worst_zscore == max(abs(z) for z in found["zscore"].to_pylist())
    assert (report.replaced, report.differing, report.added) == (0, 0, found.num_rows)
    assert start_us in found["event_us"].to_pylist(), "nothing depends on the hour before"


def relative(rows: pa.Table, start_us: int) -> list[dict[str, Any]]:
    """The rows with times since an instant, so that those of other hours can be compared."""
    found = rows.drop_columns(["event_at"]).to_pylist()
    return [row | {"event_us": row["event_us"] - start_us} for row in found]


@_FEW
@given(order=st.randoms(use_true_random=False), files=st.integers(1, 5))
def test_order_does_not_matter_to_anomalies(lake: Lake, order: random.Random, files: int) -> None:
    """Any arrival, in any number of files, gives the same rows to the last bit."""
    expected_us, start_us = (lake.fresh_hours(2) + US_PER_HOUR for _ in range(2))
    lake.land(walk(expected_us, seed=5), PARQUET)
    lake.score(expected_us, rules=LENIENT)
    rows = walk(start_us, seed=5)
    order.shuffle(rows)
    for part in range(files):
        lake.land(rows[part::files], PARQUET)
    lake.score(start_us, rules=LENIENT)
    found = relative(lake.anomalies(start_us), start_us)
    assert found == relative(lake.anomalies(expected_us), expected_us)


@both_modes
def test_replay_changes_nothing_in_anomalies(lake: Lake, mode: StorageMode) -> None:
    """The second run finds its own rows, and the hour is one file again."""
    start_us = lake.fresh_hours(2) + US_PER_HOUR
    lake.land(walk(start_us, seed=6), mode)
    once = lake.score(start_us, mode, rules=LENIENT)
    before = lake.anomalies(start_us, mode)
    again = lake.score(start_us, mode, rules=LENIENT)
    assert lake.anomalies(start_us, mode).equals(before)
    assert (again.replaced, again.differing, again.added) == (once.anomalies, 0, 0)
    if mode is PARQUET:
        folder = lake.folder(ANOMALIES) / hour_partition(start_us)
        assert [path.name for path in folder.iterdir()] == ["anomalies.parquet"]


@both_modes
def test_an_hour_without_anomalies_ends_without_rows(lake: Lake, mode: StorageMode) -> None:
    """Whatever stood there, under whatever name; the hours beside it keep theirs."""
    start_us = lake.fresh_hours(4) + US_PER_HOUR
    lake.land(walk(start_us, seed=7, hours=2, rows=800), mode)
    lake.score(start_us, mode, rules=LENIENT, hours=2)
    beside = lake.anomalies(start_us + US_PER_HOUR, mode)
    assert beside.num_rows > 0
    stored = lake.anomalies(start_us, mode)
    folder = lake.folder(ANOMALIES) / hour_partition(start_us)
    if mode is PARQUET:
        pq.write_table(stored, folder / "somebody.parquet")
        stored = pa.concat_tables([stored, stored])
    strict = ScoringRules(metrics=METRICS, threshold=1e9)
    report = lake.score(start_us, mode, rules=strict)
    assert report.ticks > 0
    assert (report.anomalies, report.by_symbol, report.worst_zscore) == (0, {}, 0.0)
    assert report.by_metric == dict.fromkeys(METRICS, 0)
    assert report.replaced == report.differing == stored.num_rows
    assert lake.anomalies(start_us, mode).num_rows == 0
    if mode is PARQUET:
        assert not folder.exists()
    assert lake.anomalies(start_us + US_PER_HOUR, mode).equals(beside)
    report = lake.score(start_us, mode, rules=strict)
    assert (report.replaced, report.differing, report.added) == (0, 0, 0)


def test_an_hour_without_ticks_is_a_report_of_nothing(lake: Lake) -> None:
    report = lake.score(lake.fresh_hours(), rules=LENIENT)
    assert (report.rows, report.ticks, report.anomalies, report.files) == (0, 0, 0, 0)


@both_modes
def test_many_hours_at_once_equal_hour_by_hour(
    lake: Lake, mode: StorageMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one slice, in slices of one hour and of two, the last shorter: rows, and what is counted."""
    start_us = lake.fresh_hours(6) + US_PER_HOUR
    rows = walk(start_us, seed=8, hours=5, rows=1500)
    lake.land(rows, mode)
    alone = [lake.score(start_us + n * US_PER_HOUR, mode, rules=LENIENT) for n in range(5)]
    by_hour = lake.anomalies(start_us, mode, hours=5)
    whole = lake.score(start_us, mode, rules=LENIENT, hours=5)
    assert (whole.replaced, whole.differing, whole.added) == (by_hour.num_rows, 0, 0)
    for bytes_a_slice in (1, whole.bytes // 2):
        monkeypatch.setattr(anomalies, "_BYTES_A_SLICE", bytes_a_slice)
        sliced = lake.score(start_us, mode, rules=LENIENT, hours=5)
        assert (sliced.differing, sliced.added) == (0, 0)
        assert lake.anomalies(start_us, mode, hours=5).equals(by_hour)
        for name in ("rows", "context_rows", "ticks", "invalid", "duplicates", "by_symbol"):
            assert getattr(sliced, name) == getattr(whole, name)
    for name in ("rows", "ticks", "invalid", "duplicates", "anomalies"):
        assert sum(getattr(report, name) for report in alone) == getattr(whole, name)


def test_slices_are_as_long_as_memory_and_context_want() -> None:
    hour, start_us = US_PER_HOUR, 1_780_000_000 * US_PER_SECOND // US_PER_HOUR * US_PER_HOUR

    def widths(hours: int, window_minutes: int, megabytes_an_hour: int) -> tuple[int, int]:
        size = hours * megabytes_an_hour << 20
        slices = anomalies.Slices.of(start_us, start_us + hours * hour, window_minutes * 60, size)
        assert slices.begin_us(slices.number - 1) < slices.end_us
        return slices.hours, slices.number

    assert widths(1, 10, 500) == (1, 1)
    assert widths(24, 10, 20) == (1, 24)
    assert widths(24, 10, 4) == (8, 3)
    assert widths(24, 10, 0) == (24, 1)
    # A context of three hours, read again for each hour, would be four times the work.
    assert widths(24, 90, 500) == (3, 8)
    assert widths(2, 1440, 500) == (2, 1)


@pytest.mark.parametrize("rows_a_call", [1, 5_000, 10**9])
def test_a_symbol_with_half_of_all_ticks_is_one_group_among_others(
    monkeypatch: pytest.MonkeyPatch, rows_a_call: int
) -> None:
    """Groups larger and smaller than a call, and than a batch, give what one call over all ticks gives."""
    monkeypatch.setattr(anomalies, "_ROWS_A_CALL", rows_a_call)
    rows = walk(0, seed=9, rows=10_000, symbols="AAABCD")
    slices = anomalies.Slices.of(0, US_PER_HOUR, LENIENT.window_seconds, 1)
    table = pa.Table.from_pylist([row | {"event_us": row["event_ts"]} for row in rows])
    table = table.append_column("valid", pa.array([row["price"] > 0 for row in rows]))
    table = table.append_column("key", pa.array([ord(row["symbol"]) for row in rows], pa.int64()))
    batches = table.sort_by("key").to_batches(max_chunksize=3_000)
    found = pa.Table.from_batches(
        anomalies.score_groups(iter(batches), rules=LENIENT, slices=slices)
    )
    counts = found.slice(len(found) - 1).to_pylist()[0]
    valid = table.filter(table["valid"])
    whole = Scorer(LENIENT).score(Ticks.of(valid))
    own = whole.filter(pa.array(whole["event_us"].to_numpy() >= 0))
    keys = [("symbol", "ascending"), ("event_id", "ascending"), ("metric", "ascending")]
    rows_found = found.slice(0, len(found) - 1).select(own.column_names).sort_by(keys)
    assert rows_found.equals(own.sort_by(keys))
    assert counts["rows"] + counts["context_rows"] == len(rows)
    assert counts["rows"] == counts["ticks"] + counts["invalid"] + counts["duplicates"]


def streamed(lake: Lake, start_us: int, mode: StorageMode, rows: pa.Table) -> None:
    """Put rows into an hour as another writer would have."""
    if mode is PARQUET:
        folder = lake.folder(ANOMALIES) / hour_partition(start_us)
        (folder / "anomalies.parquet").unlink()
        pq.write_table(rows, folder / "streamed.parquet")
        return
    start, end = (as_datetime(us).isoformat() for us in (start_us, start_us + US_PER_HOUR))
    table = open_catalog(lake.home.path).load_table(iceberg_identifier(ANOMALIES))
    table.overwrite(rows, f"event_at >= '{start}' and event_at < '{end}'")


def changed(rows: pa.Table, row: int, **values: Any) -> pa.Table:
    """The rows with other values in one of them."""
    for name, value in values.items():
        column = rows.column(name).to_pylist()
        column[row] = value
        index = rows.column_names.index(name)
        rows = rows.set_column(
            index, rows.schema.field(name), pa.array(column, rows.schema.field(name).type)
        )
    return rows


@both_modes
def test_a_run_tells_how_the_rows_it_replaces_differed(lake: Lake, mode: StorageMode) -> None:
    """What another rounding gives is equal; a lost row is added, a wrong one differs."""
    start_us = lake.fresh_hours(2) + US_PER_HOUR
    lake.land(walk(start_us, seed=10), mode)
    lake.score(start_us, mode, rules=LENIENT)
    right = lake.anomalies(start_us, mode)
    rows = right.to_pylist()
    cases: list[tuple[pa.Table, tuple[int, int]]] = [
        (changed(right, 0, mean=rows[0]["mean"] * (1 + 1e-13)), (0, 0)),
        (changed(right, 1, zscore=rows[1]["zscore"] * (1 + 1e-8)), (0, 0)),
        (changed(right, 1, zscore=rows[1]["zscore"] * (1 + 1e-5)), (1, 0)),
        (changed(right, 2, value=rows[2]["value"] * (1 + 1e-8) + 1e-8), (1, 0)),
        (changed(right, 3, sample_count=rows[3]["sample_count"] + 1), (1, 0)),
        (changed(right, 3, window_minutes=60, threshold=3.0), (1, 0)),
        (changed(right, 4, stddev=None), (1, 0)),
        (changed(right, 5, event_id="of-nobody"), (1, 1)),
        (right.slice(2), (0, 2)),
        (pa.concat_tables([right, right.slice(0, 1)]), (1, 0)),
    ]
    for stored, (differing, added) in cases:
        streamed(lake, start_us, mode, stored)
        report = lake.score(start_us, mode, rules=LENIENT)
        told = (report.replaced, report.differing, report.added)
        assert told == (stored.num_rows, differing, added)
        assert report.gone == ("of-nobody" in stored["event_id"].to_pylist())
        assert lake.anomalies(start_us, mode).equals(right)


def test_a_run_waits_for_the_streaming_job_only_so_long(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_us = lake.fresh_hours(2) + US_PER_HOUR
    lake.land(walk(start_us, seed=11), PARQUET)
    monkeypatch.setattr(job, "table_lock", partial(table_lock, wait_seconds=0.1))
    with (
        table_lock(lake.home.locks, f"{PARQUET}-{ANOMALIES}"),
        pytest.raises(BusyError, match=r"parquet_projection\.anomalies"),
    ):
        lake.score(start_us, rules=LENIENT)
    assert lake.anomalies(start_us).num_rows == 0


_NEEDED = (
    "--START=2026-01-01",
    "--END=2026-01-02",
    "--STORAGE_MODE=iceberg",
    "--WAREHOUSE=file:/w",
)


def test_the_window_can_be_given_beside_the_rules() -> None:
    """As it was in the jobs that this one follows."""
    rules = ScoringRules(threshold=7.0)
    given = job.parse_arguments([*_NEEDED, f"--RULES={rules.to_json()}", "--WINDOW_MINUTES=3"])
    assert (given.rules.threshold, given.rules.window_minutes) == (7.0, 3)
    assert job.parse_arguments(_NEEDED).rules == ScoringRules()


@pytest.mark.parametrize("wrong", ["--RULES={", '--RULES={"threshold": -1}', "--WINDOW_MINUTES=0"])
def test_wrong_rules_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        job.parse_arguments([*_NEEDED, wrong])
    assert "anomalies: error: " in capsys.readouterr().err
