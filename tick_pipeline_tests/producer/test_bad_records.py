"""Bad records: each is wrong in the way that its label says."""

from __future__ import annotations

from typing import Any

import pytest

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.decode import REASONS, MalformedError, decode
from tick_pipeline.contracts.rules import Dialect, broken_rule, claims
from tick_pipeline.producer.bad_records import BAD_KINDS, INVALID, MALFORMED, BadKind

TICK: dict[str, Any] = {
    "event_id": "sim-1:AAPL:7",
    "source": "sim-1",
    "sequence": 7,
    "symbol": "AAPL",
    "price": 187.43,
    "volume": 100.0,
    "event_ts": 1_767_225_600_000_001,
    "event_time": "2026-01-01T00:00:00.000001Z",
    "sent_ts": 1_767_225_600_000_500,
}


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_a_bad_record_is_wrong_as_its_label_says(kind: BadKind) -> None:
    """The strict decoder refuses a malformed one for that reason, and reads an invalid one."""
    data = kind.spoil(dict(TICK))
    if kind.classed == MALFORMED:
        with pytest.raises(MalformedError) as caught:
            decode(data)
        assert caught.value.reason == kind.reason
    else:
        assert broken_rule(load_contract("tick"), decode(data)) == kind.reason


def test_every_reason_to_be_malformed_has_a_record() -> None:
    assert {kind.reason for kind in BAD_KINDS if kind.classed == MALFORMED} == set(REASONS)


def test_every_rule_that_json_can_break_is_broken_by_a_record() -> None:
    """JSON has no text for an infinite number, and no event_ts makes a record malformed."""
    rules = {claim.name for claim in claims(load_contract("tick"), Dialect.DUCKDB)}
    impossible = {"price_finite", "volume_finite", "event_ts_null"}
    assert {kind.reason for kind in BAD_KINDS if kind.classed == INVALID} == rules - impossible


def test_kinds_have_names_of_their_own_and_both_classes_come_early() -> None:
    assert len({kind.name for kind in BAD_KINDS}) == len(BAD_KINDS)
    assert {kind.classed for kind in BAD_KINDS[:2]} == {MALFORMED, INVALID}
