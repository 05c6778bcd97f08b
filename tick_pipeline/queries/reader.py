"""Reads one SQL text in Athena's dialect: exactly one statement that reads, over known relations only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.relations import Relation, find_relation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.storage import StorageMode

READS = "SELECT, WITH, SHOW, DESCRIBE and EXPLAIN"
_SHOW = re.compile(
    r"show\s+(?:(?P<schemas>schemas|databases)|(?P<tables>tables)(?:\s+(?:in|from)\s+(?P<schema>\S+))?"
    r"|columns\s+(?:in|from)\s+(?P<of>\S+)|create\s+view\s+(?P<view>\S+))",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(r"desc(?:ribe)?\s+(?P<of>\S+)", re.IGNORECASE)
_SELECTS = re.compile(r"\s*(?:select\b|with\b|table\b|\()", re.IGNORECASE)
_EXPLAIN = re.compile(r"explain\s+(?=select\b|with\b|\()", re.IGNORECASE)
_WRITES = (exp.DDL, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Command, exp.Into)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Kind(str, Enum):
    """What a statement asks for."""

    SELECT = "select"
    EXPLAIN = "explain"
    SHOW_SCHEMAS = "show schemas"
    SHOW_TABLES = "show tables"
    SHOW_COLUMNS = "show columns"
    SHOW_VIEW = "show create view"


@dataclass(frozen=True)
class Source:
    """One place in a SELECT that names a relation."""

    relation: Relation
    node: exp.Table


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        kind: what it asks for.
        tree: the SELECT, of SELECT and EXPLAIN.
        sources: where the tree names a relation.
        subject: the relation of SHOW COLUMNS and SHOW CREATE VIEW, the schema of SHOW TABLES.
    """

    kind: Kind
    tree: exp.Query | None = None
    sources: tuple[Source, ...] = ()
    subject: Relation | str | None = None


def read_statement(
    sql: str, modes: tuple[StorageMode, ...], names: Mapping[str, str] | None = None
) -> Statement:
    """Parse a text, refuse what does not only read, and find the relations that it names.

    Args:
        sql: Athena's dialect.
        modes: the storage modes in use.
        names: parameter -> value, put where a table's or schema's name holds the parameter's name.
            Both come from closed sets.

    Raises:
        QueryError: no or more than one statement, not one that reads, or an unknown relation.
    """
    text = sql.strip().rstrip(";").strip()
    if not text:
        raise QueryError(f"the SQL text is empty; write one of {READS}")
    other = _read_show(text, modes)
    if other is not None:
        return other
    explain = _EXPLAIN.match(text)
    if explain:
        # Blanks keep the positions in messages right.
        text = " " * explain.end() + text[explain.end() :]
    tree = _parse(text)
    _name_tables(tree, names or {})
    sources = tuple(_sources(tree, modes))
    return Statement(Kind.EXPLAIN if explain else Kind.SELECT, tree, sources)


def position(node: exp.Expr) -> str:
    """`line 1, column 8: ` of a node, or nothing where the parser kept none."""
    for child in node.walk():
        if "line" in child.meta and "col" in child.meta:
            column = int(child.meta["end"]) - int(child.meta["start"])
            return f"line {child.meta['line']}, column {int(child.meta['col']) - column}: "
    return ""


def _parse(text: str) -> exp.Query:
    word = text.split(None, 1)[0]
    if not _SELECTS.match(text):
        raise QueryError(f"{word.upper()}: this only reads: {READS}")
    try:
        trees = [tree for tree in sqlglot.parse(text, read="athena") if tree is not None]
    except SqlglotError as error:
        raise QueryError(_parse_message(error)) from error
    if len(trees) != 1:
        raise QueryError(f"{len(trees)} statements were given; give one")
    tree = trees[0]
    writes = tree.find(*_WRITES)
    if not isinstance(tree, exp.Query) or writes is not None:
        raise QueryError(f"{word.upper()} that writes: this only reads: {READS}")
    return tree


def _parse_message(error: SqlglotError) -> str:
    first = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    if "line" not in first:
        return f"the SQL cannot be read: {' '.join(_ANSI.sub('', str(error)).split())}"
    # The parser shows its own object there; the text follows anyway.
    what = str(first["description"]).partition(" but got <")[0]
    what = re.sub(r" for <class '[^']*'>", "", what).rstrip(".")
    return f"line {first['line']}, column {first['col']}: {what}, at {first['highlight']!r}"


def _read_show(text: str, modes: tuple[StorageMode, ...]) -> Statement | None:
    show, describe = _SHOW.fullmatch(text), _DESCRIBE.fullmatch(text)
    if describe:
        return Statement(Kind.SHOW_COLUMNS, subject=_subject(describe["of"], modes))
    if show is None:
        if re.match(r"(show|desc|describe)\b", text, re.IGNORECASE):
            raise QueryError(
                f"{text!r}: write SHOW SCHEMAS, SHOW TABLES IN schema, SHOW COLUMNS IN schema.table, "
                "SHOW CREATE VIEW schema.view or DESCRIBE schema.table"
            )
        return None
    if show["schemas"]:
        return Statement(Kind.SHOW_SCHEMAS)
    if show["tables"]:
        return Statement(Kind.SHOW_TABLES, subject=_schema(show["schema"], modes))
    if show["view"]:
        return Statement(Kind.SHOW_VIEW, subject=_subject(show["view"], modes))
    return Statement(Kind.SHOW_COLUMNS, subject=_subject(show["of"], modes))


def _schema(name: str | None, modes: tuple[StorageMode, ...]) -> str | None:
    if name is None:
        return None
    wanted = name.strip('`"').lower()
    if wanted not in modes:
        raise QueryError(f"there is no schema {name!r}; there are {', '.join(modes)}")
    return wanted


def _subject(name: str, modes: tuple[StorageMode, ...]) -> Relation:
    schema, _, table = name.replace('"', "").replace("`", "").rpartition(".")
    return find_relation(schema, table, modes)


def _name_tables(tree: exp.Query, names: Mapping[str, str]) -> None:
    for table in tree.find_all(exp.Table):
        for part in table.parts:
            for name, value in names.items():
                if isinstance(part, exp.Identifier):
                    part.set("this", part.name.replace(name, value))


def _sources(tree: exp.Query, modes: tuple[StorageMode, ...]) -> Sequence[Source]:
    try:
        scopes = traverse_scope(tree)
    except SqlglotError as error:
        raise QueryError(f"the SQL cannot be read: {error}") from error
    # A name without a schema may be a CTE of its scope; the scopes know which.
    of_ctes = {
        id(table)
        for scope in scopes
        for table in scope.tables
        if not table.db and table.name in scope.cte_sources
    }
    found: list[Source] = []
    for table in tree.find_all(exp.Table):
        if id(table) in of_ctes:
            continue
        if not isinstance(table.this, exp.Identifier):
            raise QueryError(
                f"{position(table)}{table.this.sql('athena')}: table functions are not read; "
                "name a table, UNNEST or VALUES"
            )
        if table.catalog and table.catalog.lower() != "awsdatacatalog":
            raise QueryError(f"{position(table)}{table.sql('athena')}: there is no such catalog")
        if "$" in table.name:
            raise QueryError(
                f'{position(table)}"{table.name}": metadata tables differ between Athena and DuckDB; '
                "use `tick-pipeline status`"
            )
        try:
            found.append(Source(find_relation(table.db, table.name, modes), table))
        except QueryError as error:
            raise QueryError(f"{position(table)}{error}") from error
    return found
