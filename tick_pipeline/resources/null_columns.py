"""Columns without a value, from the footers of Parquet files: what a renamed or lost field leaves behind."""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import table_contract

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tick_pipeline.resources.footers import Footer

#: Of fewer rows, a few bad ones may be all there are.
_LEAST_ROWS = 20


@dataclass(frozen=True)
class NullColumn:
    """A column that must have a value, and has none in all rows of an hour.

    Attributes:
        column: its name.
        hour_us: start of the hour, microseconds.
        rows: of that hour.
    """

    column: str
    hour_us: int
    rows: int


def null_columns(table: str, footers: Iterable[tuple[int, Footer]]) -> list[NullColumn]:
    """The columns, by hour and name.

    Args:
        table: whose contract says which columns must have a value.
        footers: (start of its hour, footer) of each file; those without a footer are passed over, and so
            are columns of which a footer does not count the nulls.
    """
    required = {column.name for column in table_contract(table).fields if column.required}
    rows: Counter[int] = Counter()
    nulls: Counter[tuple[int, str]] = Counter()
    for hour_us, footer in footers:
        if not isinstance(footer, str):
            rows[hour_us] += footer.num_rows
            for name, count in _nulls(footer):
                nulls[hour_us, name] += count
    return [
        NullColumn(name, hour_us, rows[hour_us])
        for (hour_us, name), count in sorted(nulls.items())
        if name in required and count == rows[hour_us] >= _LEAST_ROWS
    ]


def _nulls(footer: Footer) -> Iterable[tuple[str, int]]:
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            told = column.statistics
            if told is not None and told.has_null_count:
                yield column.path_in_schema, told.null_count
