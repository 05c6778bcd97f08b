"""What teardown finds after a destroy, what it says of it, and what it removes, on an emulator."""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import os
import runpy
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tick_pipeline_tests.twin.emulator import ACCOUNT, REGION, ROOT, Emulator

if TYPE_CHECKING:
    from collections.abc import Mapping

TEARDOWN = ROOT / "terraform" / "scripts" / "teardown"
PROJECT = "tick-pipeline"
BUCKET = f"{PROJECT}-{ACCOUNT}-{REGION}"
TAGS = {"project": PROJECT}


def teardown(
    environment: Mapping[str, str], *args: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command, with nothing of the user's AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [str(TEARDOWN), *args],
        env={**kept, **environment},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def rows(output: str) -> dict[str, tuple[str, str]]:
    """Name of a leftover -> what it is and whether it costs, as the table tells."""
    lines = output.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("what  "))
    columns = [lines[header].index(title) for title in ("costs", "where", "how to remove it")]
    told: dict[str, tuple[str, str]] = {}
    for line in lines[header + 1 :]:
        cells = [line[a:b].strip() for a, b in zip([0, *columns], [*columns, None], strict=True)]
        told[cells[2]] = (cells[0], cells[1])
    return told


@pytest.fixture
def account(emulator: Emulator) -> Emulator:
    """An account in which nothing of the project is left."""
    emulator.reset()
    return emulator


def leave_what_holds_no_data(account: Emulator) -> None:
    account.client("logs").create_log_group(logGroupName=f"/aws-glue/jobs/{PROJECT}-ohlc/error")
    account.client("logs").create_log_group(logGroupName=f"/aws/kinesisfirehose/{PROJECT}-iceberg")
    account.client("glue").create_database(DatabaseInput={"Name": "tick_pipeline_iceberg"})
    account.client("athena").create_work_group(Name=f"{PROJECT}-jobs")
    cloudwatch: Any = account.client("cloudwatch")
    cloudwatch.put_dashboard(DashboardName=PROJECT, DashboardBody='{"widgets": []}')
    cloudwatch.put_metric_alarm(
        AlarmName=f"{PROJECT}-stream-behind",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    account.client("s3").create_bucket(Bucket=BUCKET)


def leave_what_holds_data(account: Emulator) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="warehouse/a.parquet", Body=b"rows")
    glue = account.client("glue")
    glue.create_database(DatabaseInput={"Name": "tick_pipeline_iceberg"})
    glue.create_table(DatabaseName="tick_pipeline_iceberg", TableInput={"Name": "mine"})
    kms = account.client("kms")
    kms.create_key(Description=f"Data of {PROJECT}: stream, bucket, results and logs")


def test_an_empty_account_has_nothing_left(account: Emulator) -> None:
    ended = teardown(account.environment)
    assert ended.stdout == f"Nothing is left of {PROJECT} in account {ACCOUNT}, {REGION}.\n"
    assert (ended.returncode, ended.stderr) == (0, "")


def test_it_tells_what_is_left_and_what_costs(account: Emulator) -> None:
    leave_what_holds_no_data(account)
    ended = teardown(account.environment)
    assert rows(ended.stdout) == {
        f"{PROJECT}-stream-behind": ("alarm", "yes"),
        PROJECT: ("dashboard", "yes"),
        BUCKET: ("bucket", "no"),
        "tick_pipeline_iceberg": ("database", "no"),
        f"/aws-glue/jobs/{PROJECT}-ohlc/error": ("log group", "no"),
        f"/aws/kinesisfirehose/{PROJECT}-iceberg": ("log group", "no"),
        f"{PROJECT}-jobs": ("workgroup", "no"),
    }
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_key_that_waits_for_its_deletion_costs_nothing(account: Emulator) -> None:
    kms: Any = account.client("kms")
    key = kms.create_key(Description=f"Data of {PROJECT}: stream, bucket, results and logs")
    name = key["KeyMetadata"]["KeyId"]
    assert rows(teardown(account.environment).stdout)[name] == ("key", "yes")
    kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=30)
    ended = teardown(account.environment)
    assert rows(ended.stdout)[name] == ("key to be deleted", "no")
    assert ended.returncode == 0


def test_what_only_its_tag_tells_of_is_found_once(account: Emulator) -> None:
    """The bucket has a name that we know and a tag; the other has the tag alone."""
    s3 = account.client("s3")
    for bucket in (BUCKET, "elsewhere"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in TAGS.items()]}
        )
    ended = teardown(account.environment)
    assert rows(ended.stdout)[BUCKET] == ("bucket", "no")
    assert ended.stdout.count(BUCKET) == 2, "its name, and the command that removes it"
    assert rows(ended.stdout)["elsewhere"] == ("tagged, s3", "yes")
    assert ended.returncode == 1


