"""Promise `bad_records_are_kept`: what failed is put again after a fix, once, whatever happens in between."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tick_pipeline.errors import InputError, LandingError
from tick_pipeline.event_time import US_PER_HOUR, now_us
from tick_pipeline.landing.error_records import UNREADABLE
from tick_pipeline.landing.redrive_groups import Group, RedriveRequest, State
from tick_pipeline.landing.redrive_mending import Mending, parse_mending
from tick_pipeline.landing.redrive_records import Kind, encode_record
from tick_pipeline.storage import StorageMode
from tick_pipeline.stream.port import MAX_RECORD_BYTES
from tick_pipeline_tests.contracts.broken_ticks import GOOD
from tick_pipeline_tests.landing.redrive_world import KilledError, World

if TYPE_CHECKING:
    from tick_pipeline.landing.redrive import RedriveSummary

ICEBERG, PARQUET = StorageMode
MODES = tuple(StorageMode)
MENDING = parse_mending(["price=7"], ["venue"])


def request(mending: Mending = MENDING, **changes: Any) -> RedriveRequest:
    """All records of the last hour."""
    asked: dict[str, Any] = {"modes": MODES, "since_us": now_us() - US_PER_HOUR, "mending": mending}
    return RedriveRequest(**asked | changes)


def record(sequence: int, **changes: Any) -> bytes:
    """A tick's bytes."""
    number = {"sequence": sequence + 1, "event_id": f"a:{sequence}"}
    return encode_record({**GOOD, **number, **changes})


def group(summary: RedriveSummary, reason: str) -> Group:
    """The one of a reason."""
    [found] = [item for item in summary.groups if item.reason == reason]
    return found


def states(summary: RedriveSummary) -> dict[str, int]:
    """State -> records, without states that none has."""
    counts = {state.value: summary.count(state) for state in State}
    return {name: count for name, count in counts.items() if count}


_POOL = [
    *(record(number) for number in range(4)),
    *(record(number, price=str(number)) for number in range(4, 8)),
    *(record(number, venue="X") for number in range(4, 8)),
    b"{",
    record(9, symbol=None),
]
_CALLS = st.tuples(
    st.sampled_from(["redrive", "redrive without mending", "fail", "fail again"]),
    st.lists(st.tuples(st.sampled_from(_POOL), st.sampled_from([*MODES, None])), max_size=5),
    st.one_of(st.none(), st.tuples(st.integers(1, 3), st.booleans())),
)


@settings(max_examples=150)
@given(calls=st.lists(_CALLS, max_size=8))
def test_bad_records_are_put_again_once_wherever_a_redrive_is_killed(calls: list[Any]) -> None:
    """No bytes are ever twice in the stream; in the end, all that could be put was, also what failed again."""
    world = World()
    for call, failing, death in calls:
        if call == "fail":
            for data, mode in failing:
                world.fail(data, *(MODES if mode is None else (mode,)))
        elif call == "fail again":
            for data in world.put[-2:]:
                world.fail(data, *MODES)
        else:
            world.steps_to_live, world.dies_before = death or (None, False)
            mending = MENDING if call == "redrive" else Mending()
            with suppress(KilledError):
                world.redrive().put(request(mending))
            world.steps_to_live = None
    final = world.redrive().put(request())
    assert max(Counter(world.put).values(), default=1) == 1
    wanted = _wanted(world)
    assert set(world.put) == wanted
    assert set(states(final)) <= {"ready", "redriven", "left"}
    assert states(world.redrive().put(request())).get("ready", 0) == 0


def _wanted(world: World) -> set[bytes]:
    """What must be in the stream for what lies in the error prefixes: an independent account."""
    failed = {item.data for of_mode in world.errors.values() for item in of_mode}
    wanted: set[bytes] = set()
    for data in failed:
        try:
            members = json.loads(data)
        except ValueError:
            continue
        if members["symbol"] is None:
            continue
        if isinstance(members["price"], str):
            wanted.add(encode_record({**members, "price": 7.0}))
        elif members.pop("venue", None):
            wanted.add(encode_record(members))
        else:
            wanted.add(data + b"\n")
    return wanted


def test_a_record_that_both_modes_refused_is_put_once() -> None:
    world = World()
    world.fail(record(1, price="x"), *MODES, code="not_for_us")
    row = {**GOOD, "price": -1.0, "broken_rule": "price_exclusive_minimum"}
    for mode in MODES:
        world.rows[mode].append(row)
    summary = world.redrive().put(request())
    assert summary.put == 2
    assert sorted(world.put) == sorted(
        [record(1, price=7.0), encode_record({**GOOD, "price": 7.0})]
    )
    assert [key for key, _, _ in world.stream] == [GOOD["symbol"]] * 2
    for reason, kind in (
        ("wrong_type", Kind.MALFORMED),
        ("price_exclusive_minimum", Kind.INVALID),
    ):
        found = group(summary, reason)
        assert (found.kind, found.records) == (kind, 1)
        assert found.by_mode == {"iceberg": 1, "parquet_projection": 1}
    assert states(world.redrive().put(request())) == {"redriven": 2}
    assert len(world.put) == 2


def test_two_records_that_are_mended_to_the_same_tick_are_put_once() -> None:
    """As a price that one mode's Firehose could not read and the other's stored, wrongly."""
    world = World()
    world.fail(record(1, price="x"), ICEBERG)
    world.rows[PARQUET].append({**json.loads(record(1)), "price": -1.0, "broken_rule": "r"})
    assert world.redrive().put(request()).put == 1
    assert states(world.redrive().survey(request())) == {"redriven": 2}


