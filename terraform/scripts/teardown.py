"""What a destroy left behind of a project in one region, what of it costs, and how to remove it.

    terraform/scripts/teardown --project tick-pipeline --region us-east-1 [--delete [--yes]]

Looks for everything that carries the tag `project`, by the Resource Groups Tagging API, and by name for what services make
themselves, without tags. Only reads, unless --delete is given: that removes what holds no data, after you have typed the
project's name. A bucket that holds anything, a table or a key is never removed.

Exit codes: 0 nothing that is left costs; 1 something does; 2 bad usage, no credentials or region, or a service that could
not be asked.
"""

# boto3 has no types of its own.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: What makes names in AWS, as the variable `project` of variables.tf has it.
_PROJECT = re.compile(r"[a-z][a-z0-9-]{1,22}[a-z0-9]")
_ABSENT = ("404", "EntityNotFoundException", "NoSuchBucket", "ResourceNotFoundException")
#: Log groups that Glue makes by itself, for every job and table of the account.
_SHARED_LOG_GROUPS = (
    "/aws-glue/jobs/output",
    "/aws-glue/jobs/error",
    "/aws-glue/jobs/logs-v2",
    "/aws-glue/iceberg-",
)
#: Services, as ARNs name them, that bill what only exists.
_BILLED_IDLE = ("kinesis", "s3", "kms", "ec2", "cloudwatch")


class TeardownError(Exception):
    """It cannot look, or must not delete; the message is one line."""


@dataclass(frozen=True)
class Leftover:
    """One thing that is still there.

    Attributes:
        kind: what it is, as `log group`.
        name: which one, as its own service names it.
        arn: its ARN, by which the same thing is known if it is found twice.
        costs: whether it is billed.
        how: how to remove it, a command or a few words.
        remove: removes it; None where that is not for a script.
    """

    kind: str
    name: str
    arn: str
    costs: bool
    how: str
    remove: Callable[[], object] | None = None


@dataclass(frozen=True)
class Place:
    """The project, and where it is looked for."""

    project: str
    region: str
    account: str
    partition: str

    def client(self, service: str) -> Any:
        """A client of one service in the region."""
        return _boto3().client(service, region_name=self.region)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def log_groups(place: Place) -> Iterator[Leftover]:
    """The project's own, and those that Glue shares between all of an account's jobs."""
    client = place.client("logs")
    own = (f"/aws-glue/jobs/{place.project}-", f"/aws/kinesisfirehose/{place.project}-")
    for prefix in (*own, *_SHARED_LOG_GROUPS):
        pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        for group in (group for page in pages for group in page["logGroups"]):
            name: str = group["logGroupName"]
            holds = group.get("storedBytes", 0) > 0
            arn = group["arn"].removesuffix(":*")
            if prefix in own:
                how = f"aws logs delete-log-group --log-group-name {name}"
                remove = partial(client.delete_log_group, logGroupName=name)
                yield Leftover("log group", name, arn, holds, how, remove)
            else:
                how = "shared by all Glue jobs of the account: give it a retention"
                yield Leftover("shared log group", name, arn, costs=False, how=how)


def databases(place: Place) -> Iterator[Leftover]:
    """Databases of the Data Catalog; removed by us only where no table is in them."""
    client = place.client("glue")
    prefix = f"{place.project.replace('-', '_')}_"
    pages = client.get_paginator("get_databases").paginate()
    names = (database["Name"] for page in pages for database in page["DatabaseList"])
    for name in (name for name in names if name.startswith(prefix)):
        tables = client.get_tables(DatabaseName=name)["TableList"]
        arn = place.arn("glue", f"database/{name}")
        if tables:
            how = f"look at its tables ({tables[0]['Name']}, ...), then: aws glue delete-database --name {name}"
            yield Leftover("database with tables", name, arn, costs=False, how=how)
        else:
            how = f"aws glue delete-database --name {name}"
            yield Leftover(
                "database", name, arn, False, how, partial(client.delete_database, Name=name)
            )


def buckets(place: Place) -> Iterator[Leftover]:
    """The bucket that the configuration makes; removed by us only where it is empty."""
    client = place.client("s3")
    name = f"{place.project}-{place.account}-{place.region}"
    try:
        client.head_bucket(Bucket=name)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return
        raise
    found = client.list_object_versions(Bucket=name, MaxKeys=1)
    arn = f"arn:{place.partition}:s3:::{name}"
    if found.get("Versions") or found.get("DeleteMarkers"):
        how = (
            "holds objects, or former versions of them: empty it in the S3 console, then remove it"
        )
        yield Leftover("bucket with objects", name, arn, costs=True, how=how)
    else:
        how = f"aws s3 rb s3://{name}"
        yield Leftover("bucket", name, arn, False, how, partial(client.delete_bucket, Bucket=name))


