"""`live` refuses what cannot go well before anything starts, and `anomalies start --follow` stays with the job."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from tick_pipeline.cli.anomalies import stream as anomalies
from tick_pipeline.cli.dashboard.look import Look
from tick_pipeline.cli.dashboard.looker import Looker
from tick_pipeline.cli.dashboard.screen import Screen
from tick_pipeline.cli.live import what_to_run
from tick_pipeline.cli.live_output import Told, WebInterface
from tick_pipeline.cli.main import run
from tick_pipeline.errors import SparkJobError
from tick_pipeline.landing.delivery import delivery_lock
from tick_pipeline.live.child import ChildSpec
from tick_pipeline.live.plan import STOP_ORDER
from tick_pipeline.producer.request import SimulationRequest
from tick_pipeline.resources.deployments import LocalDeployment
from tick_pipeline.resources.stream_run import StreamOptions, StreamRunStatus
from tick_pipeline.spark.locks import exclusive
from tick_pipeline.storage import StorageMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tick_pipeline.home import Home
    from tick_pipeline.settings import Settings

STOPPED = StreamRunStatus(
    state="stopped",
    wanted=False,
    runner=None,
    progress=None,
    heartbeat_seconds=None,
    behind=None,
    ended_us=None,
    reason=None,
)
RUNNING = replace(STOPPED, state="running", wanted=True, runner="4711")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--scenario", "boom"], 2, "flash_crash"),
        (["--rate", "0"], 2, "rate"),
        (["--duration", "-1"], 2, "duration"),
        (["--port", "0"], 2, "--port"),
    ],
)
def test_a_wrong_option_starts_nothing(
    here: Home, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, complaint: str
) -> None:
    assert run(["live", *arguments]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert complaint in told.err
    assert list(here.logs.iterdir()) == []


def test_a_busy_port_is_one_line_and_starts_nothing(
    here: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["live", "--port", str(port)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"tick-pipeline: port {port} of 127.0.0.1 cannot be had (")
    assert "--no-ui" in told
    assert told.count("\n") == 1
    assert list(here.logs.iterdir()) == []


def test_without_the_web_interfaces_package_there_is_one_line(
    here: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_webserver", None)
    assert run(["live"]) == 1
    assert "install tick-pipeline[ui]; `live` needs none with --no-ui" in capsys.readouterr().err


def test_the_web_interface_is_up_once_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its name)
            """Nothing."""

    monkeypatch.setattr("tick_pipeline.cli.live_output._ASK_SECONDS", 60.0)
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        port = server.server_address[1]
        # A proxy is for what is elsewhere.
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        interface = WebInterface(port)
        assert str(interface) == f"http://127.0.0.1:{port} is not up yet"
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert interface.has_come_up()
        thread.join()
    assert str(interface) == f"http://127.0.0.1:{port}"
    assert interface.up_seconds is not None
    assert not interface.has_come_up(), "it is told once"
    assert not WebInterface(port).has_come_up(), "nobody answers"


def test_one_home_has_one_live_mode(
    here: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told, and not that its port is taken."""
    monkeypatch.setattr("tick_pipeline.cli.live._WAIT", 0.1)
    with exclusive(here.locks / "live.lock", what="the test"), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["live", "--port", str(taken.getsockname()[1])]) == 1
    assert "another process holds the live mode of this HOME" in capsys.readouterr().err


