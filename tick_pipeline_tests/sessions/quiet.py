"""An hour in which symbols lack candles, each for another reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, now_us
from tick_pipeline.landing.error_records import ErrorRecord, write_errors
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.storage import ErrorType, StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    candles_of,
    land,
    store_candles,
    tick,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.home import Home

MODES = tuple(StorageMode)
#: 10:00 .. 11:00 UTC of Sunday, 1 March 2026; its begin as seconds after 09:00.
HOUR_US = START_US + US_PER_HOUR
_TEN = 3600


def _ticks() -> list[dict[str, Any]]:
    """Four symbols around ten o'clock: each lacks candles for another reason."""
    found = [tick("BUSY", _TEN + 60 * minute, minute + 1) for minute in range(60)]
    # None between 10:10 and 10:40; number 12 was never seen.
    found += [tick("GAP", _TEN + 60 * minute, minute + 1) for minute in range(11)]
    found += [tick("GAP", _TEN + 60 * minute, minute - 27) for minute in range(40, 60)]
    # The same silence, with the next number after it; one tick of it is invalid, and one malformed.
    found += [tick("RARE", _TEN + 60 * minute, minute + 1) for minute in range(11)]
    found += [tick("RARE", _TEN + 60 * 20 + 5, 12, price=-1.0)]
    found += [tick("RARE", _TEN + 60 * minute, minute - 27) for minute in range(40, 60)]
    # Silent in the whole hour, without a number missing.
    found += [tick("CALM", _TEN - 600, 1), tick("CALM", _TEN + 3700, 2)]
    return found


def quiet_home(folder: Path) -> Home:
    """A HOME in a folder that does not exist yet, with an hour in which symbols lack candles, in both modes."""
    home = open_home(load_settings(home=folder, _env_file=None))
    records = _ticks()
    land(home, records, MODES)
    valid = [record for record in records if record["price"] > 0]
    store_candles(home, "1m", candles_of(valid), MODES)
    text = f'{{"symbol": "RARE", "event_ts": {HOUR_US + 30 * US_PER_MINUTE}, "price": "1"}}'
    failed = ErrorRecord("", "", "not_a_number", "price", now_us(), text.encode())
    for mode in MODES:
        write_errors(
            str(home.warehouse),
            mode,
            ErrorType.FORMAT_CONVERSION_FAILED,
            "failed",
            [failed],
            ended_us=now_us(),
        )
    return home
