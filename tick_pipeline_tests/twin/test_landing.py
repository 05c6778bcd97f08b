"""Landing on AWS is what Firehose did: its rows, its errors, how far it is, and whether it runs at all."""

# boto3 and pyarrow have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false
from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from tick_pipeline.errors import AwsError, LandingError
from tick_pipeline.event_time import (
    US_PER_HOUR,
    US_PER_SECOND,
    as_datetime,
    format_short,
    now_us,
    parse_instant,
)
from tick_pipeline.landing.error_records import UNREADABLE, read_errors
from tick_pipeline.landing.error_store import Arrivals
from tick_pipeline.landing.error_summary import recent_errors
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.firehose_landing import FirehoseLanding
from tick_pipeline.resources.aws.s3_error_store import S3ErrorStore
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import RAW, StorageMode, error_root
from tick_pipeline_tests.aws_settings import AWS_SETTINGS
from tick_pipeline_tests.queries.warehouse import START_US, tick
from tick_pipeline_tests.twin.lake import ICEBERG, PARQUET, TwinLake
from tick_pipeline_tests.twin.provision import (
    BUCKET,
    FIREHOSES,
    STREAM,
    WAREHOUSE,
    provision,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.landing.error_summary import ErrorSummary
    from tick_pipeline.resources.landing import DeliveryPosition
    from tick_pipeline.settings import Settings
    from tick_pipeline_tests.twin.twin import Twin

GOLDEN = Path(__file__).with_name("golden") / "errors"
SINCE_US = parse_instant("2026-01-02T03:30:00Z")
END_US = START_US + 3 * US_PER_HOUR
METRICS = {ICEBERG: "DeliveryToIceberg.DataFreshness", PARQUET: "DeliveryToS3.DataFreshness"}
both_modes = pytest.mark.parametrize("mode", StorageMode, ids=str)


@pytest.fixture
def named(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a deployment of which only the bucket is there."""
    for name, value in {**AWS_SETTINGS, "TICK_PIPELINE_AWS_ENDPOINT_URL": twin.url}.items():
        monkeypatch.setenv(name, value)
    twin.client("s3").create_bucket(Bucket=BUCKET)
    return load_settings(_env_file=None)


@pytest.fixture
def landing(named: Settings) -> FirehoseLanding:
    """The adapter, where nothing is deployed yet."""
    return FirehoseLanding(AwsClients(named), named)


@pytest.fixture
def deployed(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> FirehoseLanding:
    """The adapter on a deployment that is empty."""
    for name, value in provision(twin.client, twin.url).settings.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    return FirehoseLanding(AwsClients(settings), settings)


@pytest.fixture
def bucket(named: Settings) -> S3ErrorStore:
    """The error objects of that bucket."""
    return S3ErrorStore(AwsClients(named), WAREHOUSE)


def place(twin: Twin, name: str, *lines: dict[str, Any] | str, mode: StorageMode = ICEBERG) -> None:
    """Put an object of those lines below a mode's error root."""
    text = "\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines)
    place_bytes(twin, name, text.encode(), mode=mode)


def place_bytes(twin: Twin, name: str, data: bytes, *, mode: StorageMode = ICEBERG) -> None:
    root = error_root(WAREHOUSE, mode).removeprefix(f"s3://{BUCKET}/")
    twin.client("s3").put_object(Bucket=BUCKET, Key=f"{root}/{name}", Body=data)


def holding(part: str) -> Callable[[str], bool]:
    """Requests that name something."""
    return lambda request: part in request


def record(arrival_us: int = SINCE_US, **members: Any) -> dict[str, Any]:
    return {"rawData": "eA==", "arrivalTimestamp": arrival_us // 1000, **members}


def summed(
    store: S3ErrorStore, since_us: int = SINCE_US, until_us: int | None = None
) -> ErrorSummary:
    return recent_errors(store, ICEBERG, since_us, until_us)


def tell(
    twin: Twin, mode: StorageMode, age_seconds: float, *, seconds_ago: float, records: int = 0
) -> None:
    """Let a Firehose tell its freshness, and the stream its records, of some moment."""
    moment = as_datetime(now_us() - round(seconds_ago * US_PER_SECOND))
    points = [("AWS/Firehose", METRICS[mode], "DeliveryStreamName", FIREHOSES[mode], age_seconds)]
    if records:
        points.append(("AWS/Kinesis", "IncomingRecords", "StreamName", STREAM, records))
    for namespace, name, dimension, value, number in points:
        put_metric(twin, namespace, name, (dimension, value), number, moment)


def put_metric(
    twin: Twin, namespace: str, name: str, of: tuple[str, str], number: float, moment: Any
) -> None:
    twin.client("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": of[0], "Value": of[1]}],
                "Timestamp": moment,
                "Value": number,
            }
        ],
    )


