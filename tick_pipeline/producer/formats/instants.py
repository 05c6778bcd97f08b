"""The times of trade files, vectorised: SQL that reads an instant as `event_time.parse_instant` does."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tick_pipeline.errors import TradeFileError
from tick_pipeline.event_time import US_PER_HOUR, US_PER_MINUTE, as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The groups of an ISO 8601 instant; hours over 23 and seconds over 59 are no instant.
_ISO = (
    r"^(\d{4}-\d{2}-\d{2})"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(?:Z|UTC|([+-]\d{2})(?::?(\d{2}))?)?$"
)
_ISO_GROUPS = ("date", "hour", "minute", "second", "fraction", "zone_hour", "zone_minute")
#: What most files write: a cast reads it four times faster than the groups above do.
_PLAIN = r"\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d([.]\d{1,6})?Z?"
_EPOCH = r"\d{1,19}([.]\d*)?"
#: WRDS and SAS write dates as 20240102 or 2024/01/02, and hours below ten with one digit.
_EXCHANGE = r"^(\d{4})[-/]?(\d{2})[-/]?(\d{2})[T ]+(\d{1,2}:.*)$"


class WallTime(Enum):
    """Why a local time names no single instant."""

    MISSING = "missing"
    AMBIGUOUS = "ambiguous"


def instant_sql(relation: str, *, text: str) -> str:
    """A query for the columns of `relation` and what its column `text` says as a time.

    It adds `wall_us`, the time as written, in microseconds, and `zone_us`, the offset written after
    it (0 for `Z`, `UTC` and for epoch numbers, null where none is written); wall_us is null where
    the text is no time. Decimals beyond microseconds are cut. A number is seconds, milliseconds,
    microseconds or nanoseconds since the epoch by its magnitude (from 1e11, 1e14 and 1e17 on), and
    may have decimals, cut alike.
    """
    groups = ", ".join(f"'{name}'" for name in _ISO_GROUPS)
    return f"""
    select * exclude (iso, kind),
        case kind when 'plain' then epoch_us(try_cast({text} as timestamp))
            when 'epoch' then {_epoch_us(text)} else {_iso_us("iso")} end as wall_us,
        case when kind = 'epoch' or regexp_matches({text}, '(Z|UTC)$') then 0
            when kind is null then {_offset_us("iso")} end as zone_us
    from (
        select *, case when kind is null then regexp_extract({text}, '{_ISO}', [{groups}]) end as iso
        from (
            select *, case when regexp_full_match({text}, '{_PLAIN}') then 'plain'
                when regexp_full_match({text}, '{_EPOCH}') then 'epoch' end as kind
            from {relation}))
    """  # noqa: S608  (names and patterns are this package's)


def exchange_text_sql(text: str) -> str:
    """SQL that writes an exchange's local date and time (`20240102 9:30:00.5`) as ISO 8601 does."""
    iso = f"regexp_replace({text}, '{_EXCHANGE}', '\\1-\\2-\\3 \\4')"
    return f"regexp_replace({iso}, '^(.{{10}}) (\\d:)', '\\1 0\\2')"


def local_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        TradeFileError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TradeFileError(
            f"--timezone {name!r} is no time zone; take an IANA name, as America/New_York"
        ) from error


def local_minutes(
    minutes: Iterable[int], zone: ZoneInfo
) -> list[tuple[int, int | None, str | None]]:
    """What each minute of local time is in UTC: (minute, offset in microseconds, WallTime or None).

    No zone has changed its clocks within a minute since 2000. A minute that the clocks skip, or
    show twice, has no offset: guessing one of two instants would move trades by an hour unseen.

    Args:
        minutes: minutes of local time since 1970-01-01T00:00.
        zone: whose local time.
    """
    return [(minute, *_offset_of(minute, zone)) for minute in minutes]


def _offset_of(minute: int, zone: ZoneInfo) -> tuple[int | None, str | None]:
    wall = as_datetime(minute * US_PER_MINUTE).replace(tzinfo=zone)
    before, after = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    if before is None or after is None:
        raise TradeFileError(f"the time zone {zone.key} tells no offset at {wall:%Y-%m-%dT%H:%M}")
    if before == after:
        return before // timedelta(microseconds=1), None
    # PEP 495: the second reading has the smaller offset where clocks go back.
    return None, (WallTime.AMBIGUOUS if before > after else WallTime.MISSING).value


def _epoch_us(text: str) -> str:
    whole = f"try_cast(split_part({text}, '.', 1) as bigint)"
    fraction = f"split_part({text}, '.', 2)"
    # Integers throughout: a double holds no microseconds of today in nanoseconds.
    return f"""case
        when {whole} < 100000000000
            then {whole} * 1000000 + rpad({fraction}, 6, '0')::bigint
        when {whole} < 100000000000000
            then {whole} * 1000 + rpad({fraction}, 3, '0')::bigint
        when {whole} < 100000000000000000 then {whole}
        else {whole} // 1000 end"""


def _iso_us(iso: str) -> str:
    def number(name: str) -> str:
        return f"coalesce(try_cast({iso}.{name} as bigint), 0)"

    return (
        f"epoch_us(try_cast({iso}.date as date)::timestamp)"
        f" + {number('hour')} * {US_PER_HOUR} + {number('minute')} * {US_PER_MINUTE}"
        f" + {number('second')} * 1000000 + rpad({iso}.fraction, 6, '0')::bigint"
    )


def _offset_us(iso: str) -> str:
    hours = f"try_cast({iso}.zone_hour as bigint)"
    minutes = f"coalesce(try_cast({iso}.zone_minute as bigint), 0)"
    sign = f"if({iso}.zone_hour[1] = '-', -1, 1)"
    return f"({hours} * {US_PER_HOUR} + {sign} * {minutes} * {US_PER_MINUTE})"
