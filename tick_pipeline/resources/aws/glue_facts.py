"""What people want to know of a run of a Glue job: its size, its cost, and where to look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tick_pipeline.costs.glue import DPUS, LEAST_BILLED_SECONDS
from tick_pipeline.costs.prices import DEFAULT_REGION, nearest_prices

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Its prices, by execution class.
_PRICES = {"STANDARD": "dpu", "FLEX": "dpu_flex"}
_SECONDS_AN_HOUR = 3600
_LOG_GROUPS = "/aws-glue/jobs"
#: The names of facts, on AWS and locally.
RUN, PAGE, LOG, COST = "Spark run", "Spark run's page", "Spark log", "cost estimate (US dollars)"


def run_facts(
    job: Mapping[str, Any], run: Mapping[str, Any], region: str
) -> dict[str, str | float]:
    """What a run was and cost, by the names that people read.

    Args:
        job: Glue's Job.
        run: Glue's JobRun, ended or not.
        region: of AWS.
    """
    return {
        RUN: run["Id"],
        PAGE: run_page(region, run),
        LOG: log_page(region, f"{log_groups(job)}/output", run["Id"]),
        "worker type": run.get("WorkerType", ""),
        "workers": run.get("NumberOfWorkers", 0),
        "execution class": run.get("ExecutionClass", "STANDARD"),
        "DPU-seconds": round(dpu_seconds(run), 1),
        COST: round(cost_usd(run, region), 4),
    }


def dpu_seconds(run: Mapping[str, Any]) -> float:
    """DPUs of a run times the seconds that it had them.

    Glue counts them where workers come and go (auto-scaling, FLEX); else all workers stay to the end.
    """
    if (counted := run.get("DPUSeconds")) is not None:
        return float(counted)
    workers = run.get("NumberOfWorkers", 0) * DPUS.get(run.get("WorkerType", ""), 1)
    return float(workers * run.get("ExecutionTime", 0))


def cost_usd(run: Mapping[str, Any], region: str = DEFAULT_REGION) -> float:
    """An estimate of what a run costs, in US dollars, without S3 and logs.

    Args:
        run: Glue's JobRun.
        region: of AWS; where its prices are not known, those of us-east-1 are taken.
    """
    seconds = run.get("ExecutionTime", 0)
    if not seconds:
        # It never had its workers.
        return 0.0
    billed = dpu_seconds(run) * max(seconds, LEAST_BILLED_SECONDS) / seconds
    price = nearest_prices(region).of("glue", _PRICES[run.get("ExecutionClass", "STANDARD")])
    return billed / _SECONDS_AN_HOUR * float(price.usd)


def log_groups(job: Mapping[str, Any]) -> str:
    """What stands before `/output` and `/error` in the names of a job's log groups.

    Source: https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
    """
    return str(job.get("DefaultArguments", {}).get("--custom-logGroup-prefix", _LOG_GROUPS))


def run_page(region: str, run: Mapping[str, Any]) -> str:
    """Where Glue's console shows a run."""
    place = f"#/job/{quote(run['JobName'], safe='')}/run/{run['Id']}"
    return f"{_console(region)}/gluestudio/home?region={region}{place}"


def log_page(region: str, group: str, stream: str) -> str:
    """Where CloudWatch's console shows a log stream; it wants its names escaped twice, with `$` for `%`."""
    named = quote(quote(group, safe=""), safe="").replace("%", "$")
    place = f"#logsV2:log-groups/log-group/{named}/log-events/{stream}"
    return f"{_console(region)}/cloudwatch/home?region={region}{place}"


def _console(region: str) -> str:
    if region.startswith("cn-"):
        return f"https://{region}.console.amazonaws.cn"
    if region.startswith("us-gov-"):
        return f"https://{region}.console.amazonaws-us-gov.com"
    return f"https://{region}.console.aws.amazon.com"
