"""The constructs that the query files may use, each with values that Athena documents for it.

A query file may use nothing that is not here: a translation that is silently wrong would show in a value.
Sources: https://docs.aws.amazon.com/athena/latest/ug/functions.html and, for the engine below it,
https://trino.io/docs/current/functions.html. A key is the parser's name of a construct, in Athena's dialect;
functions that it does not know have parentheses.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlglot import exp

UTC = timezone.utc
_T = "timestamp '2026-03-01 09:47:31.531657 UTC'"
_ROWS = "(values (1, 'a', 2e0), (2, 'b', 0.5e0), (3, 'a', null)) as t(n, s, x)"
_PAIR = "(values (1), (2)) as l(n) {join} join (values (2), (3)) as r(n) on l.n = r.n"

_SUM_AB, _SUM_BA, _SUM_AA = (
    f"(select checksum(s) from (values '{first}', '{second}') as t(s))"
    for first, second in ("ab", "ba", "aa")
)

PROVEN: dict[str, list[tuple[str, list[tuple[Any, ...]]]]] = {
    "Abs": [("select abs(-2.5e0), abs(2.5e0)", [(2.5, 2.5)])],
    "Add": [("select 1 + 2, 0.1e0 + 0.2e0", [(3, 0.30000000000000004)])],
    "Alias": [("select 1 as one", [(1,)])],
    "And": [("select true and false, null and false", [(False, False)])],
    "ArgMax": [
        (f"select max_by(s, n) from {_ROWS}", [("a",)]),
        (
            "select max_by(s, row(n, s)) from (values (1, 'z'), (2, 'a'), (2, 'b')) as t(n, s)",
            [("b",)],
        ),
    ],
    "ArgMin": [
        (f"select min_by(s, x) from {_ROWS}", [("b",)]),
        (
            "select min_by(s, row(n, s)) from (values (1, 'z'), (1, 'a'), (2, 'b')) as t(n, s)",
            [("a",)],
        ),
    ],
    "Avg": [(f"select avg(n), avg(x) from {_ROWS}", [(2.0, 1.25)])],
    "Boolean": [("select true, false", [(True, False)])],
    "CTE": [("with t as (select 7 as n) select n from t", [(7,)])],
    "Case": [
        (
            "select case when null then 1 when 2 > 1 then 2 else 3 end, case when false then 1 end",
            [(2, None)],
        )
    ],
    "Coalesce": [("select coalesce(null, 2, 3)", [(2,)])],
    "Column": [(f"select t.n from {_ROWS} where t.n = 1", [(1,)])],
    "Count": [(f"select count(*), count(x) from {_ROWS}", [(3, 2)])],
    "CountIf": [
        (f"select count_if(n > 1), count_if(x > 1) from {_ROWS}", [(2, 1)]),
        (f"select count_if(n > 1) from {_ROWS} where n > 9", [(0,)]),
    ],
    "Div": [
        (
            "select 7e0 / 2, 1 / 4e0, 1e0 / 0e0, -1e0 / 0e0",
            [(3.5, 0.25, float("inf"), float("-inf"))],
        )
    ],
    "EQ": [("select 1 = 1, 'a' = 'b', null = null", [(True, False, None)])],
    "Floor": [("select floor(2.7e0), floor(-2.1e0)", [(2.0, -3.0)])],
    "From": [(f"select n from {_ROWS} where n = 3", [(3,)])],
    "GT": [("select 2 > 1, 2 > 2", [(True, False)])],
    "GTE": [("select 2 >= 2, 1 >= 2", [(True, False)])],
    "Greatest": [
        ("select greatest(1e0, 3e0, 2e0), greatest(1e0, null)", [(3.0, None)]),
    ],
    "Group": [(f"select s, sum(n) from {_ROWS} group by s order by s", [("a", 4), ("b", 2)])],
    "Hex": [("select to_hex(to_utf8('az'))", [("617A",)])],
    "Identifier": [('select 1 as "One"', [(1,)])],
    "If": [("select case when 1 > 2 then 'x' else 'y' end", [("y",)])],
    "In": [
        (
            "select 'a' in ('a', 'b'), 'c' in ('a', 'b'), 'c' not in ('a'), null in ('a')",
            [(True, False, True, None)],
        )
    ],
    "Is": [("select null is null, 1 is null", [(True, False)])],
    "Join": [
        (f"select l.n, r.n from {_PAIR.format(join='left')} order by l.n", [(1, None), (2, 2)]),
        (
            f"select l.n, r.n from {_PAIR.format(join='full')} order by l.n, r.n",
            [(1, None), (2, 2), (None, 3)],
        ),
        (
            "select l.n, r.n from (values (1), (2)) as l(n) cross join (values (3)) as r(n) order by l.n",
            [(1, 3), (2, 3)],
        ),
    ],
    "LT": [("select 1 < 2, 2 < 2", [(True, False)])],
    "LTE": [("select 2 <= 2, 3 <= 2", [(True, False)])],
    "Lag": [
        (
            f"select n, lag(n) over (partition by s order by n) from {_ROWS} order by n",
            [(1, None), (2, None), (3, 1)],
        )
    ],
    "Literal": [("select 1, 'it''s', 1e-9, 60e0", [(1, "it's", 1e-9, 60.0)])],
    "Max": [(f"select max(n), max(x), max(s) from {_ROWS}", [(3, 2.0, "b")])],
    "Min": [(f"select min(n), min(x), min(s) from {_ROWS}", [(1, 0.5, "a")])],
    "Mul": [("select 3 * 4, 0.1e0 * 3", [(12, 0.30000000000000004)])],
    "NEQ": [("select 1 <> 2, 1 <> null", [(True, None)])],
    "Not": [("select not true, not null", [(False, None)])],
    "Null": [("select null", [(None,)])],
    "NullSafeEQ": [
        ("select null is not distinct from null, 1 is not distinct from null", [(True, False)])
    ],
    "NullSafeNEQ": [
        ("select null is distinct from null, 1 is distinct from null", [(False, True)])
    ],
    "Nullif": [("select nullif(0e0, 0e0), nullif(1e0, 0e0)", [(None, 1.0)])],
    "Or": [("select true or null, false or false", [(True, False)])],
    "Order": [
        (f"select x from {_ROWS} order by x", [(0.5,), (2.0,), (None,)]),
        # Nulls are last in Athena in either direction.
        (f"select x from {_ROWS} order by x desc", [(2.0,), (0.5,), (None,)]),
    ],
    "Ordered": [(f"select n from {_ROWS} order by s desc, n", [(2,), (1,), (3,)])],
    "Paren": [("select (1 + 2) * 3", [(9,)])],
    "Placeholder": [("select :given + 1", [(42,)])],
    "RowNumber": [
        (
            f"select n, row_number() over (partition by s order by n desc) from {_ROWS} order by n",
            [(1, 2), (2, 1), (3, 1)],
        )
    ],
    "Select": [("select 1", [(1,)])],
    "Star": [(f"select count(*) from {_ROWS}", [(3,)])],
    "Struct": [("select row(1, 'b') < row(1, 'c'), row(2, 'a') < row(1, 'z')", [(True, False)])],
    "Sub": [("select 3 - 5, 0.3e0 - 0.1e0", [(-2, 0.19999999999999998)])],
    "Subquery": [("select n from (select 5 as n) as t", [(5,)])],
    "Sum": [
        (f"select sum(n), sum(x) from {_ROWS}", [(6, 2.5)]),
        (f"select sum(n) from {_ROWS} where n > 9", [(None,)]),
    ],
    "Table": [("with t as (select 1 as n) select n from t", [(1,)])],
    "TableAlias": [("select a.n from (select 1 as n) as a", [(1,)])],
    "TimeToUnix": [(f"select to_unixtime({_T})", [(1772358451.531657,)])],
    "TimestampTrunc": [
        (
            f"select date_trunc('hour', {_T}), date_trunc('minute', {_T})",
            [(datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, 9, 47, tzinfo=UTC))],
        ),
        (
            f"select date_trunc('second', {_T})",
            [(datetime(2026, 3, 1, 9, 47, 31, tzinfo=UTC),)],
        ),
    ],
    "Union": [("select 1 as n union select 1 union select 2 order by n", [(1,), (2,)])],
    "UnixToTime": [
        ("select from_unixtime(1772358451e0)", [(datetime(2026, 3, 1, 9, 47, 31, tzinfo=UTC),)])
    ],
    "Var": [(f"select date_trunc('hour', {_T})", [(datetime(2026, 3, 1, 9, tzinfo=UTC),)])],
    "Where": [(f"select n from {_ROWS} where x > 1", [(1,)])],
    "Window": [
        (f"select sum(n) over (partition by s) from {_ROWS} order by n", [(4,), (2,), (4,)]),
        (f"select count(*) over (partition by s) from {_ROWS} order by n", [(2,), (1,), (2,)]),
        # Nulls are of one partition.
        (
            "select count(*) over (partition by s) as n from (values (null), (null), ('a')) as t(s) order by n",
            [(1,), (2,), (2,)],
        ),
    ],
    "With": [("with t as (select 7 as n) select n from t", [(7,)])],
    # Its value is the engine's own: what is compared is that it tells sets apart and not orders.
    "checksum()": [
        (
            f"select {_SUM_AB} = {_SUM_BA}, {_SUM_AB} = {_SUM_AA}",
            [(True, False)],
        )
    ],
    "is_finite()": [
        (
            "select is_finite(1e308), is_finite(1e0 / 0e0), is_finite(-1e0 / 0e0), is_finite(0e0 / 0e0)",
            [(True, False, False, False)],
        ),
        (f"select is_finite(x) from {_ROWS} order by n", [(True,), (True,), (None,)]),
    ],
}


def construct_of(node: exp.Expr) -> str:
    """The key of a node."""
    if isinstance(node, exp.Anonymous):
        return f"{node.name.lower()}()"
    return type(node).__name__