def test_what_is_of_others_is_not_told(account: Emulator) -> None:
    account.client("logs").create_log_group(
        logGroupName="/aws-glue/jobs/another-project-ohlc/error"
    )
    account.client("glue").create_database(DatabaseInput={"Name": "tick_pipelines"})
    account.client("athena").create_work_group(Name="tick-pipelines")
    account.client("kms").create_key(Description="Data of another project")
    account.client("s3").create_bucket(Bucket=f"{PROJECT}-archive")
    assert teardown(account.environment).stdout.startswith("Nothing is left")


def test_log_groups_of_all_glue_jobs_are_told_and_kept(account: Emulator) -> None:
    logs: Any = account.client("logs")
    logs.create_log_group(logGroupName="/aws-glue/jobs/error")
    ended = teardown(account.environment, "--delete", "--yes")
    assert "shared log group" in ended.stdout
    assert ended.returncode == 0
    assert len(logs.describe_log_groups()["logGroups"]) == 1


def test_delete_removes_what_holds_no_data(account: Emulator) -> None:
    leave_what_holds_no_data(account)
    ended = teardown(account.environment, "--delete", typed=f"{PROJECT}\n")
    assert ended.stdout.count("\ndeleted: ") + ended.stdout.count(": deleted: ") == 7
    assert (ended.returncode, ended.stderr) == (0, "")
    assert teardown(account.environment).stdout.startswith("Nothing is left")


def test_delete_keeps_data_and_keys(account: Emulator) -> None:
    leave_what_holds_data(account)
    before = teardown(account.environment).stdout
    ended = teardown(account.environment, "--delete", "--yes")
    assert ended.stdout == before
    assert ended.returncode == 1
    assert [kind for kind, _ in rows(before).values()] == [
        "bucket with objects",
        "key",
        "database with tables",
    ]


@pytest.mark.parametrize("typed", ["", "yes\n", "another\n"])
def test_delete_without_the_name_deletes_nothing(account: Emulator, typed: str) -> None:
    leave_what_holds_no_data(account)
    ended = teardown(account.environment, "--delete", typed=typed)
    assert ended.stderr == "teardown: not confirmed, nothing was deleted\n"
    assert ended.returncode == 2
    assert len(rows(teardown(account.environment).stdout)) == 7


def test_delete_waits_for_the_destroy(account: Emulator) -> None:
    """A project whose stream stands is in use."""
    leave_what_holds_no_data(account)
    account.client("kinesis").create_stream(StreamName=f"{PROJECT}-ticks", ShardCount=1)
    ended = teardown(account.environment, "--delete", "--yes")
    assert ended.stderr.startswith(f"teardown: the stream {PROJECT}-ticks is still there: ")
    assert ended.returncode == 2
    assert "deleted: " not in ended.stdout


def test_a_look_that_fails_is_told_and_keeps_no_other_from_looking() -> None:
    """Else a missing right would read as an empty account."""
    module: Any = runpy.run_path(str(TEARDOWN.with_suffix(".py")))
    found = module["Leftover"]("alarm", "a", "arn", costs=True, how="")

    def refuse(place: object) -> list[object]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListKeys")

    def give(place: object) -> list[object]:
        return [found]

    finders: dict[str, Any] = module["FINDERS"]
    finders.clear()
    finders.update({"keys": refuse, "alarms": give})
    leftovers, failures = module["find"](None)
    assert leftovers == [found]
    assert [line.split(": ")[0] for line in failures] == ["could not look for keys"]


def test_another_project_and_region_may_be_named(account: Emulator) -> None:
    account.client("glue").create_database(DatabaseInput={"Name": "my_ticks_iceberg"})
    ended = teardown(account.environment, "--project", "my-ticks", "--region", REGION)
    assert rows(ended.stdout) == {"my_ticks_iceberg": ("database", "no")}


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        (("AWS_REGION", "AWS_DEFAULT_REGION"), "teardown: no region: give --region"),
        (
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            "teardown: no credentials that AWS takes: Unable to locate credentials",
        ),
    ],
)
def test_without_credentials_or_region_it_says_so_in_one_line(
    left_out: tuple[str, ...], told: str
) -> None:
    """It asks no service, so no emulator runs."""
    closed = Emulator("http://127.0.0.1:9", 0, ROOT).environment
    ended = teardown({name: value for name, value in closed.items() if name not in left_out})
    assert ended.stderr.startswith(told)
    assert len(ended.stderr.splitlines()) == 1
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_name_that_is_no_project_is_refused() -> None:
    """As `*` or the empty string, which would match what is of others."""
    ended = teardown(Emulator("http://127.0.0.1:9", 0, ROOT).environment, "--project", "")
    assert ended.stderr == 'teardown: "" is no name of a project: 3 to 24 of a-z, 0-9 and -\n'
    assert ended.returncode == 2
