"""The queries that ship with this version: their texts, and the parameters their headers declare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tick_pipeline.errors import QueryError
from tick_pipeline.queries.parameters import ENABLED, Parameter, parameter_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.storage import StorageMode

_HEADER = re.compile(r"\A(?:--[^\n]*\n)+")
_COLUMN = re.compile(r"^  (\S.*)$")


@dataclass(frozen=True)
class Query:
    """One query file.

    Attributes:
        name: the file's name without `.sql`.
        purpose: what one asks with it.
        parameters: in the header's order.
        columns: the header's lines about the result.
        sql: the text below the header, in Athena's dialect.
    """

    name: str
    purpose: str
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    sql: str

    def bind(
        self, given: Mapping[str, Any], *, enabled_modes: Sequence[StorageMode], now_us: int
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The parameters' values: those that name tables, and those that are bound.

        Args:
            given: name -> value, as text or of the parameter's own type.
            enabled_modes: the storage modes in use; the first is the default one.
            now_us: what `now` means, microseconds.

        Raises:
            QueryError: a name is unknown, a value is missing or not of its type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise QueryError(
                    f"query {self.name} has no parameter {name!r}; it has {', '.join(known)}"
                )
        names: dict[str, str] = {}
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise QueryError(
                    f"query {self.name} needs {parameter.name} ({parameter.type}): {parameter.description}"
                )
            if value == ENABLED:
                value = enabled_modes[0].value
            target = names if parameter.choices else values
            target[parameter.name] = parameter_value(self.name, parameter, value, now_us=now_us)
        return names, values


def query_names() -> list[str]:
    """Names of the queries that ship with this version, sorted."""
    names = (item.name for item in files("tick_pipeline.queries").iterdir())
    return sorted(name.removesuffix(".sql") for name in names if name.endswith(".sql"))


@lru_cache
def load_query(name: str) -> Query:
    """The query of that name.

    Raises:
        QueryError: there is none.
    """
    names = query_names()
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise QueryError(f"there is no query {name!r}; {hint}")
    return _parse(
        name, files("tick_pipeline.queries").joinpath(f"{name}.sql").read_text(encoding="utf-8")
    )


def describe_query(name: str) -> str:
    """A query's purpose, parameters and columns, for people.

    Raises:
        QueryError: there is none of that name.
    """
    query = load_query(name)
    lines = [f"{query.name}: {query.purpose}", "parameters:"]
    lines += [
        f"  {item.name} ({item.type}, {'needed' if item.default is None else item.default}): "
        f"{item.description}"
        for item in query.parameters
    ]
    return "\n".join([*lines, "columns:", *(f"  {line}" for line in query.columns)])


def split_header(text: str) -> tuple[str, str]:
    """A file's leading comment lines, without their dashes, and the SQL below them."""
    match = _HEADER.match(text)
    if match is None:
        return "", text
    lines = (line[2:].removeprefix(" ") for line in match.group().splitlines())
    return "\n".join(lines), text[match.end() :]


def _parse(name: str, text: str) -> Query:
    header, sql = split_header(text)
    purpose, _, rest = header.partition("\nparameters\n")
    parameters, _, columns = rest.partition("\ncolumns\n")
    return Query(
        name=name,
        purpose=" ".join(purpose.split()),
        parameters=tuple(_parameter(name, line) for line in parameters.splitlines()),
        columns=tuple(m.group(1) for line in columns.splitlines() if (m := _COLUMN.match(line))),
        sql=sql,
    )


def _parameter(query: str, line: str) -> Parameter:
    cells = [cell.strip() for cell in line.split("|")]
    if len(cells) != 4:  # noqa: PLR2004  (name, type, default, meaning)
        raise QueryError(f"{query}.sql: the header's line {line!r} is no parameter")
    name, kind, default, description = cells
    return Parameter(name, kind, default or None, description)
