"""The Spark jobs on S3 and the Glue Data Catalog: their scripts as Glue runs them, and what they write with."""

# boto3, pandas, pyarrow and pyspark have no types, or partial ones
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import json
import random
import subprocess
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pytest
from py4j.protocol import Py4JJavaError

from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    format_instant,
    format_short,
    parse_instant,
)
from tick_pipeline.spark.folders import open_folder
from tick_pipeline.spark.jobs import ohlc
from tick_pipeline.spark.scoring_rules import ScoringRules
from tick_pipeline.spark.streaming.checkpoint import open_states
from tick_pipeline.spark.streaming.progress import (
    PROGRESS_FILE,
    STOP_FILE,
    EndReason,
    Phase,
    StreamProgress,
    open_control,
    stop_wish,
)
from tick_pipeline.spark.streaming.sinks import AnomalySink, IcebergSink, ParquetSink
from tick_pipeline.spark.zscore import anomaly_schema
from tick_pipeline.storage import (
    ANOMALIES,
    CATALOG,
    RAW,
    TIMEFRAMES,
    LoadDataMode,
    StorageMode,
    candle_table,
    hour_partition,
    table_location,
)
from tick_pipeline.stream.segments import LocalStream
from tick_pipeline_tests.spark.anomaly_oracle import assert_equal, recompute
from tick_pipeline_tests.spark.lake import tick
from tick_pipeline_tests.spark.oracle import assert_equal_candles, is_valid
from tick_pipeline_tests.spark.oracle import recompute as recompute_candles
from tick_pipeline_tests.twin.emulator import ROOT
from tick_pipeline_tests.twin.glue_process import glue_process
from tick_pipeline_tests.twin.jars import require_aws_jars
from tick_pipeline_tests.twin.lake import DATABASE, ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import BUCKET, JOBS, WAREHOUSE, provision
from tick_pipeline_tests.twin.spark_worker import SparkWorker, run_worker, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tick_pipeline_tests.spark.oracle import Tick
    from tick_pipeline_tests.twin.twin import Twin

pytestmark = pytest.mark.spark

BOTH = (ICEBERG, PARQUET)
START_US = parse_instant("2026-03-02T10:00:00Z")
HOURS = 2
RULES = ScoringRules(window_minutes=3, threshold=2.5, min_samples=4)
CHECKPOINTS = f"s3://{BUCKET}/checkpoints"
_FRESH_HOURS = count(24, 4)


@pytest.fixture(scope="module")
def lake(running_twin: Twin) -> TwinLake:
    """The tables, empty but for two hours of raw ticks, and the ten minutes before them."""
    require_aws_jars()
    running_twin.reset()
    provision(running_twin.client, running_twin.url)
    found = TwinLake(running_twin)
    found.land(walk(START_US), *BOTH)
    return found


