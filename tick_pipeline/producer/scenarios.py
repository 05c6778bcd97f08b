"""The scenarios by name: what each makes of the paths, and what it injects how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tick_pipeline.errors import ScenarioError
from tick_pipeline.producer.walk import STEADY, TREND, VOLATILE


class EventKind(str, Enum):
    """What can happen to one symbol for a while."""

    SPIKE = "spike"
    FLASH_CRASH = "flash_crash"
    HALT = "halt"


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
        name: as the user gives it.
        description: one line for people.
        paths: path kinds, dealt out to the symbols in turn.
        events: kinds of events, dealt out in turn; empty for none.
        event_spacing_seconds: mean time between two events of a symbol, at least 600.
        bad_share: share of ticks whose record is malformed or invalid.
        late_share: share of ticks held back beyond the lateness.
        duplicate_share: share of ticks sent again.
    """

    name: str
    description: str
    paths: tuple[str, ...] = (STEADY,)
    events: tuple[EventKind, ...] = ()
    event_spacing_seconds: float = 900
    bad_share: float = 0.0
    late_share: float = 0.0
    duplicate_share: float = 0.0


_ALL = (
    Scenario("steady", "an ordinary day"),
    Scenario("trend", "every symbol drifts by 3 % an hour, two hours up, two down", paths=(TREND,)),
    Scenario("volatile", "three times the volatility, twice the spread", paths=(VOLATILE,)),
    Scenario(
        "flash_crash",
        "a symbol falls at once and recovers within a minute",
        events=(EventKind.FLASH_CRASH,),
        event_spacing_seconds=1800,
    ),
    Scenario("spikes", "single trades far off the price", events=(EventKind.SPIKE,)),
    Scenario(
        "halt",
        "a symbol stops trading for minutes, then reopens",
        events=(EventKind.HALT,),
        event_spacing_seconds=1800,
    ),
    Scenario("bad_records", "2 % of the records are malformed or invalid", bad_share=0.02),
    Scenario("late", "1 % of the ticks come later than the lateness allows", late_share=0.01),
    Scenario(
        "duplicates",
        "2 % of the ticks come twice, one in five with another price",
        duplicate_share=0.02,
    ),
    Scenario(
        "mixed",
        "some of each, at modest rates",
        paths=(STEADY, STEADY, TREND, STEADY, VOLATILE),
        events=(EventKind.SPIKE, EventKind.FLASH_CRASH, EventKind.SPIKE, EventKind.HALT),
        event_spacing_seconds=1800,
        bad_share=0.001,
        late_share=0.002,
        duplicate_share=0.002,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}


def find_scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        ScenarioError: there is none; the message names them all.
    """
    if name not in SCENARIOS:
        raise ScenarioError(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
