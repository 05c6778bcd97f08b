"""What goes wrong in Athena is told in one line, tried again where that helps, and leaves no query running."""

# boto3 has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.errors import AwsError, QueryError
from tick_pipeline.resources.aws.athena_query import AthenaQuery
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_catalog import open_glue_catalog
from tick_pipeline.storage import StorageMode, glue_database
from tick_pipeline_tests.twin.provision import BUCKET, PROJECT, WORKGROUP

if TYPE_CHECKING:
    from tick_pipeline_tests.twin.athena_lake import AthenaLake

ICEBERG = glue_database(PROJECT, StorageMode.ICEBERG)
TEXT = "select count(*) as n from iceberg.raw"


def states(lake: AthenaLake) -> list[str]:
    return [query.state for query in lake.athena.executions]


def one_line(error: pytest.ExceptionInfo[Any]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_throttled_start_is_tried_again_and_runs_once(lake: AthenaLake) -> None:
    lake.twin.gateway.fail("StartQueryExecution", "TooManyRequestsException", times=2)
    assert lake.engine().run(TEXT).records == [{"n": 0}]
    assert lake.twin.gateway.calls.count("StartQueryExecution") == 3
    assert states(lake) == ["SUCCEEDED"]


def test_a_start_whose_answer_was_lost_does_not_run_twice(lake: AthenaLake) -> None:
    """Each attempt bears the same token."""
    lake.twin.gateway.fail(
        "StartQueryExecution", "InternalServerException", status=500, times=2, after=True
    )
    assert lake.engine().run(TEXT).records == [{"n": 0}]
    assert lake.twin.gateway.calls.count("StartQueryExecution") == 3
    assert states(lake) == ["SUCCEEDED"]


def test_a_throttled_look_or_fetch_is_tried_again(lake: AthenaLake) -> None:
    lake.twin.gateway.fail("GetQueryExecution", "ThrottlingException", times=2)
    lake.twin.gateway.fail("GetQueryResults", "TooManyRequestsException", times=1)
    assert lake.engine().run(TEXT).records == [{"n": 0}]
    assert states(lake) == ["SUCCEEDED"]


def asks_for_more(request: str) -> bool:
    return '"NextToken"' in request


def asks_for_metadata(request: str) -> bool:
    return ".metadata.json" in request


def test_a_later_page_that_is_refused_is_told(lake: AthenaLake) -> None:
    lake.twin.gateway.fail(
        "GetQueryResults",
        "ExpiredTokenException",
        message="no",
        when=asks_for_more,
    )
    with pytest.raises(AwsError, match="renew them"):
        lake.engine().run("select n from unnest(sequence(1, 2500)) as t(n)")


@pytest.mark.parametrize(
    ("operation", "code", "told"),
    [
        ("StartQueryExecution", "AccessDeniedException", "terraform/iam.tf"),
        ("StartQueryExecution", "ExpiredTokenException", "renew them"),
        ("GetQueryResults", "AccessDeniedException", "terraform/iam.tf"),
        ("GetQueryExecution", "ExpiredTokenException", "renew them"),
    ],
)
def test_a_call_that_aws_refuses_is_an_error_of_aws(
    lake: AthenaLake, operation: str, code: str, told: str
) -> None:
    lake.twin.gateway.fail(operation, code, message="no")
    with pytest.raises(AwsError, match=told) as error:
        lake.engine().run(TEXT)
    assert error.value.code == code
    assert one_line(error)


def test_a_workgroup_that_is_not_there_is_told(lake: AthenaLake) -> None:
    with pytest.raises(AwsError, match="WorkGroup is not found"):
        lake.engine(athena_workgroup="nobody").run(TEXT)
    assert states(lake) == []


def test_a_missing_table_says_which_and_what_to_do(lake: AthenaLake) -> None:
    glue = lake.twin.client("glue")
    table = glue.get_table(DatabaseName=ICEBERG, Name="received")["Table"]
    glue.delete_table(DatabaseName=ICEBERG, Name="received")
    try:
        with pytest.raises(QueryError, match=r"tick_pipeline_iceberg\.received is not in the Glue"):
            lake.engine().run("select 1 as a from iceberg.received")
    finally:
        kept = ("Name", "TableType", "Parameters", "ViewOriginalText", "ViewExpandedText")
        described = {name: table[name] for name in (*kept, "StorageDescriptor")}
        glue.create_table(DatabaseName=ICEBERG, TableInput=described)


def test_a_missing_database_says_which(lake: AthenaLake) -> None:
    with pytest.raises(QueryError, match="other_iceberg is not in the Glue Data Catalog"):
        lake.engine(project="other").run(TEXT)


def test_a_missing_iceberg_table_is_told_by_an_estimate_too(lake: AthenaLake) -> None:
    with pytest.raises(AwsError, match="no such Iceberg table") as error:
        lake.engine(project="other").estimate(TEXT)
    assert error.value.code == "EntityNotFoundException"


def test_an_unknown_column_stands_where_the_user_wrote_it(lake: AthenaLake) -> None:
    """Athena counts in the text that it was sent, which the user never saw."""
    text = "select symbol,\n  nope\nfrom parquet_projection.aggregated_1m"
    with pytest.raises(QueryError, match=r"^line 2, column 3: COLUMN_NOT_FOUND: Column 'nope'"):
        lake.engine().run(text)


def test_a_text_that_athena_cannot_parse_is_an_error_of_the_text(lake: AthenaLake) -> None:
    with pytest.raises(QueryError, match="the SQL cannot be run: mismatched input") as error:
        AthenaQuery(AwsClients(lake.settings), WORKGROUP).run("select from where")
    assert one_line(error)


def test_a_scan_beyond_the_limit_says_the_limit_and_to_filter(lake: AthenaLake) -> None:
    athena = lake.twin.client("athena")
    athena.create_work_group(
        Name="small",
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/athena-results/small/"},
            "BytesScannedCutoffPerQuery": 10 << 20,
        },
    )
    lake.athena.break_next("Bytes scanned limit was exceeded")
    with pytest.raises(QueryError, match=r"small lets one query scan \(10 MiB\): filter on"):
        lake.engine(athena_workgroup="small").run(TEXT)
    # Who may not look at the workgroup hears of the limit without its size.
    lake.athena.break_next("Bytes scanned limit was exceeded")
    lake.twin.gateway.fail("GetWorkGroup", "AccessDeniedException")
    with pytest.raises(QueryError, match="small lets one query scan: filter on"):
        lake.engine(athena_workgroup="small").run(TEXT)


