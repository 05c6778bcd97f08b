"""Live tables brought to their contracts: what may change is added, whatever else differs is refused first."""

# parts of pyiceberg have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.schema import Schema

from tick_pipeline.contracts.compatibility import incompatibilities
from tick_pipeline.contracts.contract import Field, table_contract
from tick_pipeline.contracts.types import iceberg_schema
from tick_pipeline.errors import ContractError, WorkError
from tick_pipeline.resources.iceberg import load_table
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyiceberg.table import Table

    from tick_pipeline.home import Home

#: Landing commits often; a commit between our reading and our own is no reason to give up.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Step:
    """One change of one table or view.

    Attributes:
        table: `<mode>.<table>`.
        change: what is done.
        before: what stands.
        after: what stands then.
    """

    table: str
    change: str
    before: str
    after: str


@dataclass(frozen=True)
class Evolution:
    """What brings the tables to their contracts.

    Attributes:
        steps: in the order in which they are done; none where nothing differs.
        notes: what somebody who changed a contract must know besides.
    """

    steps: list[Step]
    notes: list[str] = field(default_factory=list[str])


class Stored(Protocol):
    """A table or view that can be brought to its contract."""

    def problems(self) -> list[str]:
        """Why it cannot be; empty where it can."""
        ...

    def steps(self) -> list[Step]:
        """What has to be done now."""
        ...

    def apply(self) -> None:
        """Do it.

        Raises:
            WorkError: it could not be done.
        """
        ...


def evolve(stored: Sequence[Stored], *, dry_run: bool) -> list[Step]:
    """Bring tables and views to their contracts, in their order; all are asked before one is changed.

    Args:
        stored: tables before the views that read them.
        dry_run: only tell.

    Raises:
        ContractError: a contract cannot replace what stands; nothing was changed.
        WorkError: a table is not there, or could not be changed.
    """
    problems = [problem for item in stored for problem in item.problems()]
    if problems:
        raise ContractError(
            f"{'; '.join(problems)}: no live table can follow that; take the change back, "
            "or add a field of a new name"
        )
    done: list[Step] = []
    for item in stored:
        steps = item.steps()
        if steps and not dry_run:
            item.apply()
        done.extend(steps)
    return done


def evolve_home(home: Home, *, dry_run: bool) -> Evolution:
    """Bring the Iceberg tables of a HOME to their contracts; its Parquet is nothing but files.

    Raises:
        ContractError: a contract cannot replace what stands; nothing was changed.
        WorkError: a table is not there, or could not be changed.
    """
    tables = [IcebergTable(table, partial(load_table, home.path)) for table in TABLES]
    return Evolution(evolve(tables, dry_run=dry_run))


class IcebergTable:
    """An Iceberg table, in whichever catalog.

    Args:
        table: its name.
        load: reads it from the catalog.
    """

    def __init__(self, table: str, load: Callable[[str], Table]) -> None:
        self._table = table
        self._load = load
        self._name = f"{StorageMode.ICEBERG}.{table}"

    def problems(self) -> list[str]:
        """See Stored."""
        stored = {
            item.name: str(item.field_type) for item in self._load(self._table).schema().fields
        }
        wanted = {item.name: str(item.field_type) for item in self._wanted.fields}
        return stored_problems(self._name, self._table, stored, wanted)

    def steps(self) -> list[Step]:
        """See Stored."""
        return self._steps(self._load(self._table))

    def apply(self) -> None:
        """See Stored. One commit, so that no reader sees half of it."""
        if not any(self._commit(self._load(self._table)) for _ in range(_ATTEMPTS)):
            raise WorkError(
                f"{self._name}: others committed {_ATTEMPTS} times while its columns were to be added; "
                "run `tick-pipeline contracts apply` again"
            )

    @property
    def _wanted(self) -> Schema:
        return Schema.model_validate(iceberg_schema(table_contract(self._table)))

    def _steps(self, stored: Table) -> list[Step]:
        schema = stored.schema()
        return column_steps(
            self._name,
            {item.name: (str(item.field_type), item.doc or "") for item in schema.fields},
            {item.name: (str(item.field_type), item.doc or "") for item in self._wanted.fields},
        )

    def _commit(self, stored: Table) -> bool:
        """Whether nobody else committed in between."""
        known = {item.name: item.doc for item in stored.schema().fields}
        try:
            with stored.update_schema() as update:
                for item in self._wanted.fields:
                    if item.name not in known:
                        update.add_column(item.name, item.field_type, doc=item.doc)
                    elif item.doc != known[item.name]:
                        update.update_column(item.name, doc=item.doc)
        except CommitFailedException:
            return False
        return True


def stored_problems(
    name: str, table: str, stored: Mapping[str, str], wanted: Mapping[str, str]
) -> list[str]:
    """The gate for contracts (contracts/compatibility.py), against what stands in place of an older contract.

    What stands knows neither which of its columns are required nor the key: these are taken as they are now.

    Args:
        name: of the table, for people.
        table: whose contract.
        stored: column -> type, as the catalog names it.
        wanted: the same of the contract.
    """
    contract = table_contract(table)
    ours = {column.name: column for column in contract.fields}
    older = replace(
        contract,
        fields=tuple(
            ours[column]
            if stored[column] == wanted.get(column)
            else replace(ours[column], type=stored[column], iceberg_type=None)
            if column in ours
            else Field(column, stored[column], required=False, description="")
            for column in stored
        ),
    )
    return [f"{name}: {problem}" for problem in incompatibilities(older, contract)]


def column_steps(
    name: str,
    stored: Mapping[str, tuple[str, str]],
    wanted: Mapping[str, tuple[str, str]],
) -> list[Step]:
    """The columns to add, and the descriptions to change; column -> (type, description)."""
    steps: list[Step] = []
    for column, (kind, description) in wanted.items():
        if column not in stored:
            steps.append(Step(name, f"add column {column}", "", f"{column} {kind}: {description}"))
        elif stored[column][1] != description:
            change = f"describe column {column}"
            steps.append(Step(name, change, stored[column][1], description))
    return steps
