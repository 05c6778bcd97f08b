"""A HOME with a few hours of ticks, candles and anomalies, and the same in the twin's lake."""

# pyarrow and boto3 have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tick_pipeline.resources.aws.athena import AthenaQueryEngine
from tick_pipeline.resources.aws.clients import AwsClients
from tick_pipeline.resources.aws.glue_catalog import open_glue_catalog
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.resources.local import open_home
from tick_pipeline.resources.query_engine import LocalQueryEngine
from tick_pipeline.settings import Settings, load_settings
from tick_pipeline.storage import TABLES, StorageMode, glue_database, iceberg_identifier
from tick_pipeline_tests.queries.warehouse import (
    anomaly,
    candles_of,
    distinct_ticks,
    land,
    store_anomalies,
    store_candles,
    tick,
)
from tick_pipeline_tests.twin.athena import Athena
from tick_pipeline_tests.twin.provision import BUCKET, PROJECT, provision

if TYPE_CHECKING:
    from collections.abc import Generator

    from tick_pipeline.home import Home
    from tick_pipeline_tests.twin.twin import Twin

MODES = tuple(StorageMode)
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class AthenaLake:
    """The twin with what `terraform apply` makes, and a HOME.

    Attributes:
        twin: the twin.
        settings: of its deployment.
        home: of a local deployment.
        here: SQL over the HOME.
    """

    twin: Twin
    settings: Settings
    home: Home
    here: LocalQueryEngine

    @property
    def athena(self) -> Athena:
        """Athena of the twin, with its switches."""
        return next(item for item in self.twin.gateway.services if isinstance(item, Athena))

    def engine(self, *, timeout_seconds: float = 60, **changes: Any) -> AthenaQueryEngine:
        """SQL over the twin's lake, under settings that are changed."""
        settings = self.settings.model_copy(update=changes)
        return AthenaQueryEngine(
            AwsClients(settings),
            settings,
            timeout_seconds=timeout_seconds,
            poll_seconds=POLL_SECONDS,
        )


@contextmanager
def athena_lake(twin: Twin, folder: Path) -> Generator[AthenaLake]:
    """The twin, provisioned, its tables empty, and a HOME in a folder that does not exist yet."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in twin.environment.items():
            patch.setenv(name, value)
        twin.reset()
        home_settings = load_settings(home=folder, _env_file=None)
        home = open_home(home_settings)
        for name, value in provision(twin.client, twin.url).settings.items():
            patch.setenv(name, value)
        settings = load_settings(home=folder, _env_file=None)
        yield AthenaLake(twin, settings, home, LocalQueryEngine(home, home_settings))


def ticks() -> list[dict[str, Any]]:
    """Three hours: times in microseconds, copies, late and invalid rows, a missing number, no volume."""
    found: list[dict[str, Any]] = []
    for symbol, step_seconds in (("AAA", 37.000123), ("BBB", 401.5), ("it's", 1000.25)):
        for number in range(1, int(10_800 / step_seconds)):
            price = 100 + (number * 7919 % 400) / 3
            record = tick(symbol, number * step_seconds, number, price=price)
            late_us = 90_000_000 if number % 20 == 0 else 0
            record["sent_ts"] += late_us
            record["volume"] = float(number % 5)
            found.append(record)
    found.pop(40)
    copies = [record.copy() for record in found[::30]]
    invalid = [
        tick("BAD", 20, 1, price=-1.0),
        tick("BAD", 22, 2, volume=None),
        tick("BAD", 23, 3, source=""),
        tick("BAD", 24, 4, price=float("nan")),
    ]
    return found + copies + invalid


def fill(home: Home) -> None:
    """Put the ticks, their candles and anomalies into both modes of a HOME."""
    records = ticks()
    land(home, records, MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(home, timeframe, candles_of(records, minutes), MODES)
    anomalous = distinct_ticks(records).to_dict("records")[::25]
    store_anomalies(home, [anomaly(record) for record in anomalous], MODES)


def copy_to_twin(lake: AthenaLake) -> None:
    """Put what the HOME holds into the twin's bucket and its Iceberg tables, which are empty."""
    home, twin, settings = lake.home, lake.twin, lake.settings
    root = home.warehouse / str(StorageMode.PARQUET_PROJECTION)
    for path in sorted(root.rglob("*.parquet")):
        key = f"warehouse/{StorageMode.PARQUET_PROJECTION}/{path.relative_to(root)}"
        twin.client("s3").put_object(Bucket=BUCKET, Key=key, Body=Path(path).read_bytes())
    catalog = open_glue_catalog(AwsClients(settings), settings)
    local = open_catalog(home.path)
    for table in TABLES:
        rows = local.load_table(iceberg_identifier(table)).scan().to_arrow()
        target = catalog.load_table((glue_database(PROJECT, StorageMode.ICEBERG), table))
        target.append(rows.cast(target.schema().as_arrow()))
