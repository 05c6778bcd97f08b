"""The port through which SQL in Athena's dialect runs: what is asked, and what is answered."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (pyarrow has no types)
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


@dataclass(frozen=True)
class TableScan:
    """What a statement would read of one relation.

    Attributes:
        table: `mode.relation`.
        partitions: hours that it would read.
        partitions_total: hours that the table has; None where it has more than it would read, and only
            a listing of all of it would tell how many.
        files: data files of those hours.
        bytes: their size; columns that are not named are not read, so this is the most.
    """

    table: str
    partitions: int
    partitions_total: int | None
    files: int
    bytes: int

    @property
    def pruned(self) -> bool:
        """Whether any partition is left out, or there is none."""
        total = self.partitions_total
        return total is None or self.partitions < total or total == 0


@dataclass(frozen=True)
class Estimate:
    """What a statement would read, without running it.

    Attributes:
        tables: one entry for each place that names a relation.
        partitions: of all of them together, as are files and bytes.
        files: data files.
        bytes: their size.
        pruned: False when a partitioned table would be read whole.
        warnings: one line for each such table.
    """

    tables: tuple[TableScan, ...]
    partitions: int
    files: int
    bytes: int
    pruned: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class QueryResult:
    """Rows, and what they cost.

    Attributes:
        table: the rows; timestamps are UTC.
        seconds: wall time from the text to the rows.
        files: data files that the plan left to read; None where the engine does not say.
        bytes: their size; on Athena what it scanned of them, and bills.
        details: what else the engine tells of the run, by name.
    """

    table: pa.Table
    seconds: float
    files: int | None
    bytes: int
    details: dict[str, str | int] = field(default_factory=dict[str, "str | int"])

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows as plain values, by column."""
        return self.table.to_pylist()


class QueryEngine(Protocol):
    """Runs read-only SQL in Athena's dialect over the relations of both storage modes."""

    @property
    def name(self) -> str:
        """What runs the SQL, for people."""
        ...

    def run(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """Run one statement; `:name` in it is bound to parameters[name].

        Args:
            sql: in Athena's dialect.
            parameters: name -> value.
            as_of_us: read Iceberg's tables as readers saw them at this moment, microseconds.

        Raises:
            QueryError: it cannot be run, with the reason in one line.
            InputError: a table has no snapshot of that moment.
            AwsError: on Athena, which was not reached, refused a call, failed, or lost or cancelled the query.
        """
        ...

    def run_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> QueryResult:
        """Run a query that ships with this version.

        Raises:
            QueryError: there is none of that name, or a parameter is missing or wrong.
        """
        ...

    def estimate(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """What `run` would read, from names and metadata alone."""
        ...

    def estimate_file(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        as_of_us: int | None = None,
    ) -> Estimate:
        """What `run_file` would read, from names and metadata alone."""
        ...