def arrive(twin: Twin, records: int, *, seconds_ago: float) -> None:
    """Let the stream tell records of some moment."""
    moment = as_datetime(now_us() - round(seconds_ago * US_PER_SECOND))
    put_metric(twin, "AWS/Kinesis", "IncomingRecords", ("StreamName", STREAM), records, moment)


def read_at_the_end(twin: Twin) -> None:
    """Let both Firehoses tell that they read the stream's newest record."""
    moment = as_datetime(now_us() - 60 * US_PER_SECOND)
    for name in FIREHOSES.values():
        of = ("DeliveryStreamName", name)
        put_metric(twin, "AWS/Firehose", "KinesisMillisBehindLatest", of, 0, moment)


def position(landing: FirehoseLanding, mode: StorageMode = ICEBERG) -> DeliveryPosition:
    return landing.positions()[mode]


def land_ticks(twin: Twin, *modes: StorageMode) -> None:
    """Three rows in two commits or objects of the first hour, two in one of the third."""
    lake = TwinLake(twin)
    lake.land([tick("AAA", 1, 1), tick("AAA", 2, 2)], *modes, name="a.parquet")
    lake.land([tick("AAA", 3, 3)], *modes, name="b.parquet")
    lake.land([tick("BBB", 7200, 1), tick("BBB", 7201, 2)], *modes, name="a.parquet")


@both_modes
def test_what_firehose_did_to_the_hours_is_told(
    twin: Twin, deployed: FirehoseLanding, mode: StorageMode
) -> None:
    empty = deployed.land(mode, START_US, END_US)
    assert (empty.landed, empty.files, empty.bytes, empty.hours) == (0, 0, 0, [])
    assert "; no " in empty.delivery
    land_ticks(twin, mode)
    folder = "iceberg-failed/2026/03/01"
    for hour, arrival_us in (("08", START_US - 1), ("09", START_US), ("12", END_US)):
        failed = record(arrival_us, errorCode="E", errorMessage="why")
        place(twin, f"{folder}/{hour}/object", failed, mode=mode)
    tell(twin, mode, 42, seconds_ago=60)
    found = deployed.land(mode, START_US, END_US)
    assert (found.landed, found.files, found.records) == (5, 3, 6)
    assert (found.malformed, found.error_objects) == ({"E: why": 1}, 1)
    assert found.hours == [START_US, START_US + 2 * US_PER_HOUR]
    assert found.bytes > 1000
    assert f"by Firehose {FIREHOSES[mode]}, which is ACTIVE; newest " in found.delivery
    assert f"{METRICS[mode]} was 42 s" in found.delivery
    first = deployed.land(mode, START_US, START_US + US_PER_HOUR)
    assert (first.landed, first.files, first.hours) == (3, 2, [START_US])


def test_only_commits_that_added_rows_are_landings(twin: Twin, deployed: FirehoseLanding) -> None:
    land_ticks(twin, ICEBERG)
    table = TwinLake(twin).iceberg(RAW)
    added_ms = table.current_snapshot().timestamp_ms
    table.delete("symbol = 'BBB'")
    found = deployed.land(ICEBERG, START_US, END_US)
    assert found.landed == 3
    told = format_short(added_ms * 1000)
    assert f"newest commit of the table {told} with 2 rows" in found.delivery
    twin.gateway.fail("GetTable", "AccessDeniedException")
    with pytest.raises(AwsError, match=r"AWS refuses GetTable \(AccessDenied"):
        deployed.land(ICEBERG, START_US, END_US)


def test_a_firehose_that_is_not_there_is_one_line(landing: FirehoseLanding) -> None:
    with pytest.raises(LandingError, match=f"no Firehose {FIREHOSES[ICEBERG]} in us-east-1"):
        landing.land(ICEBERG, START_US, END_US)


