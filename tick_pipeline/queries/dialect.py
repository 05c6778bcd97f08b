"""Athena's SQL as DuckDB's: sqlglot's translation, and what it does not know."""

from __future__ import annotations

import re

from sqlglot import exp

#: Athena writes a blank before an offset, DuckDB none.
_OFFSET = re.compile(r"(?<=[\d:]) ([+-]\d\d:\d\d)$")
#: Functions of Athena whose DuckDB twin has another name and the same meaning.
_RENAMED = {"is_finite": "isfinite", "is_infinite": "isinf"}


def placeholders(tree: exp.Expr) -> set[str]:
    """Names of the parameters that a statement, or a part of one, needs; `?` has the name ''."""
    return {node.name for node in tree.find_all(exp.Placeholder)}


def to_duckdb(tree: exp.Expr) -> str:
    """The statement in DuckDB's dialect; named parameters become `$name`."""
    return tree.transform(_translate).sql("duckdb")


def _translate(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.CountIf):
        # DuckDB's count_if is null where there is no row, Athena's 0.
        return exp.Count(this=exp.Case().when(node.this, exp.Literal.number(1)))
    if isinstance(node, exp.Literal) and node.is_string and isinstance(node.parent, exp.Cast):
        return exp.Literal.string(_OFFSET.sub(r"\1", node.name))
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if name == "checksum":
            # An order-free hash, as Athena's is; its value can be compared within one engine only.
            return exp.Sum(this=exp.Anonymous(this="hash", expressions=node.expressions))
        if name in _RENAMED:
            return exp.Anonymous(this=_RENAMED[name], expressions=node.expressions)
    return node
