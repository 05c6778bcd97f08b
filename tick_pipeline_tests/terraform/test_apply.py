"""The whole configuration, built on an emulator of AWS and taken away again, by each profile.

Terraform calls AWS's APIs of the emulator over loopback. What stands there is then asked of the emulator, not
of Terraform. The tests of one profile share one apply, and the last of them is its destroy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jmespath
import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline_tests.terraform.provider import LOCAL_TYPES, point_at
from tick_pipeline_tests.twin.emulator import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform
    from tick_pipeline_tests.twin.emulator import Emulator

PROFILES = ("demo", "production")
TABLE_CONTRACTS = {
    "raw": "tick",
    "aggregated_1m": "candle",
    "aggregated_5m": "candle",
    "anomalies": "anomaly",
}


@dataclass(frozen=True)
class Listing:
    """How AWS lists what a Terraform type makes, and which attribute of the type names it there."""

    service: str
    operation: str
    path: str
    attribute: str = "name"


LISTINGS = {
    "aws_athena_workgroup": Listing("athena", "list_work_groups", "WorkGroups[].Name"),
    "aws_budgets_budget": Listing("budgets", "describe_budgets", "Budgets[].BudgetName"),
    "aws_cloudwatch_dashboard": Listing(
        "cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName", "dashboard_name"
    ),
    "aws_cloudwatch_event_rule": Listing("events", "list_rules", "Rules[].Name"),
    "aws_cloudwatch_log_group": Listing("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "aws_cloudwatch_metric_alarm": Listing(
        "cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName", "alarm_name"
    ),
    "aws_glue_catalog_database": Listing("glue", "get_databases", "DatabaseList[].Name"),
    "aws_glue_job": Listing("glue", "get_jobs", "Jobs[].Name"),
    "aws_iam_role": Listing("iam", "list_roles", "Roles[].RoleName"),
    "aws_kinesis_firehose_delivery_stream": Listing(
        "firehose", "list_delivery_streams", "DeliveryStreamNames[]"
    ),
    "aws_kinesis_stream": Listing("kinesis", "list_streams", "StreamNames[]"),
    "aws_kms_alias": Listing("kms", "list_aliases", "Aliases[].AliasName"),
    "aws_s3_bucket": Listing("s3", "list_buckets", "Buckets[].Name", "bucket"),
    "aws_sns_topic": Listing("sns", "list_topics", "Topics[].TopicArn", "arn"),
}

#: What a profile may leave out.
OPTIONAL = {"aws_cloudwatch_event_rule", "aws_cloudwatch_metric_alarm", "aws_kms_alias"}


@dataclass(frozen=True)
class Applied:
    """One profile as it was applied: its workspace, Terraform's state of it, and the emulator that has it."""

    folder: Path
    profile: str
    environment: dict[str, str]
    emulator: Emulator
    resources: list[dict[str, Any]]
    #: What the emulator had before, by type.
    before: dict[str, set[str]]

    @property
    def variables(self) -> tuple[str, ...]:
        """Options of the profile's variables."""
        return _variables(self.profile)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Attributes of every resource of one type, from Terraform's state."""
        return [resource["values"] for resource in self.resources if resource["type"] == kind]

    def only(self, kind: str) -> dict[str, Any]:
        """Attributes of the one resource of a type."""
        (one,) = self.of(kind)
        return one


def inventory(emulator: Emulator) -> dict[str, set[str]]:
    """Names of all that the emulator lists, by Terraform's type."""
    return {kind: set(_listed(emulator, listing)) for kind, listing in LISTINGS.items()}


