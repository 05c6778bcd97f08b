"""One query of Athena, by PyAthena: started once, watched, and stopped when its caller goes away."""

# PyAthena's base classes are typed in part, boto3 makes its clients at run time
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import logging
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyathena
from botocore.exceptions import BotoCoreError, ClientError
from pyathena.error import Error

from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.athena_errors import call_error, query_error
from tick_pipeline.resources.aws.clients import aws_errors, http_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyathena.connection import Connection
    from pyathena.cursor import Cursor
    from pyathena.model import AthenaQueryExecution

    from tick_pipeline.resources.aws.clients import AwsClients

#: Seconds after which a query that has not ended is stopped. Athena itself ends one after 30 minutes in its engine
#: (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html); queueing comes on top.
QUERY_TIMEOUT_SECONDS = 2400.0
#: Seconds between two looks at a query; Athena takes 100 a second of an account.
POLL_SECONDS = 0.25

_SERVER_ERRORS = 500
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_LOG = logging.getLogger(__name__)
# It logs each error with its traceback, and raises it, too.
logging.getLogger("pyathena").addHandler(logging.NullHandler())


class AthenaQuery:
    """A query, from its text to its rows.

    Args:
        clients: of AWS.
        workgroup: says where results lie and how much may be scanned.
        timeout_seconds: after which it is given up.
        poll_seconds: between two looks at it.
    """

    def __init__(
        self,
        clients: AwsClients,
        workgroup: str,
        *,
        timeout_seconds: float = QUERY_TIMEOUT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._clients = clients
        self._workgroup = workgroup
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds
        self._deadline = 0.0
        self._request: dict[str, Any] = {}
        self._id: str | None = None
        self._seen: AthenaQueryExecution | None = None

    def run(self, text: str) -> tuple[AthenaQueryExecution, Sequence[Sequence[Any]], Sequence[Any]]:
        """Run it to its end, and fetch every row.

        Returns:
            What Athena tells of the run, the columns (DB API: name, type, ..., precision, scale, ...), the rows.

        Raises:
            QueryError: the text cannot be run, or would scan more than the workgroup allows.
            AwsError: it was cancelled or lost, took too long, or a call was refused or did not come through.
        """
        with closing(self._connect()) as connection:
            cursor = connection.cursor(on_poll=self._watch)
            self._execute(cursor, text)
            with aws_errors(self._what):
                try:
                    rows = cursor.fetchall()
                except Error as error:
                    raise call_error(error, self._what) from error
            if self._seen is None:
                raise AssertionError
            return self._seen, cursor.description or (), rows

    def _connect(self) -> Connection[Cursor]:
        options = self._clients.options
        endpoint = {"endpoint_url": options["endpoint_url"]} if options["endpoint_url"] else {}
        connection = pyathena.connect(
            session=self._clients.session,
            region_name=self._clients.session.region_name,
            config=options["config"],
            work_group=self._workgroup,
            # Results lie where the workgroup says, not where the environment might.
            s3_staging_dir="",
            schema_name=None,
            poll_interval=self._poll_seconds,
            # It knows of Ctrl-C alone, not of Dagster's termination: see _execute.
            kill_on_interrupt=False,
            **endpoint,
        )
        # One token for every attempt: a start whose answer was lost does not start another query.
        connection.client.meta.events.register(
            "provide-client-params.athena.StartQueryExecution", self._remember
        )
        return connection

    def _execute(self, cursor: Cursor, text: str) -> None:
        self._deadline = time.monotonic() + self._timeout_seconds
        try:
            with aws_errors(self._what):
                cursor.execute(text, on_start_query_execution=self._started)
        except Error as error:
            # A start that AWS refused is no query.
            if self._id is not None or not _is_refused(error.__cause__):
                self._stop()
            raise self._told(error) from error
        except BaseException:
            # Ctrl-C, Dagster's termination, or our own deadline.
            self._stop()
            raise

    def _remember(self, params: dict[str, Any], **_: object) -> None:
        token = self._request.get("ClientRequestToken") or uuid.uuid4().hex
        params["ClientRequestToken"] = token
        self._request = dict(params)

    def _started(self, query_id: str) -> None:
        self._id = query_id

    def _watch(self, execution: Any) -> None:
        self._seen = execution
        over = execution.state in _ENDED
        if not over and time.monotonic() > self._deadline:
            raise AwsError(
                f"{self._what}: still {execution.state} after {self._timeout_seconds:g} s, given up and stopped; "
                "ask for fewer hours, or look at the workgroup's queue in the console",
                code="Timeout",
            )

    def _told(self, error: Error) -> Exception:
        seen = self._seen
        if isinstance(error.__cause__, (ClientError, BotoCoreError)) or seen is None:
            return call_error(error, self._what)
        return query_error(seen, self._what, self._scan_limit_bytes)

    def _scan_limit_bytes(self) -> int | None:
        """What the workgroup lets one query scan; None where it does not say, or not to us."""
        try:
            with aws_errors(f"reading the workgroup {self._workgroup}"):
                found = self._clients.client("athena").get_work_group(WorkGroup=self._workgroup)
        except AwsError as error:
            _LOG.warning("%s", error)
            return None
        return found["WorkGroup"]["Configuration"].get("BytesScannedCutoffPerQuery")

    def _stop(self) -> None:
        """Stop the query; a caller that was interrupted hears of its interruption, not of a failed stop."""
        if not self._request or (self._seen is not None and self._seen.state in _ENDED):
            return
        try:
            with aws_errors(f"stopping {self._what}"):
                client = self._clients.client("athena")
                if self._id is None:
                    # Interrupted before the answer came: the token gives the same query again.
                    self._id = str(
                        client.start_query_execution(**self._request)["QueryExecutionId"]
                    )
                client.stop_query_execution(QueryExecutionId=self._id)
        except AwsError as error:
            _LOG.warning("%s; stop it in Athena's console if it still runs", error)

    @property
    def _what(self) -> str:
        return f"Athena query {self._id}" if self._id else "an Athena query"


def _is_refused(cause: BaseException | None) -> bool:
    """Whether AWS answered that it does not do it; an error of its own leaves that open."""
    return isinstance(cause, ClientError) and http_status(cause) < _SERVER_ERRORS