def keys(place: Place) -> Iterator[Leftover]:
    """The customer managed key: AWS deletes it 30 days after the destroy, and bills it no more until then."""
    client = place.client("kms")
    for page in client.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            try:
                about = client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
            except ClientError as error:
                # A key policy may hide a key of others from us.
                if _code(error) == "AccessDeniedException":
                    continue
                raise
            if not about.get("Description", "").startswith(f"Data of {place.project}:"):
                continue
            if about["KeyState"] == "PendingDeletion":
                day = about["DeletionDate"].date()
                how = f"nothing to do: deleted on {day}; until then: aws kms cancel-key-deletion"
                yield Leftover("key to be deleted", key["KeyId"], about["Arn"], False, how)
            else:
                how = f"aws kms schedule-key-deletion --key-id {key['KeyId']}"
                yield Leftover("key", key["KeyId"], about["Arn"], costs=True, how=how)


def workgroups(place: Place) -> Iterator[Leftover]:
    """Workgroups of Athena, with their history and saved queries."""
    client = place.client("athena")
    following: dict[str, str] = {}
    while True:
        page = client.list_work_groups(**following)
        for group in page["WorkGroups"]:
            name: str = group["Name"]
            if name.startswith(f"{place.project}-"):
                how = f"aws athena delete-work-group --recursive-delete-option --work-group {name}"
                remove = partial(
                    client.delete_work_group, WorkGroup=name, RecursiveDeleteOption=True
                )
                arn = place.arn("athena", f"workgroup/{name}")
                yield Leftover("workgroup", name, arn, False, how, remove)
        if not page.get("NextToken"):
            return
        following = {"NextToken": page["NextToken"]}


def alarms_and_dashboards(place: Place) -> Iterator[Leftover]:
    """Alarms are billed each; dashboards beyond the account's three."""
    client = place.client("cloudwatch")
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{place.project}-")
    for alarm in (alarm for page in pages for alarm in page["MetricAlarms"]):
        name: str = alarm["AlarmName"]
        how = f"aws cloudwatch delete-alarms --alarm-names {name}"
        remove = partial(client.delete_alarms, AlarmNames=[name])
        yield Leftover("alarm", name, alarm["AlarmArn"], True, how, remove)
    pages = client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=place.project)
    for dashboard in (dashboard for page in pages for dashboard in page["DashboardEntries"]):
        name = dashboard["DashboardName"]
        if name == place.project:
            how = f"aws cloudwatch delete-dashboards --dashboard-names {name} (three are free)"
            remove = partial(client.delete_dashboards, DashboardNames=[name])
            yield Leftover("dashboard", name, dashboard["DashboardArn"], True, how, remove)


def tagged(place: Place) -> Iterator[Leftover]:
    """Everything else that carries the tag: a destroy that did not end, or that was not run."""
    client = place.client("resourcegroupstaggingapi")
    wanted = [{"Key": "project", "Values": [place.project]}]
    pages = client.get_paginator("get_resources").paginate(TagFilters=wanted)
    for found in (found for page in pages for found in page["ResourceTagMappingList"]):
        arn: str = found["ResourceARN"]
        service, resource = arn.split(":")[2], arn.split(":", 5)[5]
        costs = service in _BILLED_IDLE
        how = "run the destroy again; else remove it in its service's console"
        yield Leftover(f"tagged, {service}", resource, arn, costs, how)


#: What is looked for, in this order: who finds a thing first tells how to remove it.
FINDERS: dict[str, Callable[[Place], Iterator[Leftover]]] = {
    "log groups": log_groups,
    "databases": databases,
    "buckets": buckets,
    "keys": keys,
    "workgroups": workgroups,
    "alarms and dashboards": alarms_and_dashboards,
    "tags": tagged,
}


def find(place: Place) -> tuple[list[Leftover], list[str]]:
    """Everything that is left, each once, and a line for each look that failed."""
    found: dict[str, Leftover] = {}
    failures: list[str] = []
    for name, finder in FINDERS.items():
        leftovers, failure = _asked(finder, place)
        for leftover in leftovers:
            found.setdefault(leftover.arn, leftover)
        failures += [f"could not look for {name}: {failure}"] if failure else []
    return list(found.values()), failures


def _asked(
    finder: Callable[[Place], Iterator[Leftover]], place: Place
) -> tuple[list[Leftover], str]:
    """What one look finds, and why it failed, if it did: the others go on."""
    try:
        return list(finder(place)), ""
    except (BotoCoreError, ClientError) as error:
        return [], _one_line(error)


