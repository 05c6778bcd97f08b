"""The facts that the four questions are judged by, gathered through the ports of a deployment."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tick_pipeline.doctor.entering import Entering
from tick_pipeline.doctor.leaving import Leaving, ModeLeaving, closed_without_candles
from tick_pipeline.doctor.reading import ModeReading, OwnQuery, SmallFiles, Standard
from tick_pipeline.doctor.stored import ModeStored
from tick_pipeline.event_time import (
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_MINUTE,
    US_PER_SECOND,
    as_datetime,
    format_short,
    hour_floor,
)
from tick_pipeline.maintenance.plan import SMALL_BYTES, files_to_merge, standard_query
from tick_pipeline.queries.pruning import TimeRange
from tick_pipeline.sessions.calendar import ALWAYS_OPEN, session_minutes
from tick_pipeline.storage import RAW, TABLES, StorageMode, candle_table, table_location
from tick_pipeline.stream.intake import count_refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tick_pipeline.doctor.looking import Looker
    from tick_pipeline.resources.deployments import Deployment
    from tick_pipeline.resources.inspection import TableFile
    from tick_pipeline.resources.maintenance_port import SnapshotFacts
    from tick_pipeline.resources.null_columns import NullColumn
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.load import StreamLoad

_CANDLES = candle_table("1m")
#: Of the newest hours each data file's footer is read.
FOOTER_HOURS = 6
#: Small files that many readers open at once: one for each minute of an hour.
_MOST_OF_AN_HOUR = 60
#: The daily upkeep has passed by then.
_UPKEEP_US = 26 * US_PER_HOUR


class Gathering:
    """Looks at a deployment; each file is listed once.

    Args:
        deployment: which.
        settings: of it.
        looker: of what refuses.
        now_us: this moment, microseconds.
    """

    def __init__(
        self, deployment: Deployment, settings: Settings, looker: Looker, now_us: int
    ) -> None:
        self._at = deployment
        self._settings = settings
        self._modes = settings.storage_modes
        self._looker = looker
        self._now_us = now_us
        self._load: StreamLoad | None = None
        self._files: dict[tuple[StorageMode, str], list[TableFile] | None] = {}

    def entering(self) -> Entering:
        """What is known of the stream's intake."""
        self._load = self._looker.look(
            "the stream", lambda: self._at.stream_meter().measure(self._now_us, self._count_symbols)
        )
        folder = self._at.home.stream / "rejected"
        return Entering(
            now_us=self._now_us,
            load=self._load,
            rejected=count_refused(folder) if folder.exists() else 0,
            rejected_folder=str(folder),
            calendar=self._settings.calendar,
            open_seconds=self._open_seconds(),
        )

    def _open_seconds(self) -> float | None:
        """How long the market has been open since the newest record, or since nothing is known to have come."""
        load, calendar = self._load, self._settings.calendar
        since_us = load and (load.newest_arrival_us or load.known_since_us)
        if not since_us or calendar == ALWAYS_OPEN:
            return None
        minutes = range(since_us // US_PER_MINUTE, self._now_us // US_PER_MINUTE)
        sessions = self._looker.look("the calendar", lambda: session_minutes(calendar, minutes))
        return None if sessions is None else 60.0 * sum(map(len, sessions))

    def leaving(self) -> Leaving:
        """What is known of the deliveries and the hours that landed."""
        landing = self._at.landing()
        backlog = self._looker.look("the deliveries", landing.backlog) or {}
        since_us = self._load.start_us if self._load else None
        modes: list[ModeLeaving] = []
        for mode in self._modes:
            errors = self._looker.look(
                f"the errors of {mode}",
                lambda mode=mode: landing.recent_errors(mode, self._now_us - US_PER_DAY),
            )
            newest = None
            if errors and errors.count and since_us is not None:
                newest = self._looker.look(
                    f"the errors of {mode}",
                    lambda mode=mode, since_us=since_us: (
                        landing.recent_errors(mode, since_us).count
                    ),
                )
            raw, candles = self._landed(mode)
            modes.append(ModeLeaving(mode, backlog.get(mode), errors, newest, raw, candles))
        return Leaving(
            now_us=self._now_us,
            modes=tuple(modes),
            records_of_window=self._load.records if self._load else None,
            close_after_seconds=self._settings.close_after_seconds,
            deliver=self._at.after_put,
        )

    def stored(self) -> tuple[tuple[ModeStored, ...], str]:
        """What is known of columns, footers and strays; and the window of the files, in words."""
        newest_us = max(
            (file.hour_us for mode in self._modes for file in self._listed(mode, RAW) or ()),
            default=hour_floor(self._now_us),
        )
        start_us = newest_us - (FOOTER_HOURS - 1) * US_PER_HOUR
        window = f"the {FOOTER_HOURS} hours from {format_short(start_us)}"
        times = TimeRange(start_us, newest_us + US_PER_HOUR)
        return tuple(self._stored(mode, times) for mode in self._modes), window

    def reading(self, sql: str | None) -> tuple[tuple[ModeReading, ...], OwnQuery | None]:
        """What is known of plans, snapshots and small files; and of a query of the user's."""
        engine = self._at.query_engine()
        own = None
        if sql is not None:
            plan = self._looker.look("the query", lambda: engine.estimate(sql), given=True)
            own = None if plan is None else OwnQuery(sql, plan)
        return tuple(self._reading(mode) for mode in self._modes), own

    def _count_symbols(self, start_us: int, end_us: int) -> Mapping[str, int] | None:
        """Records that landed of each symbol, in the first mode."""
        sql = standard_query(self._modes[0], RAW, start_us, end_us)
        result = self._looker.look("landed symbols", lambda: self._at.query_engine().run(sql))
        if result is None:
            return None
        return {row["symbol"]: row["row_count"] for row in result.records}

    def _listed(self, mode: StorageMode, table: str) -> list[TableFile] | None:
        """The files of the last hours; where there is none, those of the newest hours before."""
        if (mode, table) not in self._files:
            inspection = self._at.inspection()
            hours = self._settings.late_lookback_hours
            start_us = hour_floor(self._now_us) - hours * US_PER_HOUR

            def listed() -> list[TableFile]:
                recent = inspection.data_files(mode, table, TimeRange(start_us, None))
                if recent:
                    return recent
                every = inspection.data_files(mode, table, TimeRange())
                newest_us = max((file.hour_us for file in every), default=0)
                return [file for file in every if file.hour_us > newest_us - hours * US_PER_HOUR]

            subject = f"the files of {mode}.{table}"
            self._files[mode, table] = self._looker.look(subject, listed)
        return self._files[mode, table]

    def _landed(
        self, mode: StorageMode
    ) -> tuple[dict[int, int | None] | None, dict[int, int | None] | None]:
        """When each hour of raw landed, and when its candles were made."""
        raw, candles = self._listed(mode, RAW), self._listed(mode, _CANDLES)
        if raw is None or candles is None:
            return (None if raw is None else newest_landings(raw)), None
        hours, made = newest_landings(raw), newest_landings(candles)
        bare = closed_without_candles(hours, made, self._now_us, self._settings.close_after_seconds)
        # An hour of invalid rows alone has no candle, ever.
        for hour_us in set(bare) - self._with_ticks(mode, bare):
            del hours[hour_us]
        return hours, made

    def _with_ticks(self, mode: StorageMode, hours_us: Sequence[int]) -> set[int]:
        """Those of some hours that have a valid tick; all where that could not be seen."""
        if not hours_us:
            return set()
        asked = {
            "storage_mode": mode.value,
            "start": as_datetime(hours_us[0]),
            "end": as_datetime(hours_us[-1] + US_PER_HOUR),
        }
        result = self._looker.look(
            f"the ticks of {mode}",
            lambda: self._at.query_engine().run_file("lateness", asked),
        )
        if result is None:
            return set(hours_us)
        return {round(row["hour"].timestamp()) * US_PER_SECOND for row in result.records}

    def _stored(self, mode: StorageMode, times: TimeRange) -> ModeStored:
        tables, inspection = self._at.tables(), self._at.inspection()
        drift: list[str] | None = []
        nulls: dict[str, tuple[NullColumn, ...]] = {}
        for table in TABLES:
            lines = self._looker.look(
                f"the columns of {mode}.{table}",
                lambda table=table: tables.schema_drift(
                    mode, table, times.start_us or 0, times.end_us or 0
                ),
            )
            drift = None if drift is None or lines is None else [*drift, *lines]
            found = self._looker.look(
                f"the footers of {mode}.{table}",
                lambda table=table: inspection.null_columns(mode, table, times),
            )
            nulls[table] = tuple(found or ())
        strays = self._looker.look(f"the prefix of {mode}", lambda: inspection.strays(mode, times))
        return ModeStored(
            mode=mode,
            tables=len(TABLES),
            drift=None if drift is None else tuple(drift),
            nulls=nulls,
            strays=None if strays is None else tuple(strays),
            warehouse=table_location(self._at.warehouse, mode, "").rstrip("/"),
        )

    def _reading(self, mode: StorageMode) -> ModeReading:
        raw = self._listed(mode, RAW)
        standard = None
        if raw:
            past = [file.hour_us for file in raw if file.hour_us <= self._now_us]
            hour_us = max(past or [raw[0].hour_us])
            standard = self._looker.look(
                f"the standard query of {mode}", lambda: self._standard(mode, hour_us)
            )
        histories: dict[str, list[SnapshotFacts]] = {}
        if mode is StorageMode.ICEBERG:
            inspection = self._at.inspection()
            for table in TABLES:
                found = self._looker.look(
                    f"the snapshots of {table}", lambda table=table: inspection.snapshots(table)
                )
                if found is not None:
                    histories[table] = found
        return ModeReading(
            mode=mode,
            has_rows=raw is None or bool(raw),
            standard=standard,
            small=self._small(mode),
            histories=histories,
        )

    def _standard(self, mode: StorageMode, hour_us: int) -> Standard:
        engine = self._at.query_engine()
        sql = standard_query(mode, RAW, hour_us, hour_us + US_PER_HOUR)
        filtered = engine.estimate(sql)
        whole = engine.estimate(
            f"select symbol, count(*) as row_count from {mode}.ticks group by symbol"  # noqa: S608
        )
        result = engine.run(sql)
        rows = sum(row["row_count"] for row in result.records)
        return Standard(hour_us, filtered, whole, rows, result.bytes, result.seconds)

    def _small(self, mode: StorageMode) -> SmallFiles | None:
        closed_us = self._now_us - self._settings.close_after_seconds * US_PER_SECOND
        of_hours: Counter[tuple[str, int]] = Counter()
        size_bytes = 0
        overdue = False
        for table in TABLES:
            files = self._listed(mode, table) or []
            for group in files_to_merge(files, TimeRange(), closed_before_us=closed_us):
                of_hours[table, group[0].hour_us] += len(group)
                size_bytes += sum(file.bytes for file in group)
                overdue |= any(
                    file.landed_us is not None and file.landed_us < self._now_us - _UPKEEP_US
                    for file in group
                )
        if not of_hours:
            return None
        (table, hour_us), most = of_hours.most_common(1)[0]
        return SmallFiles(
            files=of_hours.total(),
            hours=len(of_hours),
            bytes=size_bytes,
            worst=f"{most:,} below {SMALL_BYTES >> 20} MiB in {table} of {format_short(hour_us)}",
            overdue=overdue or most > _MOST_OF_AN_HOUR,
        )


def newest_landings(files: Sequence[TableFile]) -> dict[int, int | None]:
    """Hour of the files -> when the newest of them landed; None where that is known of none."""
    found: dict[int, int | None] = {}
    for file in files:
        known = [us for us in (found.get(file.hour_us), file.landed_us) if us is not None]
        found[file.hour_us] = max(known, default=None)
    return found