def test_what_runs_already_is_told_and_not_started_again(
    here: Home, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    request = SimulationRequest("steady", 60)
    deployment = LocalDeployment(settings)
    names = [spec.name for spec in what_to_run(deployment, settings, request, None, 3000)]
    assert names == ["delivery", "anomalies", "dagster", "producer"]
    assert capsys.readouterr().err == ""
    stream = exclusive(here.locks / "anomaly-stream.lock", what="the test")
    with exclusive(delivery_lock(here, StorageMode.ICEBERG), what="the test"), stream:
        (here.anomaly_stream / "run.json").write_text('{"pid": 4711}')
        names = [spec.name for spec in what_to_run(deployment, settings, request, None, None)]
        assert names == ["anomalies", "dagster", "producer"], "a job that is not wanted ends"
        capsys.readouterr()
        (here.anomaly_stream / "wanted.json").write_text("{}")
        names = [spec.name for spec in what_to_run(deployment, settings, request, None, None)]
    assert names == ["dagster", "producer"]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("a delivery is running already")
    assert told[1].startswith("the stream of anomalies runs already, as 4711")


def test_dagster_begins_with_sensors_on_and_the_producer_with_what_was_asked_for(
    here: Home, settings: Settings
) -> None:
    request = SimulationRequest("late", 90, rate=7.5, symbols=3, seed=5)
    by_name = {
        spec.name: spec
        for spec in what_to_run(LocalDeployment(settings), settings, request, 90, 4000)
    }
    dagster = by_name["dagster"].environment
    assert dagster["TICK_PIPELINE_AUTOMATION_RUNNING"] == "true"
    assert dagster["TICK_PIPELINE_DAGSTER_URL"] == "http://127.0.0.1:4000"
    assert dagster["TICK_PIPELINE_HOME"] == str(here.path)
    assert dagster["DAGSTER_HOME"] == str(here.path / "dagster")
    assert by_name["producer"].command[3:] == (
        "produce",
        "--scenario=late",
        "--rate=7.5",
        "--symbols=3",
        "--seed=5",
        "--duration=90",
    )
    assert by_name["delivery"].command[3:] == ("deliver", "--follow")
    assert by_name["delivery"].last[3:] == ("deliver",)


#: Longer than anything takes here.
_GRACE_SECONDS = 200
_LASTS = "import time; print('up', flush=True); time.sleep(600)"
_DEAF = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {_LASTS}"


@pytest.fixture
def live(here: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the live mode with small scripts as its processes; Ctrl-C as often as is asked for, once all are up.

    The second one comes while the first process is asked to end.
    """

    def run_live(*scripts: str, ctrl_c: int = 1, options: tuple[str, ...] = (), **spec: Any) -> int:
        specs = [
            ChildSpec(name, (sys.executable, "-c", script), grace_seconds=_GRACE_SECONDS, **spec)
            for name, script in zip(STOP_ORDER, scripts, strict=False)
        ]

        def what_to_run(*_: object) -> list[ChildSpec]:
            return specs

        monkeypatch.setattr("tick_pipeline.cli.live.what_to_run", what_to_run)
        ended = threading.Event()
        lines: list[str] = []
        tell = Told.tell

        def recorded(told: Told, name: str, line: str) -> None:
            tell(told, name, line)
            lines.append(line)

        def interrupt() -> None:
            for told in ("up", "producer is asked to end")[:ctrl_c]:
                while lines.count(told) < (len(specs) if told == "up" else 1):
                    if ended.wait(0.05):
                        return
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        with monkeypatch.context() as patched:
            patched.setattr(Told, "tell", recorded)
            thread.start()
            try:
                return run(["live", "--no-ui", *options])
            finally:
                ended.set()
                thread.join()

    return run_live


@pytest.fixture
def _ctrl_c_at_the_third_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Look] = []
    original = Looker.look

    def look(looker: Looker) -> Look:
        looks.append(original(looker))
        if len(looks) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return looks[-1]

    monkeypatch.setattr(Looker, "look", look)
    monkeypatch.setattr(LocalDeployment, "look_seconds", 0.3)


def test_ctrl_c_ends_all_in_order_and_is_no_failure(
    live: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal, what they say comes line by line, with their names."""
    assert live(_LASTS, _LASTS, options=("--json",)) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert [process["name"] for process in result["processes"]] == ["producer", "delivery"]
    assert {process["state"] for process in result["processes"]} == {"ended"}
    assert (result["url"], result["ui_seconds"]) == (None, None)
    lines = told.err.splitlines()
    assert sorted(lines[:2]) == ["delivery  | up", "producer  | up"]
    asked = [line for line in lines if "is asked to end" in line]
    assert asked == ["live      | producer is asked to end", "live      | delivery is asked to end"]


def test_where_no_delivery_of_ours_runs_the_end_tells_that_the_last_is_still_to_land(
    live: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on AWS, whose Firehoses go on."""
    assert live(_LASTS) == 0
    assert "still to land" not in capsys.readouterr().err
    monkeypatch.setattr(LocalDeployment, "follow_command", ())
    assert live(_LASTS) == 0
    assert "what was sent last is still to land, by itself" in capsys.readouterr().err


def test_what_could_not_be_finished_at_the_end_is_a_failure_with_the_command_that_does(
    live: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """As a run of Glue that nobody could stop; the table of the processes is there nevertheless."""
    code = "print('the token has expired'); raise SystemExit(1)"
    last = (sys.executable, "-c", code, "anomalies", "stop", "--flush")
    assert live(_LASTS, last=last) == 1
    told = capsys.readouterr()
    assert "said last" in told.out
    assert told.err.splitlines()[-1] == (
        "tick-pipeline: producer ended with code 1: the token has expired; what is left to do: "
        "tick-pipeline anomalies stop --flush"
    )


def test_a_second_ctrl_c_ends_at_once(
    live: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert live(_DEAF, _DEAF, ctrl_c=2) == 130
    assert time.monotonic() - began < _GRACE_SECONDS
    assert capsys.readouterr().err.splitlines()[-1] == "tick-pipeline: interrupted"


def test_the_end_of_what_all_depend_on_is_one_line_and_exit_code_1(
    live: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are ended first."""
    assert live("print('no such port'); raise SystemExit(3)", _LASTS, vital=True, ctrl_c=0) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("tick-pipeline: producer ended with code 3: no such port; its log: ")


@pytest.mark.usefixtures("_ctrl_c_at_the_third_look")
def test_on_a_terminal_there_is_the_dashboard_and_notices_remain(
    live: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "50")
    assert live(_LASTS, ctrl_c=0) == 0
    told = capsys.readouterr()
    for title in ("processes", "stream", "deliveries", "newest hour", "last candles"):
        assert title in told.out
    assert "without a web interface" in told.out
    assert told.err.splitlines()[0] == "producer is asked to end"


@pytest.mark.usefixtures("_ctrl_c_at_the_third_look")
@pytest.mark.parametrize("terminal", ["xterm", "dumb", None])
def test_status_can_be_watched_on_a_terminal_and_in_a_pipe(
    here: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: str | None,
) -> None:
    """One that cannot go back to a line, as an editor's, gets one look after the other."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", terminal)
    assert run(["status", "--watch"]) == 0
    told = capsys.readouterr().out
    assert "last candles" in told
    assert ("\x1b[?1049h" in told) is (terminal == "xterm")
    if terminal != "xterm":
        assert told.count("last candles") == 3


def test_a_look_that_waits_for_aws_does_not_keep_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor the process: its thread ends with it."""
    monkeypatch.setattr("tick_pipeline.cli.dashboard.screen._LAST_LOOK_SECONDS", 0.01)
    answer, looking = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    class Waiting:
        def look(self) -> Look:
            threads.append(threading.current_thread())
            looking.set()
            answer.wait()
            return Look("aws", "/home")

    looker: Any = Waiting()
    with Screen(looker, Console(file=StringIO(), force_terminal=True), 1.0) as screen:
        screen.refresh()
        assert looking.wait(60)
    assert [(thread.is_alive(), thread.daemon) for thread in threads] == [(True, True)]
    answer.set()


def test_what_a_look_raises_is_raised_where_it_is_drawn() -> None:
    class Broken:
        def look(self) -> Look:
            raise ZeroDivisionError

    looker: Any = Broken()
    screen = Screen(looker, Console(file=StringIO(), force_terminal=True), 1000.0)

    def draw() -> None:
        for _ in range(1000):
            screen.refresh()
            time.sleep(0.01)

    with screen, pytest.raises(ZeroDivisionError):
        draw()


def test_the_end_goes_on_where_nobody_reads_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends `| tee`, too, before the processes are asked to end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        on_screen = Told(as_lines=False)
        on_screen.end_dashboard()
        for told in (Told(as_lines=True), on_screen):
            for _ in range(3):
                told.tell("", "producer is asked to end")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), broken.fileno())


class Recorder:
    """A streaming job that answers from a list, and records what it is asked."""

    def __init__(self, statuses: list[StreamRunStatus], *, start_fails: bool = False) -> None:
        self.statuses, self.start_fails = statuses, start_fails
        self.asked: list[str] = []

    def status(self) -> StreamRunStatus:
        """The next one; at the last one, Ctrl-C."""
        if len(self.statuses) == 1:
            os.kill(os.getpid(), signal.SIGINT)
            return self.statuses[0]
        return self.statuses.pop(0)

    def start(self, options: StreamOptions) -> StreamRunStatus:
        """Record it."""
        assert not options.drain
        self.asked.append("start")
        if self.start_fails:
            raise SparkJobError("the stream of anomalies did not start")
        return RUNNING

    def stop(self, *, flush: bool = False) -> StreamRunStatus:
        """Record it."""
        self.asked.append(f"stop, flush={flush}")
        return STOPPED


class OneJob:
    """A deployment of one port."""

    look_seconds = 0.01

    def __init__(self, job: Recorder) -> None:
        self.anomaly_stream = lambda: job


def _follow(job: Recorder, monkeypatch: pytest.MonkeyPatch) -> int:
    def deployment_of(_settings: Settings) -> OneJob:
        return OneJob(job)

    monkeypatch.setattr(anomalies, "deployment_of", deployment_of)
    return run(["anomalies", "start", "--follow"])


def test_following_starts_what_does_not_run_and_stops_it_flushed(
    here: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Again, where it ended meanwhile."""
    job = Recorder([STOPPED, RUNNING, STOPPED, RUNNING])
    assert _follow(job, monkeypatch) == 0
    assert job.asked == ["start", "start", "stop, flush=True"]
    assert capsys.readouterr().err == "the stream of anomalies: running, as 4711\n"


def test_following_takes_over_what_another_started_first(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the sensor may that looks after it."""
    job = Recorder([STOPPED, RUNNING, RUNNING], start_fails=True)
    assert _follow(job, monkeypatch) == 0
    assert job.asked == ["start", "stop, flush=True"]


def test_following_ends_where_nothing_can_be_started(
    here: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Recorder([STOPPED, STOPPED, STOPPED], start_fails=True)
    assert _follow(job, monkeypatch) == 1
    assert "did not start" in capsys.readouterr().err
    assert run(["anomalies", "start", "--follow", "--drain"]) == 2