@pytest.mark.parametrize(
    ("reason", "category", "kind", "told"),
    [
        ("GENERIC_INTERNAL_ERROR: oops", 1, AwsError, "run it again"),
        ("Query exhausted resources at this scale factor", 3, AwsError, "exhausted resources"),
        ("TYPE_MISMATCH: line 1:9: '=' cannot be applied", 2, QueryError, "^TYPE_MISMATCH: '='"),
        ("Access Denied (Service: Amazon S3; Status Code: 403)", 2, AwsError, "terraform/iam.tf"),
        ("User: arn:x is not authorized to perform: glue:GetTable", 2, AwsError, "refuses to read"),
        ("HIVE_BAD_DATA: two\nlines", 2, QueryError, "two lines"),
    ],
)
def test_a_failed_query_is_an_error_of_whom_it_is(
    lake: AthenaLake, reason: str, category: int, kind: type[Exception], told: str
) -> None:
    lake.athena.break_next(reason, category)
    with pytest.raises(kind, match=told) as error:
        lake.engine().run(TEXT)
    assert one_line(error)
    assert states(lake) == ["FAILED"]
    assert "StopQueryExecution" not in lake.twin.gateway.calls


def test_a_text_is_refused_before_aws_is_asked(lake: AthenaLake) -> None:
    engine = lake.engine(storage_modes=(StorageMode.PARQUET_PROJECTION,))
    for text, told in (
        (TEXT, "the storage mode iceberg is switched off"),
        ("delete from iceberg.raw", "this only reads"),
        ("select * from secrets.keys", "there is no table"),
        ("select 1 / 2", "differs between Athena and DuckDB"),
        ("select :a as a", "no value was given for the parameter a"),
        ("show create view parquet_projection.raw", "is no view"),
    ):
        with pytest.raises(QueryError, match=told):
            engine.run(text)
    with pytest.raises(QueryError, match="give text, a number, a date or an instant"):
        engine.run("select :a as a", {"a": object()})
    assert lake.twin.gateway.calls == []


def test_without_credentials_the_catalog_says_so(
    lake: AthenaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsError, match="there are no AWS credentials"):
        open_glue_catalog(AwsClients(lake.settings), lake.settings)
    with pytest.raises(AwsError, match="there are no AWS credentials"):
        lake.engine().run(TEXT)


def test_a_bucket_that_is_not_to_be_listed_is_told_by_an_estimate(lake: AthenaLake) -> None:
    lake.twin.gateway.fail("GET", "AccessDenied", message="no", status=403)
    with pytest.raises(AwsError, match=r"listing s3://.*/parquet_projection/raw/: AWS refuses"):
        lake.engine().estimate("select * from parquet_projection.raw")


def test_metadata_that_is_not_to_be_read_is_told_by_an_estimate(lake: AthenaLake) -> None:
    for method in ("HEAD", "GET"):
        lake.twin.gateway.fail(
            method,
            "AccessDenied",
            status=403,
            times=20,
            when=asks_for_metadata,
        )
    with pytest.raises(
        AwsError, match=r"reading tick_pipeline_iceberg\.raw: S3 was not to be read"
    ):
        lake.engine().estimate(TEXT)
