"""Every JSON policy in a plan, and what is too much in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.terraform.provider import Terraform

#: The account that terraform/tests/mocks makes up.
ACCOUNT = "123456789012"

#: Attributes that AWS fills in where a resource of its own carries the policy, as both do here.
CARRIED_ELSEWHERE = {("aws_s3_bucket", "policy"), ("aws_sns_topic", "policy")}

#: What a rule lets pass: (type of resource, Sid) -> why.
WILD_ACTIONS = {
    (
        "aws_kms_key",
        "AccountDecidesByIam",
    ): "AWS itself asks for it, or nobody could manage the key",
    (
        "aws_vpc_endpoint",
        "ThisAccountOnlyNoNarrowerResource",
    ): "an endpoint grants nothing: it only narrows what callers may do anyway",
}
EVERYONE = {
    ("aws_vpc_endpoint", "ImageLayers"): "a bucket of ECR's that holds public layers alone",
}
UNBOUND_SERVICES = {
    ("aws_sns_topic_policy", "EventBridge"): "EventBridge sends SNS no key that could be tested",
}
#: Addresses of roles whose service sends no key that could be tested.
UNBOUND_ROLES = {
    "module.optimizer_role[0].aws_iam_role.this": "Glue names no key that table optimizers send",
}
#: Statements whose actions AWS lets nobody narrow to a resource. All of their Sids say so.
NO_NARROWER_RESOURCE = {
    "BrowseConsoleNoNarrowerResource",
    "DataByLakeFormationNoNarrowerResource",
    "PutMetricsNoNarrowerResource",
    "ReadMetricsNoNarrowerResource",
    "ThisAccountOnlyNoNarrowerResource",
}

#: Keys of a condition that bind a caller to this account, or a service to what it does for it.
_ACCOUNT_KEYS = {
    "aws:PrincipalAccount",
    "aws:SourceAccount",
    "aws:SourceArn",
    "kms:EncryptionContext:aws:logs:arn",
    "kms:EncryptionContext:aws:sns:topicArn",
    "sts:ExternalId",  # Firehose sends the account
}
#: Operators that bind: a StringNotEquals or a ForAllValues: would not.
_BINDING = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}

Resource = Mapping[str, Any]
Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Policy:
    """A policy: whose it is, in which attribute, and its text; None where the plan does not know it."""

    address: str
    kind: str
    attribute: str
    text: str | None

    @property
    def statements(self) -> list[Statement]:
        """Its statements.

        Raises:
            ValueError: the text is no policy.
        """
        document = json.loads(self.text or "")
        if not isinstance(document, dict) or "Statement" not in document:
            raise ValueError("it has no Statement")
        statements: Any = cast("dict[str, Any]", document)["Statement"]
        return [statements] if isinstance(statements, dict) else list(statements)


def plan_resources(terraform: Terraform, folder: Path, variables: str) -> list[Resource]:
    """The resources of a plan with a file of variables, all of AWS mocked, so it needs no account.

    Args:
        terraform: the one to run.
        folder: an initialised copy of the configuration.
        variables: a .tfvars file in it.
    """
    ended = terraform.run(
        folder, "test", "-test-directory=tests/policies", "-var=region=us-east-1",
        f"-var-file={variables}", "-verbose", "-json",
    )  # fmt: skip
    for line in ended.stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "test_plan":
            return message["test_plan"]["resource_changes"]
    raise AssertionError(f"no plan in what terraform test wrote:\n{ended.stdout}")


def find_policies(resources: list[Resource]) -> list[Policy]:
    """Whatever is called a policy, or looks like one, known or not."""
    found: list[Policy] = []
    for resource in resources:
        kind = resource["type"]
        known = _leaves(resource["change"]["after"])
        unknown = _leaves(resource["change"].get("after_unknown"))
        found += [
            Policy(resource["address"], kind, name, value)
            for name, value in known
            if isinstance(value, str) and (_is_named_policy(kind, name) or '"Statement"' in value)
        ]
        found += [
            Policy(resource["address"], kind, name, None)
            for name, value in unknown
            if value is True and _is_named_policy(kind, name)
        ]
    return found


def violations(resources: list[Resource]) -> list[str]:
    """What a reviewer would refuse in the policies of a plan, a line each."""
    found = _public_buckets(resources)
    for policy in find_policies(resources):
        where = f"{policy.address}.{policy.attribute}"
        if policy.text is None:
            found.append(f"{where} is unknown before the apply: build its ARNs from names")
            continue
        try:
            statements = policy.statements
        except ValueError as error:
            found.append(f"{where} is no policy: {error}")
            continue
        found += [f"{where}: {text}" for text in _of_policy(policy, statements)]
        for statement in statements:
            sid = statement.get("Sid", "a statement without Sid")
            found += [f"{where}: {sid} {text}" for text in _of_statement(policy, statement)]
    return found


def named_statements(resources: list[Resource]) -> set[tuple[str, str]]:
    """(type of resource or address, Sid) of every statement, to see which exceptions are in use."""
    return {
        (name, statement.get("Sid", ""))
        for policy in find_policies(resources)
        if policy.text is not None
        for statement in policy.statements
        for name in (policy.kind, policy.address)
    }


def _of_policy(policy: Policy, statements: list[Statement]) -> Iterator[str]:
    sids = [statement.get("Sid") for statement in statements]
    if None in sids or len(set(sids)) < len(sids):
        yield "each statement needs a Sid of its own"
    if policy.kind in ("aws_s3_bucket_policy", "aws_sns_topic_policy") and not any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in statements
    ):
        yield "nothing refuses who does not come by TLS"


def _of_statement(policy: Policy, statement: Statement) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    key = (policy.kind, statement.get("Sid", ""))
    for negation in ("NotAction", "NotResource", "NotPrincipal"):
        if negation in statement:
            yield f"allows by {negation}: name what is allowed"
    for action in _list(statement.get("Action")):
        if "*" in action and key not in WILD_ACTIONS:
            yield f"allows {action}: name the actions"
    # In the policy of a key "*" is this key.
    if policy.kind != "aws_kms_key" and key[1] not in NO_NARROWER_RESOURCE:
        for resource in _list(statement.get("Resource")):
            if resource == "*" or resource.split(":", 5)[-1] in ("*", "*/*"):
                yield f"allows it on {resource}: name the resources"
    yield from _of_principal(policy, statement, key)


def _of_principal(policy: Policy, statement: Statement, key: tuple[str, str]) -> Iterator[str]:
    principal = statement.get("Principal", {})
    if _is_bound(statement):
        return
    if (principal == "*" or "*" in _list(principal.get("AWS"))) and key not in EVERYONE:
        yield "lets everyone in: bind it to this account by a condition"
    services = [] if principal == "*" else _list(principal.get("Service"))
    if services and key not in UNBOUND_SERVICES and policy.address not in UNBOUND_ROLES:
        yield (
            f"trusts {', '.join(services)} whoever it acts for: "
            "bind it by aws:SourceAccount or aws:SourceArn"
        )


def _is_bound(statement: Statement) -> bool:
    """Whether a condition names this account."""
    return any(
        operator in _BINDING
        and key in _ACCOUNT_KEYS
        and all(ACCOUNT in value for value in _list(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _public_buckets(resources: list[Resource]) -> list[str]:
    planned = {kind: [r for r in resources if r["type"] == kind] for kind in (
        "aws_s3_bucket", "aws_s3_bucket_public_access_block", "aws_s3_bucket_policy", "aws_s3_bucket_acl",
    )}  # fmt: skip
    blocked = {
        block["change"]["after"]["bucket"]
        for block in planned["aws_s3_bucket_public_access_block"]
        if all(
            block["change"]["after"][name]
            for name in (
                "block_public_acls",
                "block_public_policy",
                "ignore_public_acls",
                "restrict_public_buckets",
            )
        )
    }
    guarded = {policy["change"]["after"]["bucket"] for policy in planned["aws_s3_bucket_policy"]}
    found = [
        f"{acl['address']}: access control lists are off" for acl in planned["aws_s3_bucket_acl"]
    ]
    for bucket in planned["aws_s3_bucket"]:
        name = bucket["change"]["after"]["bucket"]
        if name not in blocked:
            found.append(f"{bucket['address']}: public access is not blocked in all four ways")
        if name not in guarded:
            found.append(f"{bucket['address']}: it has no policy")
    return found


def _is_named_policy(kind: str, name: str) -> bool:
    return (name == "policy" or name.endswith("_policy")) and (kind, name) not in CARRIED_ELSEWHERE


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name of the innermost attribute, value) of all that is in a value."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _leaves(inner, name)
    else:
        yield name, value


def _list(value: Any) -> list[str]:
    """AWS takes one or many alike."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
