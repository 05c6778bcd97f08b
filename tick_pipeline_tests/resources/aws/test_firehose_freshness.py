"""Whether a Firehose has delivered a closed hour, from what it and the stream told."""

from __future__ import annotations

import pytest

from tick_pipeline.event_time import US_PER_SECOND, parse_instant
from tick_pipeline.resources.aws.firehose_freshness import Signals, judge

NOW_US = parse_instant("2026-01-02T12:00:00Z")


def at(seconds_ago: float, value: float) -> tuple[int, float]:
    return NOW_US - round(seconds_ago * US_PER_SECOND), value


AT_THE_END = [at(30, 0)]


@pytest.mark.parametrize(
    ("freshness", "behind", "incoming", "caught_up", "description"),
    [
        (
            [at(120, 42)],
            AT_THE_END,
            [at(60, 9)],
            True,
            "all that came before 2026-01-02T11:57:18Z: M was 42 s at 2026-01-02T11:58:00Z",
        ),
        ([at(60, 539.9)], AT_THE_END, [], True, None),
        # The newest counts, in whichever order they come.
        ([at(60, 42), at(600, 1234)], AT_THE_END, [], True, None),
        ([at(60, 1234)], AT_THE_END, [], False, "behind: M was 1,234 s at 2026-01-02T11:59:00Z"),
        # Told so late that records of the hour's end may wait: no harm where the last came before.
        ([at(60, 540)], AT_THE_END, [at(30, 1)], False, None),
        (
            [at(60, 540)],
            AT_THE_END,
            [at(700, 1)],
            True,
            "all: it delivered after the last records, which came at 2026-01-02T11:48:20Z",
        ),
        # Catching up: it took the records a minute ago, the stream had them an hour before.
        (
            [at(60, 70)],
            [at(60, 3_600_000), at(30, 3_500_000)],
            [at(60, 9)],
            False,
            "behind: M was 70 s at 2026-01-02T11:59:00Z, reading 3,600 s behind the stream",
        ),
        # Blocked, it tells no age: only that it reads at the end while none comes says that all is done.
        ([], AT_THE_END, [], True, "all: no record came since 2026-01-02T09:00:00Z"),
        (
            [],
            [],
            [],
            False,
            "not known: 0 records came since 2026-01-02T09:00:00Z, there is no M, and it tells nothing",
        ),
        ([], [at(30, 9_000)], [], False, None),
        (
            [],
            AT_THE_END,
            [at(300, 1000), at(60, 234)],
            False,
            (
                "not known: 1,234 records came since 2026-01-02T09:00:00Z, there is no M, and it "
                "reads 0 s behind the stream"
            ),
        ),
        # Blocked since then: the last records came after the last delivery.
        ([at(3600, 0)], AT_THE_END, [at(1300, 5), at(3700, 70)], False, None),
    ],
)
def test_states(
    freshness: list[tuple[int, float]],
    behind: list[tuple[int, float]],
    incoming: list[tuple[int, float]],
    caught_up: bool,
    description: str | None,
) -> None:
    """An hour closes after 600 s."""
    signals = Signals(freshness, behind, incoming)
    found = judge("M", signals, now_us=NOW_US, close_after_seconds=600)
    assert found.caught_up is caught_up, found.description
    assert description in (None, found.description)
    assert caught_up is (NOW_US - found.delivered_until_us < 600 * US_PER_SECOND)