def test_a_survey_changes_nothing_and_tells_what_a_put_would_do() -> None:
    world = World()
    for number in range(5):
        world.fail(record(number), ICEBERG)
    world.fail(b"{", *MODES)
    summary = world.redrive().survey(request())
    assert states(summary) == {"ready": 5, "left": 1}
    assert (world.stream, world.texts) == ([], {})
    found = group(summary, "Delivery.Failed")
    assert (found.kind, found.records, len(found.samples)) == (Kind.DELIVERY, 5, 3)
    assert found.samples[0].data == record(0).decode()
    assert found.samples[0].told == "Delivery.Failed: why"
    assert found.oldest_us is not None
    assert found.newest_us is not None
    assert found.oldest_us <= found.newest_us <= now_us()
    assert [item.reason for item in summary.groups] == ["Delivery.Failed", "not_json"]


def test_what_is_valid_by_the_contract_is_never_mended() -> None:
    """Its price is right; only its delivery failed."""
    world = World()
    world.fail(record(1, price=3.5), ICEBERG)
    world.redrive().put(request())
    assert world.put == [record(1, price=3.5) + b"\n"]


def test_what_failed_again_is_open_again_and_told() -> None:
    world = World()
    world.fail(record(1), ICEBERG)
    for attempt in range(1, 4):
        assert world.redrive().put(request(Mending())).put == 1
        assert world.put[-1] == record(1) + b"\n" * attempt
        assert world.redrive().put(request(Mending())).put == 0
        world.fail(world.put[-1], ICEBERG)
        found = group(world.redrive().survey(request()), "Delivery.Failed")
        assert (found.records, found.state(State.READY), found.again) == (attempt + 1, 1, attempt)
        assert [sample.data for sample in found.samples] == [world.put[-1].decode()]


def test_only_asked_reasons_and_symbols_are_put() -> None:
    world = World()
    for number, symbol in enumerate(("AAA", "BBB", "BBB")):
        world.fail(record(number, symbol=symbol, price="x"), ICEBERG)
    world.fail(record(8, symbol="BBB"), ICEBERG)
    asked = request(only=frozenset({"wrong_type"}), symbols=frozenset({"BBB"}))
    summary = world.redrive().put(asked)
    assert states(summary) == {"ready": 2, "not asked for": 2}
    assert summary.put == 2


def test_a_reason_that_no_record_has_lists_those_there_are() -> None:
    world = World()
    typo = request(only=frozenset({"wrong_tpye", "not_json"}))
    with pytest.raises(InputError, match=r"--only not_json: .*none failed at all in that time"):
        world.redrive().survey(typo)
    world.fail(b"{", ICEBERG)
    world.fail(record(1), ICEBERG)
    with pytest.raises(InputError, match=r"wrong_tpye: .*there are Delivery.Failed, not_json"):
        world.redrive().put(typo)
    assert world.put == []


def test_what_would_fail_again_stays_with_its_reason() -> None:
    world = World()
    world.fail(b"{", ICEBERG)
    world.fail(record(1, symbol=None, price="x"), ICEBERG)
    world.fail(record(2, source="s" * (MAX_RECORD_BYTES - 150)), ICEBERG)
    world.fail(b"no line", ICEBERG, code=UNREADABLE)
    summary = world.redrive().put(request(), None)
    assert summary.put == 0
    assert {item.reason: item.left for item in summary.groups} == {
        "not_json": {"not_json": 1},
        "wrong_type": {"symbol_null": 1},
        "Delivery.Failed": {"too_large": 1},
        UNREADABLE: {UNREADABLE: 1},
    }
    assert group(summary, UNREADABLE).kind is Kind.UNREADABLE


def test_a_tick_that_no_partition_would_show_is_not_put() -> None:
    world = World()
    world.fail(record(1), ICEBERG)
    summary = world.redrive(first_event_us=GOOD["event_ts"] + 1).put(request())
    assert (summary.put, group(summary, "before_partitions_start").records) == (0, 1)
    assert "TICK_PIPELINE_PARTITIONS_START" in summary.groups[0].samples[0].message


def test_a_redrive_that_goes_on_or_was_killed_is_told() -> None:
    """Without knowing better, nobody puts what may be in the stream already."""
    world = World()
    world.fail(record(1), ICEBERG)
    world.steps_to_live = 2
    with pytest.raises(KilledError):
        world.redrive().put(request())
    world.steps_to_live = None
    assert len(world.put) == 1
    assert states(world.redrive().survey(request())) == {"under way": 1}
    summary = world.redrive().put(request())
    assert (summary.put, summary.recovered, states(summary)) == (0, 1, {"redriven": 1})
    assert len(world.put) == 1


def test_progress_is_told_and_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for number in range(7):
        world.fail(record(number), ICEBERG)
    monkeypatch.setattr("tick_pipeline.landing.redrive._RECORDS_PER_PLAN", 3)
    told: list[tuple[int, int]] = []
    world.redrive().put(request(), lambda done, expected: told.append((done, expected)))
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert len(world.texts) == 3


def test_what_fails_while_a_redrive_goes_on_is_for_the_next() -> None:
    """Else a record that fails at once would be put for ever."""
    world = World()
    world.fail(record(1), ICEBERG)
    world.redrive().put(
        request(),
        lambda _done, _expected: world.fail(world.put[-1], ICEBERG),
    )
    assert len(world.put) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"version":1}', '{"version":9,"records":[]}'])
def test_a_memory_that_cannot_be_read_is_one_line(text: str) -> None:
    world = World(texts={"00000000000000001-x.json": text})
    world.fail(record(1), ICEBERG)
    with pytest.raises(LandingError, match=r"^00000000000000001-x.json of the redrive's memory"):
        world.redrive().put(request())
    assert world.put == []