@pytest.mark.parametrize(
    ("status", "failure", "told"),
    [
        ("CREATING", {}, "is CREATING, not ACTIVE, so nothing lands"),
        (
            "CREATING_FAILED",
            {"Type": "KMS_ACCESS_DENIED", "Details": "no grant"},
            r"is CREATING_FAILED, not ACTIVE \(KMS_ACCESS_DENIED: no grant\), so nothing lands",
        ),
    ],
)
def test_a_firehose_that_does_not_run_is_one_line(
    named: Settings, status: str, failure: Any, told: str
) -> None:
    clients = AwsClients(named)
    described: dict[str, Any] = {
        "DeliveryStreamName": FIREHOSES[PARQUET],
        "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/x",
        "DeliveryStreamStatus": status,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "VersionId": "1",
        "Destinations": [],
        "HasMoreDestinations": False,
    }
    if failure:
        described["FailureDescription"] = failure
    with Stubber(clients.client("firehose")) as stub:
        stub.add_response("describe_delivery_stream", {"DeliveryStreamDescription": described})
        with pytest.raises(LandingError, match=told):
            FirehoseLanding(clients, named).land(PARQUET, START_US, END_US)


def test_what_aws_refuses_is_one_line(twin: Twin, landing: FirehoseLanding) -> None:
    denied = "AccessDeniedException"
    twin.gateway.fail("DescribeDeliveryStream", denied)
    with pytest.raises(AwsError, match=r"AWS refuses DescribeDeliveryStream \(AccessDenied"):
        landing.land(ICEBERG, START_US, END_US)
    twin.gateway.fail("GetMetricData", denied)
    with pytest.raises(AwsError, match=r"reading the metrics of .*AWS refuses GetMetricData"):
        landing.positions()


def test_a_delivery_has_caught_up_while_what_it_holds_is_young(
    twin: Twin, landing: FirehoseLanding
) -> None:
    tell(twin, ICEBERG, 900, seconds_ago=600, records=10)
    tell(twin, ICEBERG, 42, seconds_ago=90, records=10)
    tell(twin, PARQUET, 1234, seconds_ago=90)
    found = landing.positions()
    assert found[ICEBERG].caught_up
    assert found[ICEBERG].description.startswith("all that came before 20")
    assert "DeliveryToIceberg.DataFreshness was 42 s at 20" in found[ICEBERG].description
    assert not found[PARQUET].caught_up
    assert found[PARQUET].description.startswith("behind: DeliveryToS3.DataFreshness was 1,234 s")


def test_a_stream_without_records_leaves_nothing_to_deliver(
    twin: Twin, landing: FirehoseLanding
) -> None:
    assert not position(landing).caught_up
    assert position(landing).description.startswith("not known: 0 records came since 20")
    read_at_the_end(twin)
    assert position(landing).caught_up
    assert position(landing).description.startswith("all: no record came since 20")
    tell(twin, ICEBERG, 30, seconds_ago=3600, records=0)
    arrive(twin, 70, seconds_ago=3700)
    assert position(landing).caught_up
    assert "delivered after the last records" in position(landing).description


def test_a_firehose_that_says_nothing_while_records_come_is_not_known_to_have_caught_up(
    twin: Twin, landing: FirehoseLanding
) -> None:
    arrive(twin, 1234, seconds_ago=300)
    found = position(landing)
    assert not found.caught_up
    assert found.description.startswith("not known: 1,234 records came since 20")
    assert "there is no DeliveryToIceberg.DataFreshness" in found.description
    tell(twin, ICEBERG, 30, seconds_ago=3600)
    read_at_the_end(twin)
    assert not position(landing).caught_up


