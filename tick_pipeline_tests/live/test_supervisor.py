"""Several processes as one: what dies is told and started again, and nothing outlives the whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
import pytest

from tick_pipeline.errors import WorkError
from tick_pipeline.live import child as child_module
from tick_pipeline.live.child import AtEnd, Child, ChildSpec
from tick_pipeline.live.supervisor import MAX_QUICK_ENDS, Supervisor
from tick_pipeline.spark.locks import is_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WAIT_SECONDS = 120.0
_LASTS = "import time; print('up', flush=True); time.sleep(600)"
_DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + _LASTS
_PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_DEAF!r}]); {_LASTS}"
#: Ends at once, while what it started still has something to do.
_LEAVES = (
    "import time\ntry: print('up', flush=True); time.sleep(600)\n"
    "except KeyboardInterrupt: time.sleep(1); print('done', flush=True)"
)
_HASTY = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_LEAVES!r}]); {_LASTS}"
_DIES = "import sys; print('first'); print('\\x1b[31mno such thing\\x1b[0m'); print('│ no │'); sys.exit(1)"


@dataclass
class Told:
    """What a supervisor tells."""

    lines: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def tell(self, name: str, line: str) -> None:
        """Take a line."""
        self.lines.append((name, line))

    @property
    def own(self) -> list[str]:
        """Those of the supervisor itself."""
        return [line for name, line in self.lines if not name]


def _spec(name: str, code: str, **options: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code), **options)  # pyright: ignore[reportArgumentType]


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _members(session: int) -> list[int]:
    found: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if process.status() != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == session:
                found.append(process.pid)
    return found


def _started(child: Child, members: int) -> int:
    """Start it, wait for the words of so many processes; its session."""
    child.start()
    session = child.session
    assert session is not None
    _until(lambda: child.log.read_text("utf-8").count("up") >= members, "it came up")
    return session


def test_a_child_and_what_it_started_end_together(tmp_path: Path) -> None:
    """Also a grandchild that ignores Ctrl-C, after its grace."""
    told = Told()
    # Long enough to tell of its Ctrl-C on a busy machine.
    spec = _spec("a", _PARENT, grace_seconds=5)
    supervisor = Supervisor([spec], tmp_path / "logs", told.tell)
    supervisor.start()
    _until(lambda: (supervisor.look(), told.lines.count(("a", "up")) == 2)[1], "both came up")
    session = _session(supervisor, "a")
    assert len(_members(session)) == 3
    supervisor.stop(["a", "unknown"])
    _until(lambda: not _members(session), "all are gone")
    [state] = supervisor.states()
    assert (state.state, state.starts, state.last_line) == ("ended", 1, "KeyboardInterrupt")


def _session(supervisor: Supervisor, name: str) -> int:
    session = supervisor.session(name)
    assert session is not None
    return session


def test_one_that_ignores_ctrl_c_is_made_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its grace."""
    monkeypatch.setattr("tick_pipeline.live.supervisor._TERM_SECONDS", _WAIT_SECONDS)
    told = Told()
    supervisor = Supervisor([_spec("deaf", _DEAF, grace_seconds=0.3)], tmp_path, told.tell)
    supervisor.start()
    _until(lambda: (supervisor.look(), ("deaf", "up") in told.lines)[1], "it came up")
    session = _session(supervisor, "deaf")
    began = time.monotonic()
    supervisor.stop(["deaf"])
    assert time.monotonic() - began >= 0.3
    assert _members(session) == []
    assert supervisor.states()[0].code == 128 + signal.SIGTERM


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_child_leaves_behind_may_finish(tmp_path: Path, killed: bool) -> None:
    """A run of Dagster, for instance, that has to stop its run of Glue; also where nobody asked the child to end."""
    child = Child(_spec("hasty", _HASTY), tmp_path / "hasty.log")
    session = _started(child, 2)
    if killed:
        [command] = psutil.Process(session).children()
        command.kill()
    else:
        child.signal(signal.SIGINT)
    _until(lambda: child.poll() is not None, "all have ended")
    assert "done" in child.log.read_text("utf-8").splitlines()
    assert _members(session) == []


