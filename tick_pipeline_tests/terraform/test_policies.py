"""What every role, bucket, topic, key and endpoint may do, read from plans: nothing that a reviewer would refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline_tests.terraform.policies import (
    ACCOUNT,
    EVERYONE,
    NO_NARROWER_RESOURCE,
    UNBOUND_ROLES,
    UNBOUND_SERVICES,
    WILD_ACTIONS,
    Resource,
    find_policies,
    named_statements,
    plan_resources,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform

PLANS = {
    "demo": "profiles/demo.tfvars",
    "production": "profiles/production.tfvars",
    "everything": "tests/policies/everything.tfvars",
}
#: Where policies are; more are welcome, fewer would mean that they are no longer found.
KINDS = {
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_kms_key",
    "aws_s3_bucket_policy",
    "aws_sns_topic_policy",
    "aws_vpc_endpoint",
}


@pytest.fixture(scope="module")
def plan(terraform: Terraform, workspace: Callable[[], Path]) -> Callable[[str], list[Resource]]:
    """The resources of a plan, by its name; each is planned once."""
    folder = workspace()
    planned: dict[str, list[Resource]] = {}

    def resources(name: str) -> list[Resource]:
        if name not in planned:
            planned[name] = plan_resources(terraform, folder, PLANS[name])
        return planned[name]

    return resources


def of_type(resources: list[Resource], kind: str) -> dict[str, dict[str, Any]]:
    """Address -> the planned values of the resources of a type."""
    return {
        resource["address"]: resource["change"]["after"]
        for resource in resources
        if resource["type"] == kind
    }


@pytest.mark.parametrize("name", PLANS)
def test_no_policy_allows_too_much(name: str, plan: Callable[[str], list[Resource]]) -> None:
    assert violations(plan(name)) == []


def test_every_kind_of_policy_is_found(plan: Callable[[str], list[Resource]]) -> None:
    policies = find_policies(plan("everything"))
    assert {policy.kind for policy in policies} >= KINDS
    # A role has two: who may become it, and what it may do.
    roles = of_type(plan("everything"), "aws_iam_role")
    assert len(roles) == 9
    assert sum(policy.kind.startswith("aws_iam_role") for policy in policies) == 2 * len(roles)


def test_no_exception_outlives_its_statement(plan: Callable[[str], list[Resource]]) -> None:
    statements = named_statements(plan("everything"))
    assert {*WILD_ACTIONS, *EVERYONE, *UNBOUND_SERVICES} - statements == set()
    assert NO_NARROWER_RESOURCE - {sid for _, sid in statements} == set()
    assert set(UNBOUND_ROLES) - {name for name, _ in statements} == set()
    assert {sid for sid in NO_NARROWER_RESOURCE if not sid.endswith("NoNarrowerResource")} == set()


def test_every_role_has_the_boundary_and_nothing_but_its_own_policy(
    plan: Callable[[str], list[Resource]],
) -> None:
    boundaries = {
        address: role["permissions_boundary"]
        for address, role in of_type(plan("everything"), "aws_iam_role").items()
    }
    assert set(boundaries.values()) == {f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
    kinds = {resource["type"] for resource in plan("everything")}
    assert not kinds & {
        "aws_iam_policy",
        "aws_iam_role_policy_attachment",
        "aws_iam_policy_attachment",
        "aws_iam_user",
        "aws_iam_access_key",
    }


def test_producer_puts_ticks_and_nothing_else(plan: Callable[[str], list[Resource]]) -> None:
    policy = of_type(plan("everything"), "aws_iam_role_policy")[
        "module.producer_role.aws_iam_role_policy.this"
    ]["policy"]
    actions = [action for entry in json.loads(policy)["Statement"] for action in entry["Action"]]
    assert sorted(actions) == [
        "kinesis:DescribeStreamSummary",
        "kinesis:ListShards",
        "kinesis:PutRecord",
        "kinesis:PutRecords",
        "kms:GenerateDataKey",
    ]


def test_dagster_may_look_after_the_parquet_tables(plan: Callable[[str], list[Resource]]) -> None:
    """Nobody else does; the Iceberg tables are Glue's optimizers' here."""
    policy = of_type(plan("everything"), "aws_iam_role_policy")[
        "module.dagster_role.aws_iam_role_policy.this"
    ]["policy"]
    statements = {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}
    for sid in ("WriteObjects", "DeleteObjects"):
        resources = statements[sid]["Resource"]
        assert any(arn.endswith("/warehouse/parquet_projection/raw/*") for arn in resources)
        assert not any("/warehouse/iceberg/" in arn for arn in resources)


def test_dagster_may_redrive(plan: Callable[[str], list[Resource]]) -> None:
    """It reads what failed, puts it, looks into the stream for what was put, and remembers it where nothing expires."""
    policy = of_type(plan("everything"), "aws_iam_role_policy")[
        "module.dagster_role.aws_iam_role_policy.this"
    ]["policy"]
    statements = {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}
    for sid, action in (
        ("PutTicks", "kinesis:PutRecords"),
        ("ReadStream", "kinesis:GetRecords"),
        ("ReadStream", "kinesis:GetShardIterator"),
        ("DecryptTicks", "kms:Decrypt"),
    ):
        assert action in statements[sid]["Action"]
    for sid in ("ReadObjects", "WriteObjects", "DeleteObjects"):
        assert any(arn.endswith("/checkpoints/*") for arn in statements[sid]["Resource"])
    assert any(
        arn.endswith("/warehouse/iceberg/*") for arn in statements["ReadObjects"]["Resource"]
    )
    [lifecycle] = of_type(plan("everything"), "aws_s3_bucket_lifecycle_configuration").values()
    expired = [
        rule["filter"][0]["prefix"]
        for rule in lifecycle["rule"]
        if any(item.get("days") for item in rule["expiration"])
    ]
    assert expired
    assert not [prefix for prefix in expired if prefix.startswith("checkpoints")]


@pytest.mark.parametrize("name", PLANS)
def test_jobs_recompute_whole_hours_and_end(
    name: str, plan: Callable[[str], list[Resource]]
) -> None:
    """What modules/glue-job promises holds for the jobs as they are wired."""
    jobs = of_type(plan(name), "aws_glue_job")
    assert sorted(jobs) == [
        f"module.{job}.aws_glue_job.this"
        for job in ("anomalies_job", "anomaly_stream_job", "ohlc_job")
    ]
    for job in jobs.values():
        arguments = job["default_arguments"]
        assert arguments["--job-bookmark-option"] == "job-bookmark-disable"
        assert arguments["--datalake-formats"] == "iceberg"
        assert arguments["--python-modules-installer-option"] == "--no-deps"
        wheel, *_ = arguments["--additional-python-modules"].split(",")
        assert wheel.startswith(f"s3://tick-pipeline-{ACCOUNT}-us-east-1/artifacts/")
        assert wheel.endswith("-py3-none-any.whl")
        confs = dict(conf.split("=", 1) for conf in arguments["--conf"].split(" --conf "))
        assert confs["spark.sql.session.timeZone"] == "UTC"
        assert confs["spark.sql.catalog.lake.warehouse"] == arguments["--WAREHOUSE"]
        assert "IcebergSparkSessionExtensions" in confs["spark.sql.extensions"]
        assert arguments["--STORAGE_MODE"] == "iceberg,parquet_projection"
        assert arguments["--DATABASE"] == "tick_pipeline_iceberg"


def test_streaming_job_is_bounded_and_never_flexible(
    plan: Callable[[str], list[Resource]],
) -> None:
    streams = {
        name: of_type(plan(name), "aws_glue_job")["module.anomaly_stream_job.aws_glue_job.this"]
        for name in PLANS
    }
    assert {name: job["execution_class"] for name, job in streams.items()} == dict.fromkeys(
        PLANS, "STANDARD"
    )
    # Half an hour after the job would end by itself, and never the seven days that Glue does not take.
    assert {name: job["timeout"] for name, job in streams.items()} == {
        "demo": 90,
        "production": 10050,
        "everything": 270,
    }
    production = streams["production"]["default_arguments"]
    assert (production["--MAX_SECONDS"], production["--IDLE_SECONDS"]) == ("601200", "0")
    assert {job["command"][0]["name"] for job in streams.values()} == {"gluestreaming"}


def statement(**values: Any) -> dict[str, Any]:
    """A statement that nobody would refuse, but for the values given; None takes a part away."""
    usual = {
        "Sid": "ReadStream",
        "Effect": "Allow",
        "Action": ["kinesis:GetRecords"],
        "Resource": [f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/ticks"],
    }
    return {name: value for name, value in {**usual, **values}.items() if value is not None}


def resource(kind: str, attribute: str, *statements: dict[str, Any]) -> Resource:
    """A planned resource with one policy."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return {"address": f"{kind}.x", "type": kind, "change": {"after": {attribute: text}}}


