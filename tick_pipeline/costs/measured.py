"""From what was measured to a load: each figure with where it is from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal

from tick_pipeline.costs.load import Load
from tick_pipeline.costs.units import up
from tick_pipeline.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.storage import StorageMode

Origin = Literal["given", "measured", "assumed"]
#: What a run on Glue does before it reads: the wheel is installed, Spark's session begins. Not measured.
_GLUE_START_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run of the pipeline did.

    Attributes:
        records: that came in `active_seconds`.
        record_bytes: of one, on the average.
        landed: rows of one raw table.
        active_seconds: of event time in which ticks came.
        busiest_minute: ticks of it.
        raw_bytes: storage mode -> bytes of its raw table.
        run_seconds: of each batch run for one storage mode, without the session's start.
        symbol_shares: symbol -> its fraction of all ticks, the largest first.
    """

    records: int
    record_bytes: int
    landed: int
    active_seconds: int
    busiest_minute: int
    raw_bytes: Mapping[StorageMode, int]
    run_seconds: tuple[float, ...] = ()
    symbol_shares: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])


@dataclass(frozen=True)
class DescribedLoad:
    """A load, and where each of its figures is from.

    Attributes:
        load: the load.
        origins: field of the load -> `given`, `measured`, or `assumed`, as the defaults are.
        measured: what the measured figures stem from; None where nothing was measured.
    """

    load: Load
    origins: dict[str, Origin]
    measured: Measured | None = None


def describe(given: Mapping[str, Any], measured: Measured | None = None) -> DescribedLoad:
    """A load of what is given; what is not is measured, and what is not measured assumed.

    Args:
        given: field of the load -> value.
        measured: what a run did; None: nothing was measured.

    Raises:
        InputError: a value is out of its bounds, or nothing tells how much is sent.
    """
    found = {} if measured is None else measured_fields(measured)
    values = {**found, **given}
    for name in ("records_per_second", "record_bytes"):
        if name not in values:
            raise InputError(f"a load needs {name}")
    origins: dict[str, Origin] = {
        item.name: "given"
        if item.name in given
        else "measured"
        if item.name in found
        else "assumed"
        for item in fields(Load)
    }
    return DescribedLoad(Load(**values), origins, measured)


def measured_fields(measured: Measured) -> dict[str, Any]:
    """The fields of a load that measurements tell.

    The rate is that of the time in which ticks came: a market that rests costs less than a month of it.

    Raises:
        InputError: nothing was sent, or nothing has landed.
    """
    if not (measured.records and measured.landed and measured.record_bytes):
        raise InputError(
            f"{measured.landed:,} records have landed, {measured.records:,} of them ticks: there is nothing to "
            "measure; run `tick-pipeline demo`, or give --records-per-second and --record-bytes"
        )
    rate = up(Decimal(measured.records) / measured.active_seconds)
    values: dict[str, Any] = {
        "records_per_second": rate,
        "record_bytes": measured.record_bytes,
        "peak_records_per_second": max(rate, up(Decimal(measured.busiest_minute) / 60)),
        "storage_modes": tuple(measured.raw_bytes),
    }
    if any(measured.raw_bytes.values()):
        stored = Decimal(max(measured.raw_bytes.values())) / measured.landed
        values["stored_fraction"] = up(stored / measured.record_bytes)
    if measured.run_seconds:
        seconds = _GLUE_START_SECONDS + mean(measured.run_seconds)
        values["batch_run_seconds"] = Decimal(seconds).quantize(Decimal("0.1"))
    return values
