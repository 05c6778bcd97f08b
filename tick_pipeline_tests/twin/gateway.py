"""One loopback URL for all of AWS: what the emulator does goes through to it, the rest is answered here.

No emulator runs a Glue job, Athena's SQL over both storage modes, or Firehose's conversions, and none
throttles. Each is a `Service`; faults can be put in front of any call.
"""

from __future__ import annotations

import http.client
import json
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_HOST = "127.0.0.1"
_FORWARD_SECONDS = 120.0
_JSON = "application/x-amz-json-1.1"
#: In the User-Agent of every client that the package makes.
_OUR_AGENT = "tick_pipeline/"
#: Headers that belong to one connection.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class RefusalError(Exception):
    """An error as AWS answers it; `details` are the other members of its answer."""

    def __init__(self, code: str, message: str, status: int = 400, **details: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.details = code, message, status, details


class Service(Protocol):
    """A part of AWS that is answered here.

    Attributes:
        target: what stands before the dot of its `X-Amz-Target`, as `AmazonAthena`.
        operations: those that it answers; others of the target go to the emulator.
    """

    target: str
    operations: frozenset[str]

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Raises:
            RefusalError: the call is refused.
        """
        ...

    def close(self) -> None:
        """Stop whatever runs, and forget everything: before the next test, and at the end."""
        ...


@dataclass
class Fault:
    """An error in place of an answer.

    Attributes:
        operation: of any service, as `StartQueryExecution`, `PutRecords`; of S3 `GET`, `PUT`, `HEAD`, `DELETE`.
        code: AWS's name of the error.
        message: of it.
        status: of HTTP.
        times: how often.
        after: do what was asked, then answer with the error: the answer was lost.
        when: which requests; every one if not given.
    """

    operation: str
    code: str
    message: str = "a fault of the test"
    status: int = 400
    times: int = 1
    after: bool = False
    when: Callable[[str], bool] = lambda _: True


@dataclass
class _Call:
    """A request, and what it asks for."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    target: str = ""
    operation: str = ""

    def __post_init__(self) -> None:
        target = self.headers.get("x-amz-target", "")
        self.target, _, operation = target.rpartition(".")
        form = "application/x-www-form-urlencoded" in self.headers.get("content-type", "")
        if form and b"Action=" in self.body:
            operation = self.body.split(b"Action=", 1)[1].split(b"&", 1)[0].decode()
        self.operation = operation or self.method

    @property
    def text(self) -> str:
        """Path and body, for a fault to look at."""
        return f"{self.path} {self.body.decode('utf-8', 'replace')}"


_Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass
class Gateway:
    """The running gateway.

    Attributes:
        emulator_url: where the rest goes.
        services: what is answered here.
        faults: what goes wrong; each is used up.
        calls: operations that came, in order, for tests to count.
        ours: target and operation of each kind of call that the package itself made.
        url: its own.
    """

    emulator_url: str
    services: list[Service] = field(default_factory=list[Service])
    faults: list[Fault] = field(default_factory=list[Fault])
    calls: list[str] = field(default_factory=list[str])
    ours: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, operation: str, code: str, **more: Any) -> None:
        """Let the next call of an operation, or several, end in an error; see Fault."""
        with self._lock:
            self.faults.append(Fault(operation, code, **more))

    def reset(self) -> None:
        """Forget everything, the emulator's state apart."""
        for service in self.services:
            service.close()
        # After what runs was stopped: it calls until then.
        with self._lock:
            self.faults.clear()
            self.calls.clear()
            self.ours.clear()

    def handle(self, call: _Call) -> _Answer:
        """Answer a request."""
        with self._lock:
            self.calls.append(call.operation)
            if _OUR_AGENT in call.headers.get("user-agent", ""):
                self.ours.add((call.target, call.operation))
            fault = next(
                (
                    item
                    for item in self.faults
                    if item.operation == call.operation and item.when(call.text)
                ),
                None,
            )
            if fault is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
        if fault is not None and not fault.after:
            return _refusal(call, RefusalError(fault.code, fault.message, fault.status))
        answer = self._answer(call)
        if fault is not None:
            return _refusal(call, RefusalError(fault.code, fault.message, fault.status))
        return answer

    def _answer(self, call: _Call) -> _Answer:
        for service in self.services:
            if service.target == call.target and call.operation in service.operations:
                try:
                    answer = service.answer(call.operation, json.loads(call.body or b"{}"))
                except RefusalError as failure:
                    return _refusal(call, failure)
                except Exception:  # noqa: BLE001  (a mistake of the twin's own must be seen in the test)
                    return _refusal(call, RefusalError("InternalFailure", traceback.format_exc()))
                return 200, [("Content-Type", _JSON)], json.dumps(answer, default=str).encode()
        return self.forward(call.method, call.path, call.headers, call.body)

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> _Answer:
        """Let the emulator answer."""
        host = urlsplit(self.emulator_url).netloc
        connection = http.client.HTTPConnection(host, timeout=_FORWARD_SECONDS)
        try:
            kept = {name: value for name, value in headers.items() if name not in _HOP}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            content = response.read()
            answered = [
                (name, value)
                for name, value in response.getheaders()
                if name.lower() not in _HOP
                or (method == "HEAD" and name.lower() == "content-length")
            ]
            return response.status, answered, content
        finally:
            connection.close()


def _refusal(call: _Call, failure: RefusalError) -> _Answer:
    """An error in the protocol of the service that was called."""
    if call.target:
        answer = {"__type": failure.code, "message": failure.message, **failure.details}
        body = json.dumps(answer).encode()
        return failure.status, [("Content-Type", _JSON), ("x-amzn-ErrorType", failure.code)], body
    inner = f"<Code>{failure.code}</Code><Message>{failure.message}</Message>"
    text = (
        f"<Error>{inner}</Error>"
        if call.operation == call.method
        else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
    )
    return failure.status, [("Content-Type", "application/xml")], text.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gateway: Gateway

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = _Call(self.command, self.path, headers, self._body(headers))
        status, answered, body = self.gateway.handle(call)
        self.send_response_only(status)
        # As every answer of AWS has it: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
        if "date" not in {name.lower() for name, _ in answered}:
            self.send_header("Date", self.date_time_string())
        for name, value in answered:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(headers.get("content-length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its parent's name)
        """Nothing: a test's output is its own."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that was killed leaves its connection."""


@contextmanager
def run_gateway(
    emulator_url: str, services: Callable[[Gateway], Sequence[Service]]
) -> Generator[Gateway]:
    """A gateway on a free loopback port, for as long as the block runs.

    Args:
        emulator_url: where the rest goes.
        services: what is answered here; they may call the gateway's own URL.
    """
    gateway = Gateway(emulator_url)

    class Handler(_Handler):
        pass

    Handler.gateway = gateway
    with _Server((_HOST, 0), Handler) as server:
        gateway.url = f"http://{_HOST}:{server.server_address[1]}"
        gateway.services.extend(services(gateway))
        thread = threading.Thread(target=server.serve_forever, name="twin gateway", daemon=True)
        thread.start()
        try:
            yield gateway
        finally:
            gateway.reset()
            server.shutdown()
            thread.join()