def test_one_that_dies_is_told_in_one_line_and_started_again_after_ever_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends it all where it goes on so."""
    monkeypatch.setattr("tick_pipeline.live.supervisor._FIRST_BACKOFF_SECONDS", 0.01)
    told = Told()
    supervisor = Supervisor([_spec("frail", _DIES)], tmp_path, told.tell)
    supervisor.start()
    with pytest.raises(WorkError) as raised:
        _until(lambda: (supervisor.look(), False)[1], "it is given up")
    ended = "frail ended with code 1: no such thing"
    waits = ["0.01", "0.02", "0.04", "0.08"]
    assert told.own == [f"{ended}; it is started again in {seconds} s" for seconds in waits]
    assert str(raised.value) == f"{ended}, the 5th time in a row; its log: {tmp_path}/frail.log"
    assert supervisor.states()[0].starts == MAX_QUICK_ENDS


@pytest.mark.parametrize(
    ("code", "options"), [("raise SystemExit(3)", {"vital": True}), ("raise SystemExit(2)", {})]
)
def test_one_that_must_not_die_or_cannot_be_mended_by_a_start_ends_it_all(
    tmp_path: Path, code: str, options: dict[str, bool]
) -> None:
    """Exit code 2 is bad usage, whoever says it."""
    supervisor = Supervisor([_spec("vital", code, **options)], tmp_path, Told().tell)
    supervisor.start()
    with pytest.raises(WorkError, match=r"^vital ended with code [23]; its log: "):
        _until(lambda: (supervisor.look(), False)[1], "it is told")


def test_a_full_disk_is_told_by_whoever_can_still_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended could not write it into its log."""
    full = shutil.disk_usage(tmp_path)._replace(free=4096)

    def disk_usage(_folder: Path) -> object:
        return full

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    supervisor = Supervisor([_spec("a", "exit(1)", vital=True)], tmp_path, Told().tell)
    supervisor.start()
    with pytest.raises(WorkError) as raised:
        _until(lambda: (supervisor.look(), False)[1], "it is told")
    assert str(raised.value).startswith(f"a ended with code 1; the disk of {tmp_path} is full; its")


def test_a_good_end_is_the_next_start_or_the_end_of_all(tmp_path: Path) -> None:
    specs = [_spec("again", "", at_end=AtEnd.AGAIN), _spec("all", "", at_end=AtEnd.FINISH)]
    supervisor = Supervisor(specs, tmp_path, Told().tell)
    supervisor.start()
    _until(
        lambda: (supervisor.look(), supervisor.states()[0].starts > 1 and supervisor.finished)[1],
        "both ended well",
    )
    supervisor.stop(["again", "all"])
    assert [state.state for state in supervisor.states()] == ["ended", "ended"]


def test_they_end_in_order_and_each_with_its_last_command(tmp_path: Path) -> None:
    """What looks after something elsewhere has one only for where it failed."""
    says = "import sys, time\ntry: print('up', flush=True); time.sleep(600)\nexcept KeyboardInterrupt: sys.exit({0})"
    last = (sys.executable, "-c", "print('last')")
    specs = [
        _spec("well", says.format(0), last=last, detached=True, grace_seconds=_WAIT_SECONDS),
        _spec("badly", says.format(1), last=last, detached=True, grace_seconds=_WAIT_SECONDS),
        _spec("always", says.format(0), last=last, grace_seconds=_WAIT_SECONDS),
    ]
    told = Told()
    supervisor = Supervisor(specs, tmp_path, told.tell)
    supervisor.start()
    _until(lambda: (supervisor.look(), len(told.lines) == 3)[1], "all came up")
    told.lines.clear()
    supervisor.stop(["always", "badly", "well"])
    assert told.lines == [
        ("", "always is asked to end"),
        ("always", "last"),
        ("", "badly is asked to end"),
        ("badly", "last"),
        ("", "well is asked to end"),
    ]


