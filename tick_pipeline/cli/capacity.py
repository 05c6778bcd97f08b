"""`capacity`: shards, buffers and workers that a load needs on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.load_options import (
    Fields,
    RecordBytes,
    RecordsPerSecond,
    Region,
    described_load,
    region_of,
)
from tick_pipeline.cli.options import AsJson
from tick_pipeline.cli.output import human_bytes, say, show, show_json, show_table
from tick_pipeline.errors import InputError

if TYPE_CHECKING:
    from decimal import Decimal

    from tick_pipeline.costs.capacity import Capacity
    from tick_pipeline.costs.load import Load
    from tick_pipeline.costs.shards import Shards


def capacity(
    records_per_second: RecordsPerSecond = None,
    record_bytes: RecordBytes = None,
    readers: Annotated[
        int | None,
        typer.Option(
            help="Readers that share the shards: each Firehose and the streaming job, 3, if not given."
        ),
    ] = None,
    headroom: Annotated[float, typer.Option(help="Above the load, as a fraction of it.")] = 0,
    symbols: Annotated[
        str | None, typer.Option(help="Shares of the busiest symbols, as AAPL=0.3,MSFT=0.1.")
    ] = None,
    active_partitions: Annotated[
        int, typer.Option(help="Event hours that Firehose writes at a time; more in a replay.")
    ] = 1,
    fields: Fields = None,
    region: Region = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a load needs on AWS; without a load, what the run of HOME would need."""
    from decimal import Decimal

    from tick_pipeline.costs.capacity import plan_capacity

    given: dict[str, Any] = {
        "hours": Decimal(1),
        "headroom": Decimal(str(headroom)),
        "active_partitions": active_partitions,
    }
    if readers is not None:
        given["readers"] = readers
    described, settings = described_load(
        "capacity", records_per_second, record_bytes, given, fields
    )
    measured = described.measured
    shares = _parse_shares(symbols or "")
    if symbols is None and measured is not None:
        shares = dict(measured.symbol_shares)
    place = region_of(region, settings)
    needed = plan_capacity(described.load, place, shares)
    for warning in needed.warnings:
        say(f"warning: {warning}")
    if as_json:
        show_json({"region": place, "load": described.load, **vars(needed)})
    else:
        _show(needed, described.load)


def _show(needed: Capacity, load: Load) -> None:
    _show_shards(needed.shards, load)
    show_table(
        ("Firehose", "an object every", "of", "objects a day", "worst freshness"),
        [
            (
                delivery.name,
                f"{delivery.seconds_per_object:,.6g} s",
                human_bytes(delivery.object_bytes),
                delivery.objects_per_day,
                f"{delivery.worst_freshness_seconds:,.6g} s",
            )
            for delivery in needed.deliveries
        ],
    )
    show_table(
        ("Glue, an hour of one storage mode", "input", "workers", "would employ", "DPUs"),
        [
            (run.job, human_bytes(run.input_bytes), run.workers, run.wanted, run.dpus)
            for run in needed.workers
        ],
    )
    show_table(
        ("quota", "limit", "used", "share", "source"),
        [
            (use.quota.name, use.quota.limit, round(use.used), f"{use.share:.1%}", use.quota.source)
            for use in needed.quotas
        ],
    )


def _show_shards(shards: Shards, load: Load) -> None:
    why = " and ".join(shards.decided_by) or "there must be one"
    show(
        f"{float(load.peak):,.6g} records/s of {load.record_bytes:,} bytes, {load.polling_readers} readers: "
        f"{shards.needed:,} shard{'s' if shards.needed > 1 else ''} ({why})"
    )
    show_table(
        ("for", "shards"),
        [
            ("bytes written, 1 MB/s a shard", shards.by_bytes),
            ("records written, 1,000/s a shard", shards.by_records),
            ("reading, 2 MB/s a shard for all", shards.by_reading),
        ],
    )
    show(
        f"{shards.put_units_per_second:,.6g} PUT units of 25 KB a second; one symbol may be "
        f"{shards.largest_share:.1%} of the load, which is all that one shard carries"
    )


def _parse_shares(text: str) -> dict[str, Decimal]:
    from decimal import Decimal, InvalidOperation

    shares: dict[str, Decimal] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        symbol, _, share = pair.partition("=")
        try:
            shares[symbol.strip()] = Decimal(share)
        except InvalidOperation as error:
            raise InputError(f"--symbols: {pair!r} is no share, as AAPL=0.3") from error
    return shares
