"""The twin's Firehose against AWS's documentation: what lands, what fails and in which form, what is late or twice."""

# pyarrow, boto3 and PyIceberg's catalog have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import base64
import copy
import gzip
import io
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog.glue import GlueCatalog

from tick_pipeline.event_time import US_PER_HOUR, parse_instant
from tick_pipeline.storage import StorageMode, glue_database
from tick_pipeline_tests.twin.firehose import Firehose, firehose_of
from tick_pipeline_tests.twin.glue_stand_in import until
from tick_pipeline_tests.twin.provision import (
    BUCKET,
    FIREHOSES,
    PROJECT,
    ROLE,
    STREAM,
    STREAM_ARN,
    provision,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tick_pipeline_tests.twin.twin import Twin

pytest.importorskip("jq", reason="there are wheels of jq 1.6 for Linux only")

ICEBERG, PARQUET = StorageMode.ICEBERG, StorageMode.PARQUET_PROJECTION
GOLDEN = Path(__file__).with_name("golden") / "errors"
START_US = parse_instant("2026-01-01T10:00:00Z")
KEY = re.compile(
    r"warehouse/parquet_projection/raw/year=2026/month=01/day=01/hour=(1\d)/"
    r"tick-pipeline-parquet-projection-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.parquet"
)


@dataclass
class Lake:
    """The provisioned twin: records in, rows and errors out."""

    twin: Twin

    @property
    def firehose(self) -> Firehose:
        """To switch and to drain."""
        return firehose_of(self.twin.gateway)

    def put(self, records: Sequence[bytes]) -> None:
        """Put into the emulator itself, whatever faults the gateway has."""
        kinesis = self.twin.emulator.client("kinesis")
        for start in range(0, len(records), 500):
            batch = enumerate(records[start : start + 500])
            entries = [{"Data": data, "PartitionKey": f"SYM{n % 7}"} for n, data in batch]
            kinesis.put_records(StreamName=STREAM, Records=entries)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Key -> body."""
        s3 = self.twin.emulator.client("s3")
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {
            one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            for one in listed
        }

    def rows(self, mode: StorageMode) -> Any:
        """A mode's raw, as Arrow's table."""
        if mode is ICEBERG:
            catalog = GlueCatalog(
                "test", **{"glue.endpoint": self.twin.url, "s3.endpoint": self.twin.url}
            )
            return catalog.load_table((glue_database(PROJECT, mode), "raw")).scan().to_arrow()
        parts = self.objects(f"warehouse/{mode}/raw/")
        return pa.concat_tables(
            [pq.ParquetFile(io.BytesIO(body)).read() for body in parts.values()]
        )

    def ids(self, mode: StorageMode) -> list[str]:
        """Of every row of a mode's raw."""
        return sorted(self.rows(mode)["event_id"].to_pylist())

    def errors(self, mode: StorageMode) -> list[dict[str, Any]]:
        """Lines of a mode's error objects, with the type of their folder."""
        prefix = f"warehouse/{mode}/_firehose_errors/"
        return [
            {"type": key.removeprefix(prefix).split("/")[0], **json.loads(line)}
            for key, body in self.objects(prefix).items()
            for line in body.splitlines()
        ]


@pytest.fixture
def lake(twin: Twin) -> Lake:
    """A twin with all that Terraform would make."""
    provision(twin.client, twin.url)
    return Lake(twin)


def tick(number: int, **changes: Any) -> bytes:
    """A tick of one a minute; `None` takes a member away."""
    event_us = START_US + number * 60_000_000
    members = {
        "event_id": f"A:{number:05}",
        "source": "test",
        "sequence": number + 1,
        "symbol": "A",
        "price": 1.5,
        "volume": 2.0,
        "event_ts": event_us,
        "event_time": "2026-01-01T10:00:00.000000Z",
        "sent_ts": event_us,
        **changes,
    }
    return json.dumps({key: value for key, value in members.items() if value is not None}).encode()


def raw_data(errors: Sequence[dict[str, Any]]) -> list[bytes]:
    return sorted(base64.b64decode(error["rawData"]) for error in errors)


def test_ticks_land_in_both_modes_in_the_hour_of_their_event(lake: Lake) -> None:
    lake.put([tick(number) for number in range(0, 150, 30)])
    lake.firehose.drain()
    iceberg, parquet = lake.rows(ICEBERG), lake.rows(PARQUET)
    assert parquet.schema.field("event_ts").type == pa.int64()
    assert iceberg.schema.field("event_ts").type == pa.timestamp("us", tz="UTC")
    at = iceberg.schema.get_field_index("event_ts")
    counted = iceberg.set_column(at, "event_ts", iceberg["event_ts"].cast(pa.int64()))
    assert counted.sort_by("event_id").to_pylist() == parquet.sort_by("event_id").to_pylist()

    hours = {
        KEY.fullmatch(key)[1]: pq.ParquetFile(io.BytesIO(body)).read()["event_ts"].to_pylist()  # type: ignore[index]
        for key, body in lake.objects("warehouse/parquet_projection/raw/").items()
    }
    assert {hour: {us // US_PER_HOUR % 24 for us in found} for hour, found in hours.items()} == {
        "10": {10},
        "11": {11},
        "12": {12},
    }


def test_an_unknown_field_fails_in_iceberg_and_is_left_out_in_parquet(lake: Lake) -> None:
    lake.put([tick(0), tick(1, venue="X")])
    lake.firehose.drain()
    assert lake.ids(PARQUET) == ["A:00000", "A:00001"]
    assert lake.ids(ICEBERG) == ["A:00000"]
    (error,) = lake.errors(ICEBERG)
    assert error["type"] == "iceberg-failed"
    assert error["errorCode"] == "Iceberg.MissingColumnWithinRecord"
    assert raw_data([error]) == [tick(1, venue="X")]


def test_each_failed_record_is_told_in_the_form_of_its_type(lake: Lake) -> None:
    """The members are those of the golden fixtures; the bytes come back as they were."""
    unplaced, unfit = b"no JSON", tick(1, sequence="x")
    lake.put([unplaced, unfit])
    before_ms = time.time_ns() // 1_000_000
    lake.firehose.drain()
    errors = {
        error.pop("type"): error for mode in (PARQUET, ICEBERG) for error in lake.errors(mode)
    }
    golden = {
        "processing-failed": "metadata-extraction",
        "format-conversion-failed": "delivered",
        "iceberg-failed": "reported",
    }
    for error_type, ending in golden.items():
        (path,) = (GOLDEN / error_type).rglob(f"*-{ending}")
        line = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        assert set(errors[error_type]) == set(line)
        assert errors[error_type]["arrivalTimestamp"] == pytest.approx(before_ms, abs=60_000)
    assert raw_data([errors["processing-failed"]]) == [unplaced]
    assert raw_data([errors["format-conversion-failed"]]) == [unfit]
    assert raw_data(lake.errors(ICEBERG)) == sorted([unplaced, unfit])
    table = errors["format-conversion-failed"]["dataCatalogTable"]
    assert (table["databaseName"], table["tableName"]) == (glue_database(PROJECT, PARQUET), "raw")


def test_no_record_is_lost_or_stops_the_stream_whatever_its_bytes(lake: Lake) -> None:
    bad = [
        b"", b" ", b"{", b"[]", b"1", b"null", b"\xff\xfe", b"\xef\xbb\xbf{}", b"{}{}", b'"x"', b"[" * 5000,
        b'{"event_ts": 1e400}', b'{"event_ts": 9223372036854775807}', b'{"event_ts": "1767261600000000"}',
        tick(1, price="\ud800"), tick(2, event_ts=None), tick(3, event_ts=START_US + 0.5), tick(4, price="1.5"),
        tick(5).replace(b"1.5", b"NaN"), tick(6).replace(b"1.5", b"1e400"), tick(7) + b"x", b"\xef\xbb\xbf" + tick(8),
    ]  # fmt: skip
    good = [tick(number) for number in range(100, 110)]
    lake.put([*good, *bad])
    lake.firehose.drain()
    for mode in (ICEBERG, PARQUET):
        landed = lake.ids(mode) if mode is PARQUET else lake.rows(mode)["event_id"].to_pylist()
        assert {f"A:{number:05}" for number in range(100, 110)} <= set(landed)
        assert len(landed) + len(lake.errors(mode)) == len(good) + len(bad)


def test_a_record_may_be_delivered_twice(lake: Lake) -> None:
    lake.firehose.switches.duplicate_every = 3
    lake.put([tick(number) for number in range(7)])
    lake.firehose.drain()
    for mode in (ICEBERG, PARQUET):
        assert len(lake.ids(mode)) == 9
        assert len(set(lake.ids(mode))) == 7


def test_a_held_delivery_begins_when_it_is_released(lake: Lake) -> None:
    lake.firehose.hold()
    lake.put([tick(0)])
    with pytest.raises(TimeoutError, match="it is held"):
        lake.firehose.drain(0.5)
    assert not lake.objects("warehouse/parquet_projection/raw/")
    lake.firehose.release()
    lake.firehose.drain()
    assert lake.ids(PARQUET) == ["A:00000"]


def test_a_flush_comes_at_the_end_of_the_interval_or_later(lake: Lake) -> None:
    """Nobody drains here; one second is what the streams were provisioned with."""
    lake.firehose.switches.flush_delay_seconds = 1.0
    began = time.monotonic()
    lake.put([tick(0)])
    while not lake.objects("warehouse/parquet_projection/raw/"):
        assert time.monotonic() < began + 120
        time.sleep(0.05)
    assert time.monotonic() - began > 2.0


def test_a_cached_schema_does_not_know_a_new_column(lake: Lake) -> None:
    lake.firehose.switches.schema_cached = True
    lake.put([tick(0, venue="X")])
    lake.firehose.drain()
    glue = lake.twin.client("glue")
    database = glue_database(PROJECT, PARQUET)
    table = glue.get_table(DatabaseName=database, Name="raw")["Table"]
    kept = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    changed = {name: table[name] for name in kept}
    changed["StorageDescriptor"]["Columns"].append({"Name": "venue", "Type": "string"})
    glue.update_table(DatabaseName=database, TableInput=changed)
    lake.put([tick(1, venue="X")])
    lake.firehose.drain()
    assert "venue" not in lake.rows(PARQUET).column_names
    lake.firehose.switches.schema_cached = False
    lake.put([tick(61, venue="X")])
    lake.firehose.drain()
    (body,) = lake.objects(
        "warehouse/parquet_projection/raw/year=2026/month=01/day=01/hour=11"
    ).values()
    assert pq.ParquetFile(io.BytesIO(body)).read()["venue"].to_pylist() == ["X"]


def test_faults_of_the_gateway_are_not_firehoses(lake: Lake) -> None:
    for operation in ("GetRecords", "PUT", "GetTable", "PutMetricData"):
        lake.twin.gateway.fail(operation, "InternalFailure", status=500, times=1000)
    lake.put([tick(0)])
    lake.firehose.drain()
    lake.twin.gateway.faults.clear()
    assert lake.ids(PARQUET) == lake.ids(ICEBERG) == ["A:00000"]


def test_a_delivery_that_fails_is_tried_again(lake: Lake) -> None:
    s3 = lake.twin.emulator.client("s3")
    for key in lake.objects(""):
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)
    lake.put([tick(0)])
    until(lambda: all(lake.firehose.failures))
    with pytest.raises(TimeoutError, match=r"NoSuchBucket|does not exist"):
        lake.firehose.drain(1.0)
    s3.create_bucket(Bucket=BUCKET)
    while not (found := lake.objects("warehouse/parquet_projection/raw/")):
        time.sleep(0.05)
    assert len(found) == 1


def test_records_without_a_table_go_to_the_error_prefix(lake: Lake) -> None:
    for mode in (ICEBERG, PARQUET):
        lake.twin.client("glue").delete_table(DatabaseName=glue_database(PROJECT, mode), Name="raw")
    lake.put([tick(0)])
    lake.firehose.drain()
    assert [error["type"] for error in lake.errors(ICEBERG)] == ["iceberg-failed"]
    assert [error["type"] for error in lake.errors(PARQUET)] == ["format-conversion-failed"]


def test_an_archive_keeps_records_as_they_came(lake: Lake) -> None:
    """With the arguments of terraform/firehose.tf."""
    append = {"ParameterName": "Delimiter", "ParameterValue": "\\n"}
    lake.twin.client("firehose").create_delivery_stream(
        DeliveryStreamName="archive",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": STREAM_ARN, "RoleARN": ROLE},
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "Prefix": "archive/ticks/!{timestamp:yyyy/MM/dd/HH}/",
            "CompressionFormat": "GZIP",
            "FileExtension": ".json.gz",
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": [append]}],
            },
        },
    )
    lake.put([b"one", tick(0)])
    lake.firehose.drain()
    ((key, body),) = lake.objects("archive/").items()
    assert re.fullmatch(r"archive/ticks/\d{4}/\d\d/\d\d/\d\d/archive-1-[-0-9a-f]+\.json\.gz", key)
    assert sorted(gzip.decompress(body).split(b"\n")) == sorted([b"", b"one", tick(0)])


