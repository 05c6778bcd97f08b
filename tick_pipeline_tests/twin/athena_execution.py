"""One query of the twin's Athena: from QUEUED to its end, on DuckDB, in a thread of its own."""

# boto3 and duckdb have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import re
import threading
import time
import traceback
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import sqlglot
from sqlglot import exp

from tick_pipeline_tests.twin.athena_catalog import AthenaCatalog, QueryFailedError, place
from tick_pipeline_tests.twin.athena_dialect import MACROS, duckdb_sql
from tick_pipeline_tests.twin.athena_results import Answer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

EXPLAIN = re.compile(r"\s*explain\s+", re.IGNORECASE)
_COLUMN = re.compile(r'(?:Referenced column|does not have a column named) "([^"]+)"')
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "2",
}


@dataclass
class Execution:
    """A query.

    Attributes:
        request: as it was asked for.
        workgroup: its name.
        output: URI of the CSV.
        clients: boto3's client of a service.
        file_io: PyIceberg's properties of S3.
        cutoff_bytes: how much it may scan.
        slow_seconds: how long it takes at least.
        reason: with which it fails, whatever it says, and the category of that error.
    """

    request: dict[str, Any]
    workgroup: str
    output: str
    clients: Callable[[str], Any]
    file_io: dict[str, str]
    cutoff_bytes: int | None
    slow_seconds: float
    reason: tuple[str, int] | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    told: str = ""
    category: int = 0
    scanned_bytes: int = 0
    submitted: float = field(default_factory=time.time)
    started: float = 0.0
    completed: float = 0.0
    answer: Answer | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _connection: duckdb.DuckDBPyConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _runs: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name=f"athena {self.id}", daemon=True)

    @property
    def text(self) -> str:
        """The SQL, as it came."""
        return str(self.request["QueryString"])

    def start(self) -> None:
        """Begin, and return once it runs: nobody waits for workers here."""
        self._thread.start()
        self._runs.wait()

    def cancel(self) -> None:
        """Stop, if it has not ended."""
        with self._lock:
            self._cancelled.set()
            if self._connection is not None:
                self._connection.interrupt()
        self._thread.join()

    def describe(self) -> dict[str, Any]:
        """GetQueryExecution's answer."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.state in ENDED:
            status["CompletionDateTime"] = self.completed
        if self.told:
            status["StateChangeReason"] = self.told
        if self.state == "FAILED":
            status["AthenaError"] = {
                "ErrorCategory": self.category,
                "ErrorMessage": self.told,
                "Retryable": False,
            }
        engine_ms = round(1000 * max((self.completed or time.time()) - (self.started or 0), 0))
        return {
            "QueryExecutionId": self.id,
            "Query": self.text,
            "StatementType": "UTILITY" if EXPLAIN.match(self.text) else "DML",
            "ResultConfiguration": {"OutputLocation": self.output},
            "QueryExecutionContext": self.request.get("QueryExecutionContext", {}),
            "Status": status,
            "Statistics": {
                "EngineExecutionTimeInMillis": engine_ms if self.started else 0,
                "DataScannedInBytes": self.scanned_bytes,
                "QueryQueueTimeInMillis": round(
                    1000 * max((self.started or time.time()) - self.submitted, 0)
                ),
            },
            "WorkGroup": self.workgroup,
            "EngineVersion": {
                "SelectedEngineVersion": "Athena engine version 3",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        }

    def _work(self) -> None:
        self.started = time.time()
        self.state = "RUNNING"
        self._runs.set()
        try:
            self._cancelled.wait(self.slow_seconds)
            found = self._run()
        except QueryFailedError as failure:
            self._end("FAILED", str(failure), failure.category)
        except duckdb.InterruptException:
            self._end("CANCELLED", "Query cancelled by user")
        except Exception:  # noqa: BLE001  (a mistake of the twin's own must be seen in the test)
            self._end("FAILED", f"the twin's own: {traceback.format_exc()}", 1)
        else:
            if self._cancelled.is_set():
                self._end("CANCELLED", "Query cancelled by user")
            elif self.cutoff_bytes is not None and self.scanned_bytes > self.cutoff_bytes:
                self._end("CANCELLED", "Bytes scanned limit was exceeded")
            else:
                self._save(found)
                self.answer = found
                self._end("SUCCEEDED")

    def _end(self, state: str, told: str = "", category: int = 0) -> None:
        self.told, self.category, self.completed = told, category, time.time()
        self.state = state

    def _run(self) -> Answer:
        if self.reason is not None:
            raise QueryFailedError(*self.reason)
        tree = sqlglot.parse_one(EXPLAIN.sub("", self.text, count=1), read="athena")
        with self._connected() as connection:
            catalog = AthenaCatalog(
                self.clients("glue"), self.clients("s3"), self.file_io, connection
            )
            context = self.request.get("QueryExecutionContext", {})
            catalog.add_relations(tree, context.get("Database"))
            try:
                return self._answer(connection, tree)
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                raise QueryFailedError(_as_athena_says(tree, error)) from error
            finally:
                self.scanned_bytes = sum(catalog.scanned.values())

    def _answer(self, connection: duckdb.DuckDBPyConnection, tree: exp.Expr) -> Answer:
        if EXPLAIN.match(self.text):
            rows = connection.execute(f"explain {duckdb_sql(tree)}").fetchall()
            lines: list[list[str | None]] = [
                [line] for row in rows for line in str(row[1]).splitlines()
            ]
            return Answer(["Query Plan"], [("varchar", 2147483647, 0)], lines, labelled=False)
        connection.execute(duckdb_sql(tree))
        rows = connection.fetchall()
        return answer(connection.description or [], rows)

    @contextmanager
    def _connected(self) -> Generator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(config=_CONFIG) as connection:
            connection.execute("set timezone = 'UTC'")
            for macro in MACROS:
                connection.execute(macro)
            with self._lock:
                if self._cancelled.is_set():
                    raise duckdb.InterruptException
                self._connection = connection
            try:
                yield connection
            finally:
                with self._lock:
                    self._connection = None

    def _save(self, found: Answer) -> None:
        parts = urlsplit(self.output)
        self.clients("s3").put_object(
            Bucket=parts.netloc, Key=parts.path.lstrip("/"), Body=found.csv.encode()
        )


def _as_athena_says(tree: exp.Expr, error: duckdb.Error) -> str:
    column = _COLUMN.search(str(error))
    if column is not None:
        nodes = [node for node in tree.find_all(exp.Column) if node.name == column[1]]
        at = place(nodes[0]) if nodes else ""
        return (
            f"COLUMN_NOT_FOUND: {at}Column '{column[1]}' cannot be resolved or requester is not "
            "authorized to access requested resources"
        )
    kinds = {
        duckdb.ConversionException: "INVALID_CAST_ARGUMENT",
        duckdb.OutOfRangeException: "NUMERIC_VALUE_OUT_OF_RANGE",
    }
    kind = next((name for found, name in kinds.items() if isinstance(error, found)), "SYNTAX_ERROR")
    return f"{kind}: line 1:1: {str(error).splitlines()[0]}"