def test_a_mode_that_is_switched_off_is_not_asked(
    named: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(named.storage_modes) == 2
    monkeypatch.setenv("TICK_PIPELINE_STORAGE_MODES", "iceberg")
    monkeypatch.delenv("TICK_PIPELINE_FIREHOSE_PARQUET")
    settings = load_settings(_env_file=None)
    assert list(FirehoseLanding(AwsClients(settings), settings).positions()) == [ICEBERG]


def test_errors_of_every_form_that_firehose_writes_are_summed_up(
    twin: Twin, landing: FirehoseLanding
) -> None:
    names = [path for path in sorted(GOLDEN.rglob("*")) if path.is_file()]
    for path in names:
        place_bytes(twin, path.relative_to(GOLDEN).as_posix(), path.read_bytes(), mode=PARQUET)
    arrival_us = parse_instant("2026-11-21T16:00:05.123Z")
    found = landing.recent_errors(PARQUET, arrival_us)
    assert found.unreadable == {}
    assert found.objects == len(names)
    assert found.by_type == {
        "format-conversion-failed": 3,
        "processing-failed": 2,
        "iceberg-failed": 1,
    }
    assert found.oldest_us == arrival_us
    assert landing.recent_errors(PARQUET, arrival_us + US_PER_SECOND).count == 0
    assert landing.recent_errors(ICEBERG, 0).count == 0


def test_compressed_error_objects_are_read(twin: Twin, bucket: S3ErrorStore) -> None:
    """A torn one is told, with its bytes."""
    whole = gzip.compress(json.dumps(record(errorCode="E")).encode())
    place_bytes(twin, "iceberg-failed/2026/01/02/03/whole.gz", whole)
    place_bytes(twin, "iceberg-failed/2026/01/02/03/torn.gz", whole[:-12])
    found = summed(bucket)
    assert found.by_reason["E"] == 1
    assert list(found.unreadable) == ["iceberg-failed/2026/01/02/03/torn.gz"]
    torn = next(item for item in read_errors(bucket, ICEBERG) if item.code == UNREADABLE)
    assert torn.data == whole[:-12]


def test_folders_of_other_hours_are_not_read(twin: Twin, bucket: S3ErrorStore) -> None:
    folders = ("2025/12/31/23", "2026/01/01/23", "2026/01/02/02", "2026/01/02/03", "2026/01/02/05")
    for folder in folders:
        place(twin, f"iceberg-failed/{folder}/object", record(errorCode="E"))
    place(twin, "iceberg-failed/somewhere/object", record(errorCode="E"))
    place(twin, "iceberg-failed/undated", record(errorCode="E"))
    place(twin, "stray", record(errorCode="E"))
    twin.gateway.calls.clear()
    until_us = parse_instant("2026-01-02T05:00:00Z")
    kept = list(bucket.names(ICEBERG, Arrivals(SINCE_US, until_us)))
    assert sorted(kept) == [
        "iceberg-failed/2026/01/02/03/object",
        "iceberg-failed/somewhere/object",
        "iceberg-failed/undated",
        "stray",
    ]
    # The root, its one type, the year from the oldest hour on, and the other folder.
    assert twin.gateway.calls == ["GET"] * 4
    assert summed(bucket, until_us=until_us).count == 4
    assert len(list(read_errors(bucket, ICEBERG))) == 8


def test_many_error_objects_are_read_in_their_order(twin: Twin, bucket: S3ErrorStore) -> None:
    for number in range(25):
        place(twin, f"iceberg-failed/2026/01/02/03/{number:02}", record(errorCode=f"E{number}"))
    assert [item.code for item in read_errors(bucket, ICEBERG)] == [f"E{n}" for n in range(25)]


def test_an_object_that_cannot_be_read_is_told_and_one_that_is_gone_is_not(
    twin: Twin, bucket: S3ErrorStore
) -> None:
    for name in ("a-denied", "b-gone", "c-whole"):
        place(twin, f"iceberg-failed/2026/01/02/03/{name}", record(errorCode="E"))
    for code, status, name in (("AccessDenied", 403, "a-denied"), ("NoSuchKey", 404, "b-gone")):
        twin.gateway.fail("GET", code, status=status, when=holding(name))
    found = summed(bucket)
    assert found.by_reason == {
        "unreadable_error_record: the object cannot be read: S3 refuses it (AccessDenied)": 1,
        "E": 1,
    }


def test_a_bucket_that_does_not_answer_is_one_line(twin: Twin, bucket: S3ErrorStore) -> None:
    place(twin, "iceberg-failed/2026/01/02/03/object", record(errorCode="E"))
    twin.gateway.fail("GET", "InvalidRequest", when=holding("/object "))
    with pytest.raises(AwsError, match="reading the error records of s3://"):
        summed(bucket)
    twin.gateway.fail("GET", "AccessDenied", status=403)
    with pytest.raises(AwsError, match="listing s3://"):
        summed(bucket)
