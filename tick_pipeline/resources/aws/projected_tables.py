"""A Parquet table with partition projection as the Glue Data Catalog has it, and as its contract wants it.

Terraform makes these tables (terraform/glue_catalog.tf); here is what must hold of one whoever changed it since.
Source: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tick_pipeline.contracts.contract import table_contract
from tick_pipeline.resources.table_schema import differences
from tick_pipeline.storage import PARTITION_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tick_pipeline.contracts.contract import Contract

_GLUE_TYPES = {"string": "string", "int64": "bigint", "double": "double", "timestamp": "timestamp"}
#: Key -> its digits, and the values that it can have; those of the year are the pipeline's.
_DIGITS = {"year": 4, "month": 2, "day": 2, "hour": 2}
_RANGES = {"month": (1, 12), "day": (1, 31), "hour": (0, 23)}
_IN_CATALOG = "(in the catalog)"


@dataclass(frozen=True)
class Projection:
    """What a table's projection must reach.

    Attributes:
        location: of the table, `s3://…`, without a slash at its end.
        first_year: of the partitions.
        last_year: that has any by now.
    """

    location: str
    first_year: int
    last_year: int

    @property
    def template(self) -> str:
        """`storage.location.template`: where Athena looks for an hour."""
        return "/".join([self.location, *(f"{key}=${{{key}}}" for key in PARTITION_KEYS)])

    @property
    def ranges(self) -> dict[str, tuple[int, int]]:
        """Key -> first and last value that must be projected."""
        return {"year": (self.first_year, self.last_year), **_RANGES}


def glue_columns(contract: Contract) -> list[dict[str, str]]:
    """The contract's columns as Glue takes them, in their order."""
    return [
        {
            "Name": column.name,
            "Type": _GLUE_TYPES[column.type],
            "Comment": column.description,
        }
        for column in contract.fields
    ]


def column_types(columns: list[dict[str, Any]]) -> dict[str, str]:
    """Name -> type of Glue's columns."""
    return {str(column["Name"]): str(column.get("Type", "")) for column in columns}


def projected_drift(stored: Mapping[str, Any], table: str, projection: Projection) -> Iterator[str]:
    """How the catalog's table differs from its contract, a line each.

    Args:
        stored: the table, as Glue tells it.
        table: its name.
        projection: what must be reached.
    """
    descriptor = stored.get("StorageDescriptor", {})
    wanted = column_types(glue_columns(table_contract(table)))
    for line in differences(column_types(descriptor.get("Columns", [])), wanted):
        yield f"{line} {_IN_CATALOG}"
    keys = column_types(stored.get("PartitionKeys", []))
    if list(keys.items()) != [(key, "string") for key in PARTITION_KEYS]:
        told = ", ".join(f"{name} {kind}" for name, kind in keys.items()) or "nothing"
        yield f"it is partitioned by {told}, it must be by {', '.join(PARTITION_KEYS)}, strings {_IN_CATALOG}"
    location = str(descriptor.get("Location", "")).rstrip("/")
    if location != projection.location:
        yield f"its location is {location or 'not given'}, it must be {projection.location} {_IN_CATALOG}"
    for line in _property_drift(stored.get("Parameters", {}), projection):
        yield f"{line} {_IN_CATALOG}"


def _property_drift(stored: Mapping[str, str], projection: Projection) -> Iterator[str]:
    wanted = {
        "projection.enabled": "true",
        "storage.location.template": projection.template,
        **{f"projection.{key}.type": "integer" for key in PARTITION_KEYS},
        **{f"projection.{key}.digits": str(_DIGITS[key]) for key in PARTITION_KEYS},
    }
    for name, value in wanted.items():
        # Athena takes these in any case, and with blanks around them; a location only as it is.
        found = stored.get(name, "").strip()
        if (found if "template" in name else found.lower()) != value:
            yield f"{name} is {found or 'not set'}, it must be {value}"
    for key, (first, last) in projection.ranges.items():
        name = f"projection.{key}.range"
        if not _covers(stored.get(name, ""), first, last):
            yield f"{name} is {stored.get(name) or 'not set'}, it must hold {first} to {last}"
        interval = stored.get(f"projection.{key}.interval", "1").strip()
        if interval != "1":
            yield f"projection.{key}.interval is {interval}, it must be 1"


def _covers(text: str, first: int, last: int) -> bool:
    low, _, high = text.partition(",")
    try:
        return int(low) <= first and last <= int(high)
    except ValueError:
        return False
