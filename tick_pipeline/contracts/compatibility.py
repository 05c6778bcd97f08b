"""The gate for a contract's change: what old readers and old data could not live with is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.contracts.contract import Contract, Field


def incompatibilities(old: Contract, new: Contract) -> list[str]:
    """Why `new` cannot replace `old`, one line each; empty when it can.

    A field may be added when it is optional or has a default, and a description, unit or rule may
    change. A field must not be removed, renamed or retyped, nor become required without a default,
    nor may the key or the total order change: rows already stored would mean something else.
    """
    problems: list[str] = []
    added = {column.name: column for column in new.fields}
    for before in old.fields:
        after = added.pop(before.name, None)
        if after is None:
            problems.append(f"{new.name}: the field {before.name} was removed")
        else:
            problems.extend(_field_problems(new.name, before, after))
    problems.extend(
        f"{new.name}: the field {column.name} was added as required without a default"
        for column in added.values()
        if column.required and column.default is None
    )
    for what, before_names, after_names in (
        ("key", old.key, new.key),
        ("order", old.order, new.order),
    ):
        if before_names != after_names:
            problems.append(
                f"{new.name}: the {what} changed from {', '.join(before_names)} "
                f"to {', '.join(after_names)}"
            )
    return problems


def _field_problems(contract: str, before: Field, after: Field) -> list[str]:
    problems: list[str] = []
    if (before.type, before.iceberg_type) != (after.type, after.iceberg_type):
        problems.append(
            f"{contract}: the field {before.name} was retyped from "
            f"{_type_text(before)} to {_type_text(after)}"
        )
    if after.required and not before.required and after.default is None:
        problems.append(f"{contract}: the field {before.name} became required without a default")
    return problems


def _type_text(column: Field) -> str:
    return column.type + (f" ({column.iceberg_type} in Iceberg)" if column.iceberg_type else "")
