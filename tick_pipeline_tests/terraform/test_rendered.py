"""What Terraform reads of the package is what the package would write today."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from sqlglot import exp

from tick_pipeline.queries.catalogue import query_names
from tick_pipeline.spark.session import JOB_CONF
from tick_pipeline.storage import TABLES, StorageMode

if TYPE_CHECKING:
    from types import ModuleType

TERRAFORM = Path(__file__).parents[2] / "terraform"


def script(name: str) -> ModuleType:
    """A script of terraform/scripts, as a module."""
    spec = importlib.util.spec_from_file_location(name, TERRAFORM / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RENDERED: dict[str, str] = script("render").rendered()


def document(name: str) -> Any:
    """One of the files as it is committed."""
    return json.loads((TERRAFORM / "rendered" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(RENDERED))
def test_a_rendered_file_is_what_make_tf_render_would_write(name: str) -> None:
    written = (TERRAFORM / "rendered" / name).read_text(encoding="utf-8")
    assert written == RENDERED[name], f"{name} is out of date: make tf-render"


def test_nothing_else_lies_beside_them() -> None:
    assert {path.name for path in (TERRAFORM / "rendered").iterdir()} == set(RENDERED)


def test_every_query_is_saved_once_or_once_for_each_storage_mode() -> None:
    saved = document("queries.json")
    for name in query_names():
        of_modes = [f"{name}-{mode}" in saved for mode in StorageMode]
        assert all(of_modes) or (name in saved and not any(of_modes))


@pytest.mark.parametrize("name", sorted(json.loads(RENDERED["queries.json"])))
def test_a_saved_query_runs_as_it_stands(name: str) -> None:
    """No parameter by name is left, each database is a token, and what is left is one statement of Athena's."""
    query = document("queries.json")[name]
    sql = query["sql"].replace("@iceberg@", "a").replace("@parquet_projection@", "b")
    assert "@" not in sql
    tree = sqlglot.parse_one(sql, read="athena")
    assert {node.name for node in tree.find_all(exp.Placeholder)} <= {"?"}
    databases = {table.db for table in tree.find_all(exp.Table) if table.db}
    assert databases == {
        {"iceberg": "a", "parquet_projection": "b"}[mode] for mode in query["storage_modes"]
    }


def test_athena_asks_for_no_more_than_one_value() -> None:
    """A place for a value has no name in Athena's console: with two, nobody knows which is which."""
    asked = {name: query["sql"].count("?") for name, query in document("queries.json").items()}
    assert max(asked.values()) == 1
    assert {name for name, number in asked.items() if number} == {
        f"candles-{mode}" for mode in StorageMode
    }


def test_a_view_names_each_of_its_columns_with_a_type_that_glue_can_write() -> None:
    for mode, views in document("views.json").items():
        for view in views.values():
            tree = sqlglot.parse_one(view["sql"].replace(f"@{mode}@", mode), read="athena")
            assert isinstance(tree, exp.Select)
            assert tree.named_selects == [column["name"] for column in view["columns"]]
            assert {column["glue_type"] for column in view["columns"]} <= {
                "string",
                "bigint",
                "double",
            }


def test_the_jobs_on_glue_run_with_what_makes_them_fast() -> None:
    conf = document("spark.json")
    assert JOB_CONF.items() <= conf.items()
    assert conf["spark.sql.catalog.lake.warehouse"] == "@warehouse@"


def test_every_iceberg_table_has_a_partition_column() -> None:
    assert set(document("iceberg.json")["partition_columns"]) == set(TABLES)
