"""The command line over one HOME, and what its tables hold, read without the product's own SQL."""

# pyarrow and pandas have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

import json
import os
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.cli.main import run
from tick_pipeline.resources.iceberg import open_catalog
from tick_pipeline.settings import PREFIX
from tick_pipeline.storage import StorageMode, candle_table, iceberg_identifier, table_location

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

MODES = tuple(StorageMode)
both_modes = pytest.mark.parametrize("mode", MODES, ids=str)


@dataclass(frozen=True)
class Pipeline:
    """One HOME and the variables, without their prefix, that every command over it sees."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def environment(self) -> dict[str, str]:
        """This process's environment, with no settings but ours."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(PREFIX) or name == f"{PREFIX}CACHE"
        }
        own = {"HOME": str(self.home), **self.variables}
        return {**kept, "TZ": "UTC"} | {f"{PREFIX}{name}": value for name, value in own.items()}

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """One command in this process: exit code, stdout, stderr."""
        output, errors = StringIO(), StringIO()
        with self.here(), redirect_stdout(output), redirect_stderr(errors):
            code = run(list(arguments))
        return code, output.getvalue(), errors.getvalue()

    @contextmanager
    def here(self) -> Generator[None]:
        """This process with the HOME's environment, while the block runs."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        with pytest.MonkeyPatch.context() as patched:
            for name in set(os.environ) - set(self.environment()):
                patched.delenv(name)
            for name, value in self.environment().items():
                patched.setenv(name, value)
            # A developer's .env lies in the checkout.
            patched.chdir(self.home.parent)
            yield

    def json(self, *arguments: str) -> Any:
        """The result of a command that must succeed."""
        code, output, errors = self.run(*arguments, "--json")
        assert code == 0, errors
        return json.loads(output)

    def query(self, file: str, **parameters: str) -> list[dict[str, Any]]:
        """The rows of one of the project's queries."""
        options = [f"--param={name}={value}" for name, value in parameters.items()]
        return self.json("query", "--file", file, *options)

    def scalar(self, sql: str) -> Any:
        """The one value that a statement gives."""
        [row] = self.json("query", sql)
        [value] = row.values()
        return value

    def candles(self, mode: StorageMode, timeframe: str) -> Any:
        """The stored candles as a data frame in the key's order, bucket_start in microseconds."""
        table = candle_table(timeframe)
        if mode is StorageMode.ICEBERG:
            identifier = iceberg_identifier(table)
            frame = open_catalog(self.home).load_table(identifier).scan().to_arrow().to_pandas()
        else:
            frames = [pq.ParquetFile(path).read().to_pandas() for path in self.files(mode, table)]
            frame = pd.concat(frames) if frames else pd.DataFrame()
        if frame.empty:
            return pd.DataFrame()
        frame["bucket_start"] = frame["bucket_start"].astype("datetime64[us, UTC]").astype("int64")
        return frame.sort_values(["symbol", "bucket_start"], ignore_index=True)

    def files(self, mode: StorageMode, table: str) -> list[Path]:
        """Every data file that lies in a table's folder, in hour order."""
        root = self.home / table_location("warehouse", mode, table)
        keys = "data" if mode is StorageMode.ICEBERG else "year=*"
        return sorted(root.glob(f"{keys}/**/*.parquet"))


@contextmanager
def without_rows(path: Path, removed: Any) -> Generator[None]:
    """A Parquet file without the rows that a numpy mask marks, while the block runs."""
    kept = path.read_bytes()
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.filter(pa.array(~removed)), path)
    try:
        yield
    finally:
        path.write_bytes(kept)
