"""Every name that a page may use: of assets, checks, tables, columns, queries, scenarios, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tick_pipeline.contracts.contract import contract_names, load_contract
from tick_pipeline.contracts.decode import REASONS
from tick_pipeline.contracts.rules import Dialect, claims
from tick_pipeline.definitions import defs
from tick_pipeline.producer.scenarios import SCENARIOS
from tick_pipeline.queries.catalogue import query_names
from tick_pipeline.queries.relations import relations
from tick_pipeline.settings import PREFIX, Settings
from tick_pipeline.storage import StorageMode
from tick_pipeline_tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The package, the environment's folder, and the predicate that rules.py makes for each engine.
_OTHERS = ("tick_pipeline", "tick_pipeline_tests", "valid_tick")


def asset_names() -> set[str]:
    """Assets as `iceberg/raw`."""
    keys = defs().resolve_asset_graph().get_all_asset_keys()
    return {key.to_user_string() for key in keys}


def dagster_names() -> set[str]:
    """Checks, jobs, schedules and sensors."""
    loaded = defs()
    repository = loaded.get_repository_def()
    parts = (*repository.get_all_jobs(), *repository.schedule_defs, *repository.sensor_defs)
    checks = loaded.resolve_asset_graph().asset_check_keys
    return {part.name for part in parts} | {check.name for check in checks}


def setting_names() -> set[str]:
    """Settings as variables."""
    return {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def known_names() -> set[str]:
    """All of them, but for settings."""
    return {
        *asset_names(),
        *dagster_names(),
        *_names_of_data(),
        *query_names(),
        *terraform_names(),
        *SCENARIOS,
        *REASONS,
        *_OTHERS,
    }


def terraform_names() -> set[str]:
    """Variables of terraform/."""
    text = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    return set(re.findall(r'(?m)^variable "(\w+)"', text))


def _names_of_data() -> Iterator[str]:
    for relation in relations(tuple(StorageMode)):
        yield from (relation.mode.value, relation.name, *relation.columns)
    for contract in map(load_contract, contract_names()):
        yield from (claim.name for claim in claims(contract, Dialect.DUCKDB))
