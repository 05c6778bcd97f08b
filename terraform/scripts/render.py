"""What Terraform needs of the package and cannot work out itself, as JSON files in terraform/rendered/.

Run by `make tf-render`; a test fails where a file is not what this would write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tick_pipeline.contracts.contract import load_contract
from tick_pipeline.contracts.types import json_schema
from tick_pipeline.queries.saved import saved_queries, saved_views
from tick_pipeline.resources.iceberg import TABLE_PROPERTIES, partition_column
from tick_pipeline.spark.session import glue_conf
from tick_pipeline.storage import TABLES

FOLDER = Path(__file__).parent.parent / "rendered"


def rendered() -> dict[str, str]:
    """File name -> text."""
    documents = {
        "iceberg.json": {
            "properties": TABLE_PROPERTIES,
            "partition_columns": {table: partition_column(table) for table in TABLES},
        },
        "queries.json": saved_queries(),
        "spark.json": glue_conf(warehouse="@warehouse@"),
        "tick.schema.json": json_schema(load_contract("tick")),
        "views.json": saved_views(),
    }
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{FOLDER.name}/{name}\n")


if __name__ == "__main__":
    main()
