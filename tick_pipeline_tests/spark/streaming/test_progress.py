"""What a run tells of itself, and how it is asked to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tick_pipeline.spark.folders import LocalFolder
from tick_pipeline.spark.streaming.progress import (
    ControlFolder,
    EndReason,
    Phase,
    RemoteControl,
    StreamProgress,
    stop_wish,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_progress_comes_back_as_it_was_told(tmp_path: Path) -> None:
    control = ControlFolder(tmp_path)
    assert control.progress() is None
    told = StreamProgress(
        pid=7,
        phase=Phase.ENDED,
        end_reason=EndReason.TIME_UP,
        written={"iceberg": 3},
        positions={"shard-0000": "12"},
        watermarks_us={"shard-0000": 5},
    )
    for progress in (StreamProgress(), told):
        control.tell(progress)
        assert control.progress() == progress


def test_a_wish_to_stop_stands_until_the_folder_is_made_ready(tmp_path: Path) -> None:
    control = ControlFolder(tmp_path)
    assert control.stop_asked() is None
    for flush in (True, False):
        control.ask_to_stop(flush=flush)
        assert control.stop_asked() is flush
    control.tell(StreamProgress())
    control.forget()
    control.forget()
    assert (control.stop_asked(), control.progress()) == (None, None)


def test_afar_a_run_tells_and_is_asked_in_the_same_files(tmp_path: Path) -> None:
    afar, here = RemoteControl(LocalFolder(tmp_path), every_seconds=0), ControlFolder(tmp_path)
    assert afar.stop_asked() is None
    for progress in (StreamProgress(), StreamProgress(phase=Phase.RUNNING, batch=4)):
        afar.tell(progress)
        assert here.progress() == progress
    for flush in (True, False):
        here.ask_to_stop(flush=flush)
        assert afar.stop_asked() is flush
        assert (tmp_path / "stop.json").read_text() == stop_wish(flush=flush)


def test_afar_a_phase_that_goes_on_is_told_rarely_and_a_new_one_at_once(tmp_path: Path) -> None:
    """Each telling and each look costs a request."""
    afar, here = RemoteControl(LocalFolder(tmp_path), every_seconds=3600), ControlFolder(tmp_path)
    assert afar.stop_asked() is None
    here.ask_to_stop(flush=True)
    assert afar.stop_asked() is None
    told: list[int] = []
    for batch, phase in enumerate((Phase.RUNNING, Phase.RUNNING, Phase.STOPPING, Phase.ENDED)):
        afar.tell(StreamProgress(phase=phase, batch=batch))
        progress = here.progress()
        assert progress is not None
        told.append(progress.batch)
    assert told == [0, 0, 2, 3]


def test_two_threads_tell_at_the_same_time(tmp_path: Path) -> None:
    """The one that watches and the one that takes a micro-batch; a reader sees one or the other, whole."""
    control, failures = ControlFolder(tmp_path), list[BaseException]()

    def tell(pid: int) -> None:
        try:
            for _ in range(300):
                control.tell(StreamProgress(pid=pid))
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=tell, args=(pid,)) for pid in (1, 2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        progress = control.progress()
        assert progress is None or progress.pid in {1, 2}
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