@pytest.fixture(scope="module", params=PROFILES)
def applied(
    request: pytest.FixtureRequest,
    terraform: Terraform,
    workspace: Callable[[], Path],
    emulator: Emulator,
) -> Applied:
    """One profile, applied to an emulator that was empty before."""
    if not terraform.is_standin:
        pytest.skip(
            "only the offline stand-in of the provider keeps in its state what the emulator lacks: "
            "name one by TICK_PIPELINE_TERRAFORM_STANDIN"
        )
    profile = str(request.param)
    emulator.reset()
    before = inventory(emulator)
    folder = workspace()
    point_at(folder, emulator.url)
    environment = {
        **emulator.environment,
        "TF_STANDIN_ACCOUNT": ACCOUNT,
        "TF_STANDIN_LOCAL_TYPES": ",".join(LOCAL_TYPES),
    }
    terraform.run(folder, "apply", "-auto-approve", *_variables(profile), env=environment)
    root = terraform.json(folder, "show", env=environment)["values"]["root_module"]
    return Applied(
        folder=folder,
        profile=profile,
        environment=environment,
        emulator=emulator,
        resources=[one for one in _resources(root) if one["mode"] == "managed"],
        before=before,
    )


def test_all_that_is_declared_stands_and_nothing_else(applied: Applied) -> None:
    declared = {
        kind: {str(values[listing.attribute]) for values in applied.of(kind)}
        for kind, listing in LISTINGS.items()
    }
    standing = inventory(applied.emulator)
    made = {kind: names - applied.before[kind] for kind, names in standing.items()}
    assert made == declared
    assert {kind for kind, names in made.items() if not names} <= OPTIONAL


def test_the_bucket_is_private_encrypted_and_versioned(applied: Applied) -> None:
    s3 = applied.emulator.client("s3")
    bucket = applied.only("aws_s3_bucket")["bucket"]
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    assert len(blocked) == 4
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    algorithm = rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    assert algorithm == ("aws:kms" if applied.of("aws_kms_key") else "AES256")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_every_firehose_reads_the_stream_in_a_role_that_firehose_may_assume(
    applied: Applied,
) -> None:
    stream = applied.only("aws_kinesis_stream")
    summary = applied.emulator.client("kinesis").describe_stream_summary(StreamName=stream["name"])
    described = summary["StreamDescriptionSummary"]
    mode = stream["stream_mode_details"][0]["stream_mode"]
    assert described["StreamModeDetails"]["StreamMode"] == mode
    assert mode != "PROVISIONED" or described["OpenShardCount"] == stream["shard_count"]

    firehose = applied.emulator.client("firehose")
    roles = {
        role["Arn"]: role["AssumeRolePolicyDocument"]
        for role in applied.emulator.client("iam").list_roles()["Roles"]
    }
    for declared in applied.of("aws_kinesis_firehose_delivery_stream"):
        answer = firehose.describe_delivery_stream(DeliveryStreamName=declared["name"])
        source = answer["DeliveryStreamDescription"]["Source"]["KinesisStreamSourceDescription"]
        assert source["KinesisStreamARN"] == described["StreamARN"]
        assert "firehose.amazonaws.com" in json.dumps(roles[source["RoleARN"]])


def test_every_database_has_its_tables_with_the_columns_of_the_contracts(applied: Applied) -> None:
    """Of an Iceberg table the emulator keeps no schema: Terraform's state is asked for it."""
    glue = applied.emulator.client("glue")
    expected = {
        name: [field.name for field in load_contract(contract).fields]
        for name, contract in TABLE_CONTRACTS.items()
    }
    tables = applied.of("aws_glue_catalog_table")
    for database in applied.of("aws_glue_catalog_database"):
        standing = {
            table["Name"]: [
                column["Name"] for column in table["StorageDescriptor"].get("Columns", [])
            ]
            for table in glue.get_tables(DatabaseName=database["name"])["TableList"]
        }
        assert set(standing) == {*TABLE_CONTRACTS, "ticks", "received"}
        declared = {
            table["name"]: _iceberg_columns(table)
            for table in tables
            if table["database_name"] == database["name"]
        }
        assert {name: standing[name] or declared[name] for name in expected} == expected


