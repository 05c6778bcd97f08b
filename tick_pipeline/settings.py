"""The only reader of the environment and of .env: one frozen object, prefix TICK_PIPELINE_."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from tick_pipeline.errors import SettingsError
from tick_pipeline.event_time import hour_floor, parse_instant
from tick_pipeline.spark.scoring_rules import METRICS, ScoringRules
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

PREFIX = "TICK_PIPELINE_"
_OF_TESTS = "TEST_"
#: Terraform's default, too: the first year that Athena projects.
_PARTITIONS_START_ON_AWS = "2026-01-01T00:00:00Z"
_NEEDED_ON_AWS = (
    "aws_region",
    "project",
    "bucket",
    "stream",
    "glue_job_ohlc",
    "glue_job_anomalies",
    "glue_job_anomaly_stream",
    "athena_workgroup",
)
_FIREHOSES = {
    StorageMode.ICEBERG: "firehose_iceberg",
    StorageMode.PARQUET_PROJECTION: "firehose_parquet",
}


class Settings(BaseSettings):
    """What a user can set; the environment wins over .env, .env over the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        # As shells have it: TICK_PIPELINE_HOME= is the same as no such variable.
        env_ignore_empty=True,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
    )

    deployment: Literal["local", "aws"] = "local"
    storage_modes: Annotated[tuple[StorageMode, ...], NoDecode] = tuple(StorageMode)
    home: Path = Path(".tick_pipeline")
    #: None: the folder `dagster` of HOME.
    dagster_home: Path | None = None
    #: Jars, fetched once for every clone of this user.
    cache: Path = Field(default_factory=lambda: _user_cache() / "tick_pipeline")
    #: None: midnight seven days before HOME was initialised, kept there.
    partitions_start: str | None = None

    close_after_seconds: int = Field(default=600, ge=0)
    lateness_seconds: int = Field(default=60, ge=0)
    #: Hours of event time that table maintenance keeps, in both storage modes alike; None: all.
    retain_hours: int | None = Field(default=None, ge=1)
    #: Hours for which an Iceberg table can be read as it was; landing itself expires raw's snapshots sooner.
    snapshot_keep_hours: int = Field(default=120, ge=1)
    #: Hours of event time before now in which Parquet files are looked for that landed late.
    late_lookback_hours: int = Field(default=72, ge=1, le=8760)
    #: Whether Dagster's sensors and schedules run by themselves.
    automation_running: bool = False

    stream_shards: int = Field(default=4, ge=1, le=256)
    stream_retention_hours: int = Field(default=24, ge=1, le=8760)
    #: Hot symbols, each of which gets a shard of the Kinesis stream as far as there are shards.
    stream_pinned_symbols: Annotated[tuple[str, ...], NoDecode] = ()

    buffer_seconds: float = Field(default=60, gt=0)
    buffer_mib: float = Field(default=64, gt=0)
    buffer_records: int = Field(default=500_000, ge=1)

    parquet_compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    parquet_compression_level: int = Field(default=1, ge=1, le=22)
    parquet_row_group_rows: int = Field(default=131_072, ge=1_000)
    parquet_sort: Literal["symbol,event_ts", "event_ts", "none"] = "symbol,event_ts"

    anomaly_metrics: Annotated[tuple[str, ...], NoDecode] = ("return",)
    anomaly_window_minutes: int = Field(default=10, ge=1, le=1440)
    anomaly_threshold: float = Field(default=5, gt=0, allow_inf_nan=False)
    anomaly_min_samples: int = Field(default=30, ge=2)
    #: `SYM=0.01,...`: price increments in quote currency.
    anomaly_tick_sizes: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict[str, float]
    )
    anomaly_return_floor: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    anomaly_price_floor: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    anomaly_volume_floor: float = Field(default=1e-3, gt=0, allow_inf_nan=False)

    #: A code of exchange-calendars, which has its sessions; `24/7` is always open.
    calendar: str = Field(default="24/7", min_length=1)
    #: Where people open Dagster, for the links of notifications; they have none if not given.
    dagster_url: str | None = Field(default=None, pattern=r"^https?://")

    spark_master: str = Field(default="local[*]", min_length=1)
    spark_driver_memory: str = Field(default="2g", pattern=r"^[1-9][0-9]*[mgMG]$")

    #: A profile of the user's AWS configuration; the standard credential chain if not given.
    aws_profile: str | None = None
    #: One URL for every service, as of a gateway or an emulator; AWS's own if not given.
    aws_endpoint_url: str | None = Field(default=None, pattern=r"^https?://")

    # What Terraform made, under its outputs' names: `make env` writes them into .env.
    aws_region: str | None = None
    project: str | None = None
    bucket: str | None = None
    stream: str | None = None
    firehose_iceberg: str | None = None
    firehose_parquet: str | None = None
    glue_job_ohlc: str | None = None
    glue_job_anomalies: str | None = None
    glue_job_anomaly_stream: str | None = None
    athena_workgroup: str | None = None
    sns_topic_arn: str | None = None
    #: Who looks after the Iceberg tables on AWS.
    iceberg_maintainer: Literal["table_optimizers", "table_maintenance"] = "table_optimizers"

    @property
    def firehoses(self) -> dict[StorageMode, str]:
        """Name of each enabled mode's Firehose."""
        return {mode: str(getattr(self, _FIREHOSES[mode])) for mode in self.storage_modes}

    @field_validator("storage_modes", mode="before")
    @classmethod
    def _split_modes(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        legal = [mode.value for mode in StorageMode]
        unknown = [name for name in names if name not in legal]
        if unknown or not names:
            raise ValueError(f"must name one or both of {', '.join(legal)}")
        return tuple(mode for mode in StorageMode if mode.value in names)

    @field_validator("anomaly_metrics", mode="before")
    @classmethod
    def _split_metrics(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names or not set(names) <= set(METRICS):
            raise ValueError(f"must name one or more of {', '.join(METRICS)}")
        return tuple(name for name in METRICS if name in names)

    @field_validator("stream_pinned_symbols", mode="before")
    @classmethod
    def _split_symbols(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))

    @field_validator("anomaly_tick_sizes", mode="before")
    @classmethod
    def _split_tick_sizes(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        sizes: dict[str, float] = {}
        for pair in filter(None, (part.strip() for part in value.split(","))):
            symbol, _, text = pair.partition("=")
            size = _positive(text)
            if not symbol or size is None:
                raise ValueError(f"{pair!r} is no tick size, as AAPL=0.01")
            sizes[symbol.strip()] = size
        return sizes

    @field_validator("partitions_start")
    @classmethod
    def _whole_hour(cls, value: str | None) -> str | None:
        if value is not None and (us := parse_instant(value)) != hour_floor(us):
            raise ValueError("must be a whole UTC hour, as 2026-01-01T00:00:00Z")
        return value

    @model_validator(mode="before")
    @classmethod
    def _partitions_of_aws(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("deployment") == "aws":
            return {"partitions_start": _PARTITIONS_START_ON_AWS, **values}
        return values

    @model_validator(mode="after")
    def _what_aws_needs(self) -> Settings:
        if self.deployment != "aws":
            return self
        needed = (*_NEEDED_ON_AWS, *(_FIREHOSES[mode] for mode in self.storage_modes))
        missing = [f"{PREFIX}{name.upper()}" for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(
                f"{PREFIX}DEPLOYMENT=aws needs {', '.join(missing)}: after `terraform apply`, "
                "`make env` writes them into .env"
            )
        return self

    @model_validator(mode="after")
    def _close_after_two_buffers(self) -> Settings:
        if self.close_after_seconds < 2 * self.buffer_seconds:
            raise ValueError(
                f"{PREFIX}CLOSE_AFTER_SECONDS={self.close_after_seconds} must be at least twice "
                f"{PREFIX}BUFFER_SECONDS={self.buffer_seconds:g}, or hours close before they landed"
            )
        return self


def scoring_rules(settings: Settings) -> ScoringRules:
    """What counts as an anomaly under these settings."""
    return ScoringRules(
        metrics=settings.anomaly_metrics,
        window_minutes=settings.anomaly_window_minutes,
        threshold=settings.anomaly_threshold,
        min_samples=settings.anomaly_min_samples,
        tick_sizes=settings.anomaly_tick_sizes,
        return_floor=settings.anomaly_return_floor,
        price_floor=settings.anomaly_price_floor,
        volume_floor=settings.anomaly_volume_floor,
        lateness_seconds=settings.lateness_seconds,
    )


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and .env once; `overrides` win over both.

    Raises:
        SettingsError: a value is not legal, or .env cannot be read.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_one_line(item) for item in error.errors())) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env cannot be read: {error}") from error


def unknown_settings() -> list[str]:
    """A line for each name of the environment and of .env that has the prefix and is no setting."""
    try:
        given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    except (OSError, UnicodeDecodeError):
        return []  # load_settings tells it
    known = [name.upper() for name in Settings.model_fields]
    ours = {name.removeprefix(PREFIX) for name in given if name.startswith(PREFIX)}
    lines: list[str] = []
    for name in sorted(ours - {*known}):
        if not name.startswith(_OF_TESTS):
            close = get_close_matches(name, known, 1, 0.8)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else ".env.example lists all"
            lines.append(f"{PREFIX}{name} is no setting, so it has no effect; {hint}")
    return lines


@contextmanager
def settings_in_environment(**values: str) -> Generator[None]:
    """This process with other settings, while the block runs: for what reads them itself.

    Args:
        values: name of a setting, lower case -> its text.
    """
    names = {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def process_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for a child, with `extra` on top."""
    return {**os.environ, **(extra or {})}


def java_home_of_user() -> Path | None:
    """The user's JAVA_HOME, if set."""
    text = os.environ.get("JAVA_HOME", "")
    return Path(text) if text else None


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _one_line(item: Any) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    return f"{PREFIX}{str(item['loc'][0]).upper()}={item['input']!r}: {message}"
