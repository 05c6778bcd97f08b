"""The files of prices: one for each region, each row with its unit, rounding, source, and whether it is verified."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tick_pipeline.costs.prices import (
    COLUMNS,
    age_warning,
    load_prices,
    nearest_prices,
    parse_prices,
    regions,
)
from tick_pipeline.errors import InputError

ROOT = Path(__file__).parents[2]
HEADER = ",".join(COLUMNS)
ROW = "kinesis,shard_hour,shard-hour,0.015,by the hour,https://aws.amazon.com/kinesis/,y,2026-11-21"


def test_each_region_has_every_price() -> None:
    assert {"us-east-1", "eu-west-1"} <= set(regions())
    items = set(load_prices("us-east-1").rows)
    for region in regions():
        prices = load_prices(region)
        assert set(prices.rows) == items
        for price in prices.rows.values():
            assert price.usd > 0
            assert price.unit
            assert re.fullmatch(r"https://aws\.amazon\.com/.+/pricing/", price.source)


def test_a_region_without_prices_is_told_with_those_that_have() -> None:
    with pytest.raises(InputError, match=r"'mars-1'; there are those of eu-west-1, us-east-1"):
        load_prices("mars-1")
    assert nearest_prices("mars-1").region == "us-east-1"
    assert nearest_prices("eu-west-1").region == "eu-west-1"


def test_a_price_that_is_missing_is_told_with_its_file() -> None:
    with pytest.raises(InputError, match=r"kinesis,teleport; add it to .*us-east-1\.csv"):
        load_prices("us-east-1").of("kinesis", "teleport")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must have the columns"),
        ("service,item\nkinesis,shard_hour", "must have the columns"),
        (f"{HEADER}\n{ROW.replace('0.015', 'cheap')}", "line 2"),
        (f"{HEADER}\n{ROW.replace('0.015', '-1')}", "line 2"),
        (f"{HEADER}\n{ROW.replace('0.015', 'NaN')}", "line 2"),
        (f"{HEADER}\n{ROW.replace(',y,', ',perhaps,')}", "line 2"),
        (f"{HEADER}\n{ROW.replace('2026-11-21', 'yesterday')}", "line 2"),
        (f"{HEADER}\nkinesis,shard_hour", "line 2"),
        (f"{HEADER}\n{ROW}\n{ROW}", "line 3 .* again"),
    ],
)
def test_a_wrong_file_names_its_line(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse_prices("us-east-1", text)


def test_prices_older_than_a_year_are_a_warning() -> None:
    """The oldest row counts."""
    prices = parse_prices(
        "us-east-1",
        f"{HEADER}\n{ROW}\n{ROW.replace('shard_hour', 'put', 1).replace('2026', '2025')}",
    )
    assert prices.as_of == date(2025, 11, 21)
    assert age_warning(prices, prices.as_of + timedelta(days=365)) is None
    warning = age_warning(prices, prices.as_of + timedelta(days=366))
    assert warning is not None
    assert "2025-11-21, 366 days old" in warning
    assert "prices/us-east-1.csv" in warning


@pytest.mark.parametrize(
    ("file", "sentence", "items"),
    [
        (
            "README.md",
            "${} a shard and hour, ${} a million records",
            ["kinesis,shard_hour", "kinesis,put_units"],
        ),
        ("README.md", "${} a GB, no rounding", ["firehose,iceberg"]),
        (
            "README.md",
            "${} a GB in, ${} conversion, ${} partitioning; ${} for 1,000 objects; ${} an hour of JQ",
            [
                "firehose,ingestion",
                "firehose,conversion",
                "firehose,partitioning",
                "firehose,objects",
                "firehose,jq",
            ],
        ),
        ("README.md", "${} a DPU hour, one minute at least", ["glue,dpu"]),
        ("README.md", "FLEX is ${} a DPU hour", ["glue,dpu_flex"]),
        ("README.md", "${} a TB, 10 MB at least", ["athena,scan"]),
        (
            "README.md",
            "${} a GB and month, ${} for 1,000 puts, ${} for 1,000 gets",
            ["s3,storage", "s3,put", "s3,get"],
        ),
        (
            "README.md",
            "${} a GB of logs, ${} a metric and month; an alarm ${}",
            ["cloudwatch,log_ingestion", "cloudwatch,metric", "cloudwatch,alarm"],
        ),
        ("README.md", "${} for 10,000 requests", ["kms,requests"]),
        (
            "README.md",
            "${} an hour, ${} a GB in (each tick counts as 1 KB), ${} a GB out",
            ["kinesis,on_demand_stream", "kinesis,on_demand_write", "kinesis,on_demand_read"],
        ),
        ("variables.tf", "an hour of stream (${})", ["kinesis,on_demand_stream"]),
        ("variables.tf", "(${} a shard and hour,", ["kinesis,fan_out_consumer"]),
        ("variables.tf", "4 vCPU and 16 GB (${} an hour)", ["glue,dpu"]),
        (
            "variables.tf",
            "CloudWatch keeps logs of Firehose and Glue (${} a GB and month)",
            ["cloudwatch,log_storage"],
        ),
        ("variables.tf", "alarms are made (${} each a month)", ["cloudwatch,alarm"]),
        ("variables.tf", "customer managed key (${} a month", ["kms,key"]),
    ],
)
def test_prices_that_terraforms_folder_tells_are_those_of_the_file(
    file: str, sentence: str, items: list[str]
) -> None:
    prices = load_prices("us-east-1")
    told = (ROOT / "terraform" / file).read_text(encoding="utf-8")
    pattern = re.escape(sentence).replace(re.escape("{}"), r"([0-9]+(?:\.[0-9]+)?)")
    found = re.search(pattern, told)
    assert found is not None, sentence
    assert [Decimal(text) for text in found.groups()] == [
        prices.of(*item.split(",")).usd for item in items
    ]