def test_every_job_has_its_script_role_and_arguments(applied: Applied) -> None:
    glue = applied.emulator.client("glue")
    roles = {role["arn"] for role in applied.of("aws_iam_role")}
    scripts = {f"s3://{one['bucket']}/{one['key']}" for one in applied.of("aws_s3_object")}
    for declared in applied.of("aws_glue_job"):
        job = glue.get_job(JobName=declared["name"])["Job"]
        assert job["Role"] in roles
        assert job["Command"]["ScriptLocation"] in scripts
        assert job["DefaultArguments"] == declared["default_arguments"]
        assert job["GlueVersion"] == declared["glue_version"]
        assert (job["WorkerType"], job["NumberOfWorkers"]) == (
            declared["worker_type"],
            declared["number_of_workers"],
        )
        wheel = job["DefaultArguments"]["--additional-python-modules"].split(",")[0]
        assert wheel in scripts


def test_the_wheel_that_the_jobs_install_was_built(applied: Applied) -> None:
    (wheel,) = [one for one in applied.of("aws_s3_object") if one["key"].endswith(".whl")]
    assert (applied.folder / wheel["source"]).is_file()


def test_every_role_has_the_policy_that_is_declared(applied: Applied) -> None:
    iam = applied.emulator.client("iam")
    policies = applied.of("aws_iam_role_policy")
    assert {policy["role"] for policy in policies} == {
        role["name"] for role in applied.of("aws_iam_role")
    }
    for policy in policies:
        answer = iam.get_role_policy(RoleName=policy["role"], PolicyName=policy["name"])
        assert answer["PolicyDocument"] == json.loads(policy["policy"])


def test_every_workgroup_limits_what_a_query_may_scan(applied: Applied) -> None:
    athena = applied.emulator.client("athena")
    for declared in applied.of("aws_athena_workgroup"):
        found = athena.get_work_group(WorkGroup=declared["name"])["WorkGroup"]["Configuration"]
        limit = declared["configuration"][0]["bytes_scanned_cutoff_per_query"]
        assert found["EnforceWorkGroupConfiguration"] is True
        assert found["BytesScannedCutoffPerQuery"] == limit


def test_what_is_kept_from_the_emulator_is_what_it_lacks(emulator: Emulator) -> None:
    """Once it has it, the type can be taken off the list."""
    glue = emulator.client("glue")
    for call in (
        glue.list_registries,
        glue.list_schemas,
        lambda: glue.get_table_optimizer(
            CatalogId=ACCOUNT, DatabaseName="a", TableName="b", Type="compaction"
        ),
    ):
        with pytest.raises(glue.exceptions.ClientError, match="Unknown Glue action"):
            call()


def test_a_second_plan_changes_nothing(terraform: Terraform, applied: Applied) -> None:
    """Nor is anything found gone: each resource is looked up first."""
    ended = terraform.run(
        applied.folder,
        "plan",
        "-detailed-exitcode",
        *applied.variables,
        env=applied.environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr


def test_a_destroy_leaves_nothing_behind(terraform: Terraform, applied: Applied) -> None:
    """The last test: it takes away what the others look at."""
    terraform.run(
        applied.folder,
        "destroy",
        "-auto-approve",
        "-refresh=false",
        *applied.variables,
        env=applied.environment,
    )
    assert terraform.run(applied.folder, "state", "list").stdout == ""
    assert inventory(applied.emulator) == applied.before


def _listed(emulator: Emulator, listing: Listing) -> Iterator[str]:
    client = emulator.client(listing.service)
    arguments = {"AccountId": ACCOUNT} if listing.service == "budgets" else {}
    if client.can_paginate(listing.operation):
        pages = client.get_paginator(listing.operation).paginate(**arguments)
    else:
        pages = [getattr(client, listing.operation)(**arguments)]
    for page in pages:
        found: Any = jmespath.search(listing.path, page)
        yield from found or ()


def _iceberg_columns(table: dict[str, Any]) -> list[str]:
    path = "open_table_format_input[].iceberg_input[].iceberg_table_input[].schema[].fields[].name"
    found: Any = jmespath.search(path, table)
    return list(found or ())


def _variables(profile: str) -> tuple[str, ...]:
    return (f"-var-file=profiles/{profile}.tfvars", f"-var=region={REGION}")


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)