def still_stands(place: Place) -> str | None:
    """The stream, if it is there: then the destroy has not been run."""
    name = f"{place.project}-ticks"
    try:
        place.client("kinesis").describe_stream_summary(StreamName=name)
    except ClientError as error:
        if _code(error) in _ABSENT:
            return None
        raise
    return name


def table(leftovers: Sequence[Leftover]) -> str:
    """The leftovers for a reader, those that cost first."""
    rows = [("what", "costs", "where", "how to remove it")]
    rows += [
        (leftover.kind, "yes" if leftover.costs else "no", leftover.name, leftover.how)
        for leftover in sorted(leftovers, key=lambda each: (not each.costs, each.kind, each.name))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


def delete(place: Place, leftovers: Sequence[Leftover], *, confirmed: bool) -> list[Leftover]:
    """Remove what is safe to remove.

    Args:
        place: where, and the name that is asked for.
        leftovers: what was found.
        confirmed: whether not to ask.

    Returns:
        What is left after it.

    Raises:
        TeardownError: the stream still stands, or the name was not typed.
    """
    stream = still_stands(place)
    if stream:
        raise TeardownError(
            f"the stream {stream} is still there: destroy first (make tf-destroy), nothing was deleted"
        )
    safe = [leftover for leftover in leftovers if leftover.remove]
    if not safe:
        return list(leftovers)
    if not confirmed:
        sys.stdout.write(
            f"Type {place.project} to delete the {len(safe)} of these that hold no data: "
        )
        sys.stdout.flush()
        if sys.stdin.readline().strip() != place.project:
            raise TeardownError("not confirmed, nothing was deleted")
    for leftover in safe:
        if leftover.remove:
            leftover.remove()
        sys.stdout.write(f"deleted: {leftover.kind} {leftover.name}\n")
    return [leftover for leftover in leftovers if not leftover.remove]


def place_of(project: str, region: str | None) -> Place:
    """The account that the credentials are of.

    Raises:
        TeardownError: no legal name, no region, or no credentials that AWS takes.
    """
    if not _PROJECT.fullmatch(project):
        raise TeardownError(f'"{project}" is no name of a project: 3 to 24 of a-z, 0-9 and -')
    region = region or _boto3().session.Session().region_name
    if not region:
        raise TeardownError("no region: give --region, or set AWS_REGION")
    try:
        identity = _boto3().client("sts", region_name=region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise TeardownError(f"no credentials that AWS takes: {_one_line(error)}") from error
    partition = identity["Arn"].split(":")[1]
    return Place(project, region, identity["Account"], partition)


def run(arguments: argparse.Namespace) -> int:
    """Look, tell, delete if wanted; the exit code."""
    place = place_of(arguments.project, arguments.region)
    leftovers, failures = find(place)
    where = f"{place.project} in account {place.account}, {place.region}"
    if leftovers:
        sys.stdout.write(f"Left of {where}:\n{table(leftovers)}")
        if any(leftover.kind.startswith("tagged") for leftover in leftovers):
            sys.stdout.write("AWS may list tags for some hours after a thing is gone.\n")
    elif not failures:
        sys.stdout.write(f"Nothing is left of {where}.\n")
    for failure in failures:
        sys.stderr.write(f"teardown: {failure}\n")
    if arguments.delete and leftovers:
        leftovers = delete(place, leftovers, confirmed=arguments.yes)
    if any(leftover.costs for leftover in leftovers):
        return 1
    return 2 if failures else 0


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="teardown",
        description="What a destroy left behind, what of it costs, and how to remove it.",
        epilog="Exit codes: 0 nothing that is left costs, 1 something does, 2 it could not look.",
    )
    parser.add_argument("--project", default="tick-pipeline", help="as given to Terraform")
    parser.add_argument("--region", help="that was built in (default: AWS_REGION or the profile's)")
    parser.add_argument("--delete", action="store_true", help="remove what holds no data")
    parser.add_argument("--yes", action="store_true", help="with --delete: do not ask")
    try:
        sys.exit(run(parser.parse_args()))
    except TeardownError as error:
        sys.stderr.write(f"teardown: {error}\n")
        sys.exit(2)
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"teardown: {_one_line(error)}\n")
        sys.exit(2)


def _boto3() -> Any:
    """boto3 makes its clients at run time: no type of them can be told."""
    return boto3


def _code(error: ClientError) -> str:
    response: Any = error.response
    return str(response.get("Error", {}).get("Code", ""))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    main()