def test_metrics_tell_how_far_delivery_is(lake: Lake) -> None:
    lake.firehose.hold()
    lake.put([tick(0), b"no JSON"])
    time.sleep(1.2)
    lake.firehose.release()
    lake.firehose.drain()
    expected = {
        ICEBERG: {
            "SuccessfulRowCount": 1,
            "FailedRowCount": 1,
            "IncomingRowCount": 2,
            "Success": 1,
        },
        PARQUET: {"Records": 1, "Success": 1},
    }
    for mode, counts in expected.items():
        destination = "DeliveryToIceberg" if mode is ICEBERG else "DeliveryToS3"
        for name, count in counts.items():
            assert metric(lake, mode, f"{destination}.{name}", "Sum") == count
        assert 1.0 < metric(lake, mode, f"{destination}.DataFreshness", "Maximum") < 300
        assert metric(lake, mode, "KinesisMillisBehindLatest", "Maximum") == 0
    assert metric(lake, PARQUET, "FailedConversion.Records", "Sum") == 0


def metric(lake: Lake, mode: StorageMode, name: str, statistic: str) -> float:
    answer = lake.twin.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Firehose",
        MetricName=name,
        Dimensions=[{"Name": "DeliveryStreamName", "Value": FIREHOSES[mode]}],
        StartTime=time.time() - 600,
        EndTime=time.time() + 60,
        Period=3600,
        Statistics=[statistic],
    )
    points = [point[statistic] for point in answer["Datapoints"]]
    return sum(points) if statistic == "Sum" else max(points)


