"""What a run tells of itself, and how it is asked to end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tick_pipeline.spark.streaming.progress import (
    ControlFolder,
    EndReason,
    Phase,
    StreamProgress,
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
