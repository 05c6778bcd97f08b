"""Whether data enters the stream is judged by the age of the newest record and by how shards share the load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tick_pipeline.doctor.entering import judge
from tick_pipeline_tests.doctor.facts import ago, entering, load

if TYPE_CHECKING:
    from tick_pipeline.stream.load import StreamLoad


@pytest.mark.parametrize(
    ("found", "failure", "verdict", "told"),
    [
        (load(250, 260, 240, 250), "", "ok", "the newest record came 3 s ago"),
        (load(newest_arrival_us=None), "no-arrivals", "warn", "nothing was sent yet"),
        (
            load(newest_arrival_us=None, known_since_us=ago(10_800)),
            "no-arrivals",
            "warn",
            "no record came since 2026-03-02T09:20:00Z",
        ),
        (load(9, newest_arrival_us=ago(899)), "", "ok", "15 min ago"),
        (
            load(9, newest_arrival_us=ago(7300)),
            "no-arrivals",
            "warn",
            "2.0 h ago: do the producers",
        ),
    ],
)
def test_silence_is_told_by_its_length(
    found: StreamLoad, failure: str, verdict: str, told: str
) -> None:
    arrivals = judge(entering(found))[0]
    assert (arrivals.subject, arrivals.failure, arrivals.verdict.value) == (
        "arrivals",
        failure,
        verdict,
    )
    assert told in arrivals.statement
    assert bool(failure) == bool(arrivals.next)


@pytest.mark.parametrize(
    ("found", "open_seconds", "failure", "told"),
    [
        (load(9, newest_arrival_us=ago(200_000)), 0, "", "closed since then"),
        (load(9, newest_arrival_us=ago(200_000)), 840, "", "2.3 days ago, 14 min of it while the"),
        (load(9, newest_arrival_us=ago(200_000)), 960, "no-arrivals", "16 min of it while the"),
        # Whole minutes are counted, and may be more than there were.
        (load(9, newest_arrival_us=ago(890)), 960, "", "15 min of it"),
        (load(newest_arrival_us=None, known_since_us=ago(10_800)), 0, "", "no record came since"),
        (
            load(newest_arrival_us=None, known_since_us=ago(10_800)),
            1200,
            "no-arrivals",
            "20 min of it",
        ),
        # A pipeline that was never fed is told so on a Sunday, too.
        (load(newest_arrival_us=None), 0, "no-arrivals", "nothing was sent yet"),
    ],
)
def test_silence_counts_while_the_market_is_open(
    found: StreamLoad, open_seconds: float, failure: str, told: str
) -> None:
    facts = replace(entering(found), calendar="XNYS", open_seconds=open_seconds)
    arrivals = judge(facts)[0]
    assert arrivals.failure == failure
    assert told in arrivals.statement


@pytest.mark.parametrize(
    ("records", "hot"),
    [
        ((250, 250, 250, 250), False),
        # The simulator's ten symbols over four shards, and five of them.
        ((100, 320, 340, 240), False),
        ((180, 300, 520, 0), False),
        ((100, 100, 700, 100), True),
        ((700, 300), False),
        ((990, 10), True),
        # Of few records, or one shard, a share says nothing.
        ((0, 0, 499, 0), False),
        ((1000,), False),
        # Four times a fair share of a hundred shards.
        ((50, *([10] * 99)), True),
        ((30, *([10] * 99)), False),
    ],
)
def test_a_shard_is_hot_when_it_takes_far_more_than_its_fair_share(
    records: tuple[int, ...], hot: bool
) -> None:
    (shards,) = (item for item in judge(entering(load(*records))) if item.subject == "shards")
    assert (shards.failure == "hot-shard") == hot
    if hot:
        assert shards.verdict.value == "warn"
        assert "AAPL" in shards.statement
        assert "PINNED_SYMBOLS=AAPL" in shards.next


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=64))
def test_no_load_that_is_spread_evenly_has_a_hot_shard(records: list[int]) -> None:
    level = max(records)
    found = judge(entering(load(*[level] * len(records))))
    assert all(finding.failure != "hot-shard" for finding in found)


def test_throttling_fails_and_refused_records_warn() -> None:
    findings = judge(entering(load(500, throttled=7), rejected=3))
    failures = {finding.failure: finding.verdict.value for finding in findings if finding.failure}
    assert failures == {"throttled": "fail", "rejected-records": "warn"}


def test_what_could_not_be_seen_is_not_judged() -> None:
    assert [finding.subject for finding in judge(entering(None))] == ["rejected"]
    quiet = judge(entering(load(9, shards=None)))
    assert [finding.subject for finding in quiet] == ["arrivals", "rejected"]
