"""Does the metadata describe what landed? Judged from columns, footers and what lies beside the tables."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tick_pipeline.doctor.findings import Finding, Verdict, ok, some
from tick_pipeline.doctor.words import many
from tick_pipeline.event_time import format_short
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tick_pipeline.resources.null_columns import NullColumn

#: As resources/table_schema.py tells which files differ.
_ODD_FILE = re.compile(r"\(in (?P<some>\d+) of (?P<all>\d+) files, as (?P<path>.+)\)$")


@dataclass(frozen=True)
class ModeStored:
    """What is known of one mode's tables; None where it could not be seen.

    Attributes:
        mode: which.
        tables: how many were looked at.
        drift: how columns differ from the contracts, a line each.
        nulls: table -> its columns without a value.
        strays: what belongs to no table.
        warehouse: where the mode's tables lie.
    """

    mode: StorageMode
    tables: int
    drift: tuple[str, ...] | None
    nulls: Mapping[str, tuple[NullColumn, ...]] | None
    strays: tuple[str, ...] | None
    warehouse: str


def judge(modes: tuple[ModeStored, ...], window: str) -> list[Finding]:
    """The findings, mode by mode.

    Args:
        modes: what is known of each.
        window: which hours' files were looked into, in words.
    """
    findings: list[Finding] = []
    for mode in modes:
        if mode.drift is not None:
            findings.append(_drift(mode, mode.drift, window))
        if mode.nulls is not None:
            findings.append(_nulls(mode, mode.nulls, window))
        if mode.strays is not None:
            findings.append(_strays(mode, mode.strays))
    return findings


def _drift(mode: ModeStored, drift: tuple[str, ...], window: str) -> Finding:
    if not drift:
        told = f"{mode.mode}: {mode.tables} tables have the columns of their contracts"
        return ok("schema", told, files_of=window)
    return Finding(
        "schema",
        Verdict.FAIL,
        f"{mode.mode}: {many(len(drift), 'difference')} from the contracts, as {drift[0]}",
        "schema-drift",
        {**some(drift), "files of": window},
        _cure(mode.mode, drift),
    )


def _cure(mode: StorageMode, drift: tuple[str, ...]) -> str:
    """What to do first: a file that is not like the others is somebody else's."""
    for line in drift:
        odd = _ODD_FILE.search(line)
        if odd and odd["some"] != odd["all"]:
            if mode is StorageMode.ICEBERG:
                table = line.partition(":")[0].rpartition(".")[2]
                return f"tick-pipeline maintain history {table} tells which commit brought {odd['path']}"
            move = "aws s3 mv" if odd["path"].startswith("s3://") else "mv"
            return f"{move} {shlex.quote(odd['path'])} ."
    return "tick-pipeline contracts apply --dry-run tells what it would add; undo what else was changed"


def _nulls(mode: ModeStored, nulls: Mapping[str, tuple[NullColumn, ...]], window: str) -> Finding:
    lines = [
        f"{table}.{item.column}: null in all {item.rows:,} rows of {format_short(item.hour_us)}"
        for table, found in nulls.items()
        for item in found
    ]
    if not lines:
        return ok("nulls", f"{mode.mode}: no column is without values", files_of=window)
    return Finding(
        "nulls",
        Verdict.FAIL,
        f"{mode.mode}: {lines[0]}",
        "null-columns",
        {**some(lines), "files of": window},
        f"tick-pipeline query --file invalid_ticks --param storage_mode={mode.mode}; then look whether the "
        "producer renamed the field",
    )


def _strays(mode: ModeStored, strays: tuple[str, ...]) -> Finding:
    if not strays:
        return ok("strays", f"{mode.mode}: nothing lies beside the tables")
    return Finding(
        "strays",
        Verdict.WARN,
        f"{mode.mode}: {many(len(strays), 'object')} beside the tables, as {strays[0]}",
        "stray-objects",
        some(strays),
        f"find out whose they are, then move them out of {mode.warehouse}",
    )