def test_a_delivery_stream_is_described_tagged_and_deleted(lake: Lake) -> None:
    client = lake.twin.client("firehose")
    name = FIREHOSES[PARQUET]
    assert client.list_delivery_streams()["DeliveryStreamNames"] == sorted(FIREHOSES.values())
    page = client.list_delivery_streams(Limit=1)
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (
        [FIREHOSES[ICEBERG]],
        True,
    )
    told = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    assert told["DeliveryStreamStatus"] == "ACTIVE"
    assert told["Source"]["KinesisStreamSourceDescription"]["KinesisStreamARN"] == STREAM_ARN
    (destination,) = told["Destinations"]
    assert destination["ExtendedS3DestinationDescription"]["FileExtension"] == ".parquet"

    client.tag_delivery_stream(
        DeliveryStreamName=name, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c"}]
    )
    client.untag_delivery_stream(DeliveryStreamName=name, TagKeys=["c"])
    tags = client.list_tags_for_delivery_stream(DeliveryStreamName=name)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]

    client.delete_delivery_stream(DeliveryStreamName=name)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_delivery_stream(DeliveryStreamName=name)
    lake.put([tick(0)])
    lake.firehose.drain()
    assert not lake.objects("warehouse/parquet_projection/raw/")
    assert lake.ids(ICEBERG) == ["A:00000"]


