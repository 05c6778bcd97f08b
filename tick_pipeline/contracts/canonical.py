"""A record's canonical form as a pattern: what any JSON parser reads as the strict decoder does."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tick_pipeline.contracts.contract import Contract

#: Texts without escapes; integers that fit 64 bits; numbers of a length that every parser takes. No
#: part gives back what it took: nothing that follows could use it, and looking costs twice the rest.
_VALUE = {
    "string": r'"[^"\\]*+"',
    "int64": r"-?+(?:0|[1-9][0-9]{0,17}+)",
    "double": r"-?+(?:0|[1-9][0-9]{0,30}+)(?:\.[0-9]{1,40}+)?+(?:[eE][+-]?+[0-9]{1,4}+)?+",
}
#: What a decoder leaves of bytes that are no UTF-8: a text that holds it may be another record's.
REPLACEMENT = "\ufffd"


@lru_cache
def canonical_pattern(contract: Contract) -> str:
    r"""A pattern, of Java's dialect as of Python's but for its end `\z`, of records in canonical form.

    They have every field once, in the contract's order, none null, without white space. Such a record
    may still be malformed, or invalid: a number may be out of range, as 1e999, a text may hold control
    characters, which parsers refuse, or REPLACEMENT, for which the reader has to look.
    """
    members = ",".join(f'"{column.name}":{_VALUE[column.type]}' for column in contract.fields)
    return rf"\A\{{{members}\}}\z"