def trust(**values: Any) -> dict[str, Any]:
    """A statement by which Glue may become a role."""
    return statement(
        Action="sts:AssumeRole",
        Resource=None,
        Principal={"Service": "glue.amazonaws.com"},
        Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ) | {name: value for name, value in values.items() if value is not None}


SOUND = {
    "role": resource("aws_iam_role_policy", "policy", statement()),
    "trust": resource("aws_iam_role", "assume_role_policy", trust()),
    "key": resource("aws_kms_key", "policy", statement(Action=["kms:Decrypt"], Resource="*")),
    "deny": resource("aws_iam_role_policy", "policy", statement(Effect="Deny", Action="*", Resource="*")),
}  # fmt: skip
REFUSED = {
    "all actions": (
        resource("aws_iam_role_policy", "policy", statement(Action="*")),
        "ReadStream allows *: name the actions",
    ),
    "all of a service": (
        resource("aws_iam_role_policy", "policy", statement(Action=["s3:GetObject", "s3:*"])),
        "ReadStream allows s3:*: name the actions",
    ),
    "all but some actions": (
        resource("aws_iam_role_policy", "policy", statement(Action=None, NotAction="iam:*")),
        "ReadStream allows by NotAction: name what is allowed",
    ),
    "all resources": (
        resource("aws_iam_role_policy", "policy", statement(Resource="*")),
        "ReadStream allows it on *: name the resources",
    ),
    "a Sid that only looks like an exception": (
        resource("aws_iam_role_policy", "policy", statement(Sid="PassRoleNoNarrowerResource", Resource="*")),
        "PassRoleNoNarrowerResource allows it on *: name the resources",
    ),
    "all buckets": (
        resource("aws_iam_role_policy", "policy", statement(Resource=["arn:aws:s3:::*"])),
        "ReadStream allows it on arn:aws:s3:::*: name the resources",
    ),
    "a service for whomever": (
        resource("aws_iam_role", "assume_role_policy", trust(Condition={})),
        "ReadStream trusts glue.amazonaws.com whoever it acts for: bind it by aws:SourceAccount or aws:SourceArn",
    ),
    "a service for another account": (
        resource("aws_iam_role", "assume_role_policy",
                 trust(Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}})),
        "ReadStream trusts glue.amazonaws.com whoever it acts for: bind it by aws:SourceAccount or aws:SourceArn",
    ),
    "a service for all others": (
        resource("aws_iam_role", "assume_role_policy",
                 trust(Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})),
        "ReadStream trusts glue.amazonaws.com whoever it acts for: bind it by aws:SourceAccount or aws:SourceArn",
    ),
    "everyone": (
        resource("aws_vpc_endpoint", "policy", statement(Principal="*")),
        "ReadStream lets everyone in: bind it to this account by a condition",
    ),
    "every account": (
        resource("aws_iam_role", "assume_role_policy", trust(Principal={"AWS": ["*"]}, Condition={})),
        "ReadStream lets everyone in: bind it to this account by a condition",
    ),
    "a bucket without TLS": (
        resource("aws_s3_bucket_policy", "policy", statement(Principal={"AWS": ACCOUNT})),
        "nothing refuses who does not come by TLS",
    ),
    "no Sid": (
        resource("aws_iam_role_policy", "policy", statement(Sid=None)),
        "each statement needs a Sid of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_sound_policies_pass(name: str) -> None:
    assert violations([SOUND[name]]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_allows_too_much_is_named(name: str) -> None:
    planned, message = REFUSED[name]
    planned["change"]["after"]["bucket"] = "x"
    found = violations([planned])
    assert [text.split(": ", 1)[1] for text in found] == [message]


def test_a_policy_that_is_unknown_or_hidden_does_not_escape() -> None:
    unknown: Resource = {
        "address": "aws_sqs_queue.x",
        "type": "aws_sqs_queue",
        "change": {"after": {"name": "x"}, "after_unknown": {"policy": True}},
    }
    hidden = resource("aws_new_thing", "document", statement(Action="*"))
    nested: Resource = {
        "address": "aws_other.x",
        "type": "aws_other",
        "change": {"after": {"access": [{"inline_policy": "not JSON"}]}},
    }
    assert violations([unknown, hidden, nested]) == [
        "aws_sqs_queue.x.policy is unknown before the apply: build its ARNs from names",
        "aws_new_thing.x.document: ReadStream allows *: name the actions",
        "aws_other.x.inline_policy is no policy: Expecting value: line 1 column 1 (char 0)",
    ]


def test_a_bucket_open_to_the_public_is_named() -> None:
    bucket: Resource = {
        "address": "aws_s3_bucket.x",
        "type": "aws_s3_bucket",
        "change": {"after": {"bucket": "x"}},
    }
    assert violations([bucket]) == [
        "aws_s3_bucket.x: public access is not blocked in all four ways",
        "aws_s3_bucket.x: it has no policy",
    ]