def test_in_a_hurry_all_are_killed_but_what_must_end_something_elsewhere(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    careful = (
        "import time\ntry: print('up', flush=True); time.sleep(600)\n"
        f"except KeyboardInterrupt: open({str(ended)!r}, 'w').close()"
    )
    told = Told()
    specs = [_spec("deaf", _DEAF), _spec("careful", careful, detached=True)]
    supervisor = Supervisor(specs, tmp_path, told.tell)
    supervisor.start()
    _until(lambda: (supervisor.look(), len(told.lines) == 2)[1], "both came up")
    sessions = [_session(supervisor, name) for name in ("deaf", "careful")]
    supervisor.kill()
    _until(lambda: not _members(sessions[0]), "it is gone")
    _until(ended.exists, "the careful one ended by itself")
    _until(lambda: not _members(sessions[1]), "it is gone")
    _until(lambda: (supervisor.look(), supervisor.states()[1].state != "running")[1], "it is seen")


def test_kill_9_of_who_started_them_leaves_no_process(tmp_path: Path) -> None:
    """Neither children nor grandchildren; what it held is free only once the last has ended."""
    lock = tmp_path / "lease"
    manager = textwrap.dedent(
        f"""
        import fcntl, pathlib, sys, time
        from tick_pipeline.live.child import ChildSpec
        from tick_pipeline.live.supervisor import Supervisor
        given = {{"quick": ({_PARENT!r}, 3), "hasty": ({_HASTY!r}, 600), "slow": ({_DEAF!r}, 600)}}
        specs = [
            ChildSpec(name, (sys.executable, "-c", code), grace_seconds=seconds)
            for name, (code, seconds) in given.items()
        ]
        lease = open({str(lock)!r}, "w")
        fcntl.flock(lease, fcntl.LOCK_EX)
        supervisor = Supervisor(specs, pathlib.Path({str(tmp_path)!r}), lambda *_: None, lease.fileno())
        supervisor.start()
        print(*(supervisor.session(name) for name in given), flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", manager], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        quick, hasty, slow = (int(text) for text in process.stdout.readline().split())
        logs = [tmp_path / f"{name}.log" for name in ("quick", "hasty", "slow")]
        _until(lambda: [log.read_text().count("up") for log in logs] == [2, 2, 1], "all are up")
        process.kill()
    _until(lambda: not _members(quick), "with them a grandchild that is deaf to Ctrl-C")
    _until(lambda: not _members(hasty), "and one that had something to finish")
    assert "done" in logs[1].read_text("utf-8").splitlines()
    assert is_held(lock)
    [deaf] = set(_members(slow)) - {slow}
    os.kill(deaf, signal.SIGTERM)
    _until(lambda: not _members(slow), "all are gone")
    _until(lambda: not is_held(lock), "the next may begin")


@pytest.mark.parametrize("first", ["command ends", "asker ends"])
def test_what_a_child_left_behind_is_not_left_alone_where_who_started_it_goes(
    tmp_path: Path, first: str
) -> None:
    """Its command had ended: whoever of the two ends first."""
    lock = tmp_path / "lease"
    manager = textwrap.dedent(
        f"""
        import fcntl, pathlib, sys, time
        from tick_pipeline.live.child import Child, ChildSpec
        lease = open({str(lock)!r}, "w")
        fcntl.flock(lease, fcntl.LOCK_EX)
        spec = ChildSpec("a", (sys.executable, "-c", {_PARENT!r}), grace_seconds=5)
        child = Child(spec, pathlib.Path({str(tmp_path / "a.log")!r}), lease.fileno())
        child.start()
        print(child.session, flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", manager], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        session = int(process.stdout.readline())
        log = tmp_path / "a.log"
        _until(lambda: log.read_text("utf-8").count("up") == 2, "both are up")
        [command] = psutil.Process(session).children()
        [left] = command.children()
        if first == "command ends":
            command.kill()
            _until(
                lambda: psutil.Process(session).status() == psutil.STATUS_ZOMBIE, "the guard, too"
            )
            assert left.is_running()
        process.kill()
        assert is_held(lock)
        if first == "asker ends":
            with suppress(psutil.NoSuchProcess):  # its guard may have asked it to end already
                command.kill()
    _until(lambda: not _members(session), "it has had its grace")
    _until(lambda: not is_held(lock), "the next may begin")


def test_kill_9_of_a_guard_takes_its_child_along_at_the_next_look(tmp_path: Path) -> None:
    child = Child(_spec("a", _PARENT, grace_seconds=0.5), tmp_path / "a.log")
    session = _started(child, 2)
    os.kill(session, signal.SIGKILL)
    _until(lambda: child.poll() is not None, "it is seen")
    assert child.code == -signal.SIGKILL
    _until(lambda: not _members(session), "all are gone")


def test_a_log_does_not_grow_for_ever_and_no_line_is_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "MAX_LOG_BYTES", 1000)
    # In one write within a page: what is said while the log begins anew is lost.
    says = "import sys; sys.stdout.write(''.join(f'{i:080}\\n' for i in range(40)))"
    child = Child(_spec("a", says), tmp_path / "a.log")
    child.start()
    lines: list[str] = []
    _until(lambda: (lines.extend(child.new_lines()), child.poll() is not None)[1], "it ended")
    lines += child.new_lines()
    assert lines == [f"{number:080}" for number in range(40)]
    assert child.log.stat().st_size <= 1000
