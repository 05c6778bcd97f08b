"""Options that describe a load for `capacity` and `cost`, and the load that they make with what HOME measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import local_home, local_settings
from tick_pipeline.cli.output import say
from tick_pipeline.errors import InputError
from tick_pipeline.settings import load_settings

if TYPE_CHECKING:
    from tick_pipeline.costs.measured import DescribedLoad
    from tick_pipeline.costs.prices import Prices
    from tick_pipeline.settings import Settings

RecordsPerSecond = Annotated[
    float | None, typer.Option(help="Records into the stream; with --record-bytes.")
]
RecordBytes = Annotated[
    int | None, typer.Option(help="Bytes of one record; 1 KB is 1,000. With --records-per-second.")
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other figure of the load, name=value; may be repeated."),
]
Region = Annotated[
    str | None, typer.Option(help="Of AWS; that of the settings, or us-east-1, if not given.")
]


def described_load(
    command: str,
    records_per_second: float | None,
    record_bytes: int | None,
    given: dict[str, Any],
    texts: list[str] | None,
) -> tuple[DescribedLoad, Settings]:
    """The load of a command's options; without a rate the one that the run of HOME was.

    Args:
        command: its name.
        records_per_second: the option.
        record_bytes: the option.
        given: field of the load -> value, of the command's other options.
        texts: of `--set`, which win over `given`.

    Raises:
        InputError: an option is wrong, or HOME holds nothing to measure.
        SettingsError: nothing is described, and the deployment is not the local one.
    """
    from decimal import Decimal

    from tick_pipeline.costs.load import parse_fields
    from tick_pipeline.costs.measured import describe

    fields = {**given, **parse_fields(texts or [])}
    if (records_per_second is None) != (record_bytes is None):
        raise InputError(
            "--records-per-second and --record-bytes go together; give both or neither"
        )
    if record_bytes is None:
        from tick_pipeline.resources.home_load import load_of_home

        settings = local_settings(
            f"{command} without a load", instead="give --records-per-second and --record-bytes"
        )
        return load_of_home(local_home(settings), settings, fields), settings
    settings = load_settings()
    own = {
        "records_per_second": Decimal(str(records_per_second)),
        "record_bytes": record_bytes,
        "storage_modes": settings.storage_modes,
    }
    return describe({**own, **fields}), settings


def region_of(region: str | None, settings: Settings) -> str:
    """The region that is asked for, or that of the settings, or the default one."""
    from tick_pipeline.costs.prices import DEFAULT_REGION

    return region or settings.aws_region or DEFAULT_REGION


def prices_of(region: str | None, settings: Settings) -> Prices:
    """Those of the region; the default one's where nobody asked for a region and the settings' has none.

    Raises:
        InputError: there are no prices of the region that is asked for.
    """
    from tick_pipeline.costs.prices import load_prices, nearest_prices

    if region is not None:
        return load_prices(region)
    found = nearest_prices(region_of(None, settings))
    if found.region != region_of(None, settings):
        say(
            f"warning: there are no prices of {settings.aws_region}, TICK_PIPELINE_AWS_REGION; "
            f"these are those of {found.region}"
        )
    return found