@dataclass(frozen=True)
class Glue:
    """Runs the scripts as Glue does, with the wheel that an apply would ship."""

    twin: Twin
    wheel: Path
    folder: Path
    runs: Iterator[int] = field(default_factory=count)

    def run(self, job: str, **arguments: str) -> list[dict[str, Any]]:
        """Run a job's script with its declared arguments and these, to its end; returns its reports."""
        folder = self.folder / f"{job}-{next(self.runs)}"
        folder.mkdir()
        script = folder / "script.py"
        script.write_bytes((ROOT / f"tick_pipeline/spark/jobs/{job}.py").read_bytes())
        declared = self.twin.client("glue").get_job(JobName=JOBS[job])["Job"]["DefaultArguments"]
        named = declared | {f"--{name}": value for name, value in arguments.items()}
        command, environment = glue_process(
            script,
            [part for pair in named.items() for part in pair],
            twin_url=self.twin.url,
            modules=[self.wheel],
            folder=folder,
        )
        ended = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def glue(lake: TwinLake, tmp_path_factory: pytest.TempPathFactory) -> Glue:
    """What runs scripts."""
    folder = tmp_path_factory.mktemp("glue")
    subprocess.run([str(ROOT / "terraform/scripts/build-wheel"), str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    return Glue(lake.twin, wheel, folder)


@pytest.fixture(scope="module")
def worker(lake: TwinLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkWorker]:
    """A process with one Spark session on the twin, and the package of this checkout."""
    folder = tmp_path_factory.mktemp("worker")
    job = lake.twin.client("glue").get_job(JobName=JOBS["ohlc"])["Job"]
    conf = ["--conf", job["DefaultArguments"]["--conf"]]
    _, environment = glue_process(
        ROOT / "none.py", conf, twin_url=lake.twin.url, modules=[], folder=folder
    )
    with run_worker(environment | {"PYTHONPATH": str(ROOT)}, folder) as running:
        yield running


def walk(start_us: int, hours: int = HOURS, seed: int = 1) -> list[Tick]:
    """Raw rows of a random walk with jumps, from ten minutes before: copies, ties, invalid rows, edges."""
    rng = random.Random(seed)
    end_us = start_us + hours * US_PER_HOUR
    times = [rng.randrange(start_us - 10 * US_PER_MINUTE, end_us) for _ in range(150)]
    for hour in range(hours):
        burst_us = start_us + hour * US_PER_HOUR - 2 * US_PER_MINUTE
        times += [burst_us + rng.randrange(8 * US_PER_MINUTE) for _ in range(120)]
    times += [start_us, end_us - 1, start_us + US_PER_HOUR - 1, start_us + US_PER_HOUR, *times[:9]]
    price = dict.fromkeys("AB", 100.0)
    rows: list[Tick] = []
    for number, us in enumerate(sorted(us for us in times if us < end_us), start=1):
        symbol = rng.choice("AB")
        price[symbol] *= 1 + rng.gauss(0, 1e-4) + (0.01 if rng.random() < 0.05 else 0)
        row = tick(
            us,
            number,
            event_id=f"{start_us}:{number}",
            symbol=symbol,
            price=price[symbol],
            volume=float(rng.choice([0, 1, 2, 100])),
        )
        rows += [row] * (2 if rng.random() < 0.05 else 1)
        if rng.random() < 0.03:
            rows.append(row | {"event_id": f"bad:{start_us}:{number}", "price": -1.0})
    rng.shuffle(rows)
    return rows


def of_hours(ticks: list[Tick], start_us: int, hours: int = HOURS) -> list[Tick]:
    """Those of the hours."""
    return [row for row in ticks if start_us <= row["event_ts"] < start_us + hours * US_PER_HOUR]


def assert_candles(
    lake: TwinLake, mode: StorageMode, ticks: list[Tick], start_us: int, hours: int = HOURS
) -> None:
    """The stored candles of both timeframes are those of the ticks."""
    for timeframe, seconds in TIMEFRAMES.items():
        expected = recompute_candles(of_hours(ticks, start_us, hours), seconds).candles
        found = lake.candles(candle_table(timeframe), mode, start_us, hours)
        assert_equal_candles(found, expected)


def scores(ticks: list[Tick], start_us: int, hours: int = HOURS) -> Any:
    """Every score of the hours, recomputed."""
    valid = pd.DataFrame([row for row in ticks if is_valid(row)])
    found = recompute(valid.rename(columns={"event_ts": "event_us"}), RULES)
    return found[found["event_us"].between(start_us, start_us + hours * US_PER_HOUR - 1)]


def window(start_us: int, hours: int = HOURS) -> dict[str, str]:
    """The arguments of hours."""
    return {"START": format_short(start_us), "END": format_short(start_us + hours * US_PER_HOUR)}


def test_the_ohlc_script_makes_the_candles_of_both_modes(lake: TwinLake, glue: Glue) -> None:
    """Of the wheel, with the arguments that the job is declared with."""
    reports = glue.run("ohlc", **window(START_US))
    ticks = walk(START_US)
    assert sorted(report["storage_mode"] for report in reports) == sorted(BOTH)
    for report in reports:
        assert report["rows"] == len(of_hours(ticks, START_US))
        assert report["duplicates"] > 0
        assert report["invalid"] > 0
        assert report["partitions"] == HOURS
        assert_candles(lake, StorageMode(report["storage_mode"]), ticks, START_US)


def test_the_anomaly_script_scores_both_modes(lake: TwinLake, glue: Glue) -> None:
    reports = glue.run("anomalies", RULES=RULES.to_json(), **window(START_US))
    expected = scores(walk(START_US), START_US)
    for report in reports:
        found = lake.rows(ANOMALIES, StorageMode(report["storage_mode"]), START_US, HOURS)
        assert_equal(found, expected, RULES)
        assert report["anomalies"] == found.num_rows > 0
    assert len(reports) == len(BOTH)


def test_the_streaming_script_scores_a_stream_with_its_checkpoint_on_s3(
    lake: TwinLake, glue: Glue, tmp_path: Path
) -> None:
    """The local stream in place of Kinesis, whose source is Glue's alone."""
    start_us = fresh_hours()
    ticks = [row for row in walk(start_us) if is_valid(row)]
    ticks.sort(key=lambda row: (row["event_ts"], row["sequence"]))
    stream = LocalStream(tmp_path / "stream", shards=1)
    stream.put(
        pa.array([row["symbol"] for row in ticks]),
        pa.array([json.dumps(row).encode() for row in ticks]),
    )
    control, checkpoint = f"{CHECKPOINTS}/control", f"{CHECKPOINTS}/stream"
    glue.run(
        "anomaly_stream",
        SOURCE="segments",
        STREAM=str(stream.root),
        CHECKPOINT=checkpoint,
        CONTROL=control,
        RULES=RULES.to_json(),
        DRAIN="true",
        FLUSH="true",
    )
    begin_us = start_us - US_PER_HOUR
    expected = scores(ticks, begin_us, HOURS + 1)
    rows = [lake.rows(ANOMALIES, mode, begin_us, HOURS + 1) for mode in BOTH]
    for found in rows:
        assert_equal(found, expected, RULES)
    progress = StreamProgress.from_json(text_of(lake, f"{control}/{PROGRESS_FILE}"))
    assert (progress.phase, progress.end_reason) == (Phase.ENDED, EndReason.DRAINED)
    assert progress.records == len(ticks)
    assert progress.written == {mode.value: rows[0].num_rows for mode in BOTH}
    assert len(keys_below(lake, f"{checkpoint}/scorers/")) == 1


def fresh_hours() -> int:
    """Start of hours that no other test has touched, four at most."""
    return START_US + next(_FRESH_HOURS) * US_PER_HOUR


def text_of(lake: TwinLake, uri: str) -> str:
    """What an object holds."""
    key = uri.removeprefix(f"s3://{BUCKET}/")
    found = lake.twin.client("s3").get_object(Bucket=BUCKET, Key=key)
    return found["Body"].read().decode()


def keys_below(lake: TwinLake, uri: str) -> list[str]:
    """Names of the objects there."""
    prefix = uri.removeprefix(f"s3://{BUCKET}/")
    listed = lake.twin.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    keys = [entry["Key"].removeprefix(prefix) for entry in listed.get("Contents", ())]
    return [key for key in keys if key]


def run_ohlc(start_us: int, hours: int, mode: str, load: str | None = None) -> dict[str, Any]:
    """The OHLC job, in the worker; returns its report."""
    texts = [
        *(f"--{name}={value}" for name, value in window(start_us, hours).items()),
        *(f"--STORAGE_MODE={mode}", f"--WAREHOUSE={WAREHOUSE}", f"--DATABASE={DATABASE}"),
        *([f"--LOAD_DATA_MODE={load}"] if load else []),
    ]
    (report,) = ohlc.run(session(), ohlc.parse_arguments(texts))
    return asdict(report)


@pytest.mark.parametrize("mode", BOTH, ids=str)
def test_an_hour_that_lost_its_ticks_ends_empty_and_another_run_changes_nothing(
    lake: TwinLake, worker: SparkWorker, mode: StorageMode
) -> None:
    start_us = fresh_hours()
    ticks = of_hours(walk(start_us, seed=2), start_us)
    lake.land(ticks, mode)
    worker.run(run_ohlc, start_us, HOURS, mode)
    assert_candles(lake, mode, ticks, start_us)
    stored = lake.rows("aggregated_1m", mode, start_us, HOURS)
    worker.run(run_ohlc, start_us, HOURS, mode)
    order = [("symbol", "ascending"), ("bucket_start", "ascending")]
    again = lake.rows("aggregated_1m", mode, start_us, HOURS)
    assert again.sort_by(order).equals(stored.sort_by(order))
    second_us = start_us + US_PER_HOUR
    forget_raw(lake, mode, second_us)
    report = worker.run(run_ohlc, start_us, HOURS, mode)
    assert report["partitions"] == 1
    assert_candles(lake, mode, of_hours(ticks, start_us, 1), start_us)
    assert lake.objects("aggregated_1m", second_us) == {}


def forget_raw(lake: TwinLake, mode: StorageMode, hour_us: int) -> None:
    """Take the raw rows from an hour on away."""
    if mode is ICEBERG:
        lake.iceberg(RAW).delete(f"event_ts >= '{format_instant(hour_us)[:-1]}+00:00'")
        return
    folder = table_location(WAREHOUSE, mode, RAW).removeprefix(f"s3://{BUCKET}/")
    for name in lake.objects(RAW, hour_us):
        key = f"{folder}/{hour_partition(hour_us)}/{name}"
        lake.twin.client("s3").delete_object(Bucket=BUCKET, Key=key)


def test_an_hour_is_one_object_whatever_lay_there(lake: TwinLake, worker: SparkWorker) -> None:
    """Objects of others go, as do those that a killed run staged; other hours stay as they are."""
    start_us = fresh_hours()
    ticks = of_hours(walk(start_us, seed=3), start_us)
    lake.land(ticks, PARQUET)
    other = pa.table({"symbol": ["X"]})
    lake.put("aggregated_1m", start_us, "part-0.parquet", other)
    lake.put("aggregated_1m", start_us - US_PER_HOUR, "candles.parquet", other)
    staged = f"_staging/killed/{hour_partition(start_us)}/part-0.parquet"
    root = table_location(WAREHOUSE, PARQUET, "aggregated_1m").removeprefix(f"s3://{BUCKET}/")
    lake.twin.client("s3").put_object(Bucket=BUCKET, Key=f"{root}/{staged}", Body=b"half")
    worker.run(run_ohlc, start_us, HOURS, PARQUET)
    for hour_us in (start_us, start_us + US_PER_HOUR):
        assert list(lake.objects("aggregated_1m", hour_us)) == ["candles.parquet"]
    assert_candles(lake, PARQUET, ticks, start_us)
    assert len(lake.objects("aggregated_1m", start_us - US_PER_HOUR)) == 1
    assert not [path for path in lake.objects("aggregated_1m") if path.startswith("_staging")]


@pytest.mark.parametrize("part", ["raw", "_staging"])
def test_an_hour_that_cannot_be_looked_at_is_not_taken_for_empty(
    lake: TwinLake, worker: SparkWorker, part: str
) -> None:
    """The run fails, and the candles that were there stay."""
    start_us = fresh_hours()
    ticks = of_hours(walk(start_us, seed=5), start_us)
    lake.land(ticks, PARQUET)
    worker.run(run_ohlc, start_us, HOURS, PARQUET)
    hour = f"{part}/" if part == RAW else f"/{hour_partition(start_us)}"
    listing = partial(is_listing, part, hour)
    lake.twin.gateway.fail("GET", "AccessDenied", status=403, times=100, when=listing)
    with pytest.raises(RuntimeError, match="AccessDenied"):
        worker.run(run_ohlc_told, start_us)
    lake.twin.gateway.faults.clear()
    assert_candles(lake, PARQUET, ticks, start_us)


def is_listing(part: str, hour: str, request: str) -> bool:
    """Whether S3 is asked what lies in a folder of hours."""
    path = unquote(request)
    return "list-type=2" in path and part in path and hour in path


def run_ohlc_told(start_us: int) -> None:
    """The job, whose error may be one of Java's: those cannot be carried from process to process."""
    try:
        run_ohlc(start_us, HOURS, PARQUET)
    except Py4JJavaError as error:
        raise RuntimeError(str(error)) from None


def test_every_way_to_read_raw_gives_the_same_candles(lake: TwinLake, worker: SparkWorker) -> None:
    """And tells what it read: on S3 each file and each listing is a request."""
    start_us = fresh_hours()
    ticks = of_hours(walk(start_us, seed=4), start_us)
    lake.land(ticks, *BOTH)
    lake.land(ticks[:20], PARQUET, name="1.parquet")
    objects = {
        hour_us: lake.objects(RAW, hour_us) for hour_us in (start_us, start_us + US_PER_HOUR)
    }
    for load in LoadDataMode:
        report = worker.run(run_ohlc, start_us, HOURS, PARQUET, load)
        assert_candles(lake, PARQUET, ticks, start_us)
        assert report["partitions"] == HOURS
        if load is not LoadDataMode.ICEBERG:
            contents = [content for hour in objects.values() for content in hour.values()]
            assert (report["files"], report["bytes"]) == (4, sum(map(len, contents)))
            assert report["requests"] >= report["files"] + HOURS


def anomalies(hour_us: int, *numbers: int) -> pa.Table:
    """Rows of an hour, one a second."""
    rows = [
        {
            "event_id": f"S:{hour_us}:{number}",
            "symbol": "S",
            "event_us": hour_us + number * US_PER_SECOND,
            "event_at": hour_us + number * US_PER_SECOND,
            "metric": "return",
            "value": 0.1 + number,
            "mean": 0.0,
            "stddev": 1 / 3,
            "zscore": -5.5,
            "sample_count": 30,
            "window_minutes": 10,
            "threshold": 5.0,
        }
        for number in numbers
    ]
    return pa.Table.from_pylist(rows, anomaly_schema())


def write_each(mode: str, batches: list[pa.Table], *, anew: bool) -> list[int]:
    """Hand batches to a sink in the worker, or each to a sink of its own; returns what was added."""

    def sink() -> AnomalySink:
        if StorageMode(mode) is ICEBERG:
            return IcebergSink(session(), CATALOG, None, DATABASE)
        return ParquetSink(WAREHOUSE, None, session())

    one = sink()
    return [
        (sink() if anew else one).write(rows, str(number)) for number, rows in enumerate(batches)
    ]


@pytest.mark.parametrize("mode", BOTH, ids=str)
def test_each_anomaly_is_stored_once_whatever_is_replayed(
    lake: TwinLake, worker: SparkWorker, mode: StorageMode
) -> None:
    """By one process or by several, in hours that hold some and in those that hold none."""
    hour_us = fresh_hours()
    next_us = hour_us + US_PER_HOUR
    edge = pa.concat_tables([anomalies(hour_us, 3, 1), anomalies(next_us, 1)])
    batches = [anomalies(hour_us, 1, 2), anomalies(hour_us, 2), edge, edge]
    for anew, added in ((False, [2, 0, 2, 0]), (True, [0, 0, 0, 0])):
        assert worker.run(write_each, mode, batches, anew=anew) == added
    found = lake.rows(ANOMALIES, mode, hour_us, 2).sort_by("event_us")
    assert found.equals(pa.concat_tables([anomalies(hour_us, 1, 2, 3), anomalies(next_us, 1)]))
    if mode is PARQUET:
        assert list(lake.objects(ANOMALIES, hour_us)) == ["anomalies.parquet"]


def keep_states(checkpoint: str) -> list[Any]:
    """States of five micro-batches, one of them twice, in the worker; what is left of them."""
    states = open_states(session(), checkpoint)
    found: list[Any] = [states.newest(), states.read(0), states.spark_has_committed()]
    for batch in (0, 1, 2, 3, 4, 4):
        states.write(batch, bytes(range(256)) * 4000 + b"%d" % batch)
    open_folder(f"{checkpoint}/commits", session()).write("0", b"v1")
    again = open_states(session(), f"{checkpoint}/")
    newest = again.read(4)
    assert newest is not None
    return [*found, again.newest(), again.read(1), newest[-5:], again.spark_has_committed()]


def test_states_of_the_scorers_rest_on_s3(lake: TwinLake, worker: SparkWorker) -> None:
    found = worker.run(keep_states, f"{CHECKPOINTS}/states")
    assert found == [None, None, False, 4, None, b"\xfc\xfd\xfe\xff4", True]
    assert keys_below(lake, f"{CHECKPOINTS}/states/scorers/") == [
        f"{batch:010d}.npz" for batch in (2, 3, 4)
    ]


def tell_and_ask(place: str, batch: int) -> bool | None:
    """Tell progress, and look whether to stop, as a run does that has just begun."""
    control = open_control(place, session())
    control.tell(StreamProgress(batch=batch, phase=Phase.RUNNING))
    return control.stop_asked()


def test_a_run_is_watched_and_stopped_through_s3(lake: TwinLake, worker: SparkWorker) -> None:
    place = f"{CHECKPOINTS}/watched"
    assert worker.run(tell_and_ask, place, 1) is None
    for batch, flush in ((2, True), (3, False)):
        key = f"{place}/{STOP_FILE}".removeprefix(f"s3://{BUCKET}/")
        wish = stop_wish(flush=flush).encode()
        lake.twin.client("s3").put_object(Bucket=BUCKET, Key=key, Body=wish)
        assert worker.run(tell_and_ask, place, batch) is flush
        told = StreamProgress.from_json(text_of(lake, f"{place}/{PROGRESS_FILE}"))
        assert (told.batch, told.phase) == (batch, Phase.RUNNING)