def test_a_wrong_delivery_stream_is_refused(lake: Lake) -> None:
    client = lake.twin.client("firehose")
    name = FIREHOSES[PARQUET]
    told = client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    extended = told["Destinations"][0]["ExtendedS3DestinationDescription"]
    source = {"KinesisStreamARN": STREAM_ARN, "RoleARN": ROLE}
    request: dict[str, Any] = {
        "DeliveryStreamName": "new",
        "KinesisStreamSourceConfiguration": source,
        "ExtendedS3DestinationConfiguration": extended,
    }
    extraction = copy.deepcopy(extended["ProcessingConfiguration"])
    extraction["Processors"][0]["Parameters"][1]["ParameterValue"] = "{year: "

    def changed(**members: Any) -> dict[str, Any]:
        return {**request, "ExtendedS3DestinationConfiguration": {**extended, **members}}

    nowhere = {**source, "KinesisStreamARN": STREAM_ARN.replace(STREAM, "nowhere")}
    without_source = {key: value for key, value in request.items() if not key.startswith("Kinesis")}
    without_destination = {key: value for key, value in request.items() if "S3" not in key}
    small = {"SizeInMBs": 5, "IntervalInSeconds": 60}
    refused = {
        "ResourceInUseException": {**request, "DeliveryStreamName": name},
        "InvalidArgumentException.*Kinesis streams only": without_source,
        "InvalidArgumentException.*nowhere": {
            **request,
            "KinesisStreamSourceConfiguration": nowhere,
        },
        "extended S3 and to Iceberg only": without_destination,
        "at least 64": changed(BufferingHints=small),
        "must be UNCOMPRESSED": changed(CompressionFormat="GZIP"),
        "JQ 1.6": changed(ProcessingConfiguration=extraction),
    }
    for message, wrong in refused.items():
        with pytest.raises(ClientError, match=message):
            client.create_delivery_stream(**wrong)


def test_closing_is_quick_and_forgets_everything(lake: Lake) -> None:
    lake.firehose.hold()
    lake.put([tick(number) for number in range(1000)])
    began = time.monotonic()
    lake.firehose.close()
    assert time.monotonic() - began < 30
    assert lake.twin.client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert lake.firehose.switches.released.is_set()
    assert not lake.objects("warehouse/parquet_projection/raw/")
