"""The report on AWS: the same figures through the same ports, of Athena, Glue's catalog and S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.event_time import US_PER_HOUR
from tick_pipeline.report import asking
from tick_pipeline.report.comparison import AwsCost, Baseline
from tick_pipeline.report.make import make_report
from tick_pipeline.report.measure import Sources
from tick_pipeline.report.remembered import History
from tick_pipeline.report.standard_queries import STANDARD_QUERIES, VOLUME_BY_SYMBOL
from tick_pipeline.report.tables import scan_rows
from tick_pipeline.resources.deployments import open_deployment
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.queries.warehouse import (
    START_US,
    anomaly,
    candles_of,
    land,
    store_anomalies,
    store_candles,
    tick,
)
from tick_pipeline_tests.twin.athena_lake import AthenaLake, copy_to_twin

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODES = tuple(StorageMode)


def test_each_figure_is_measured_where_the_tables_are(
    lake: AthenaLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Athena's seconds are not held against those of another engine."""
    monkeypatch.setattr(asking, "_RUNS", 1)
    monkeypatch.setattr(asking, "STANDARD_QUERIES", (STANDARD_QUERIES[0], VOLUME_BY_SYMBOL))
    records = [tick("AAA", 4 * number, number + 1) for number in range(300)]
    land(lake.home, records, MODES)
    for timeframe, minutes in (("1m", 1), ("5m", 5)):
        store_candles(lake.home, timeframe, candles_of(records, minutes), MODES)
    store_anomalies(lake.home, [anomaly(records[7])], MODES)
    copy_to_twin(lake)
    deployment = open_deployment(lake.settings)
    sources = Sources(
        lake.settings,
        deployment.query_engine(),
        deployment.tables(),
        deployment.landing(),
        History(),
    )
    page = tmp_path / "page.html"
    found = make_report(sources, page, (START_US, START_US + US_PER_HOUR))
    assert (found.deployment, found.engine, found.ticks) == ("aws", "Athena", len(records))
    assert [parity.differing for parity in found.parity] == [0, 0, 0, 0]
    assert {stats.rows for stats in found.tables if stats.table == "raw"} == {len(records)}
    for query in found.queries:
        assert query.one_hour.files >= 1
        assert query.one_hour.seconds
    assert isinstance(found.baseline, Baseline)
    assert isinstance(found.cost, AwsCost)
    assert scan_rows(found) == []
    assert "with Athena" in page.read_text(encoding="utf-8")
