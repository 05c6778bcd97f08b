"""States of the scorers come back byte for byte, from a local disk as through Hadoop's file systems."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tick_pipeline.spark.folders import HadoopFolder, LocalFolder
from tick_pipeline.spark.streaming.checkpoint import States, open_states

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline_tests.spark.lake import Lake

pytestmark = pytest.mark.spark


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder that is not there yet, of a name with a blank."""
    return tmp_path / "of stream" / "checkpoint"


@pytest.fixture(params=["local", "hadoop"])
def states(request: pytest.FixtureRequest, lake: Lake, checkpoint: Path) -> States:
    """An empty checkpoint's."""
    if request.param == "local":
        return States(LocalFolder(checkpoint))
    return States(HadoopFolder(lake.spark, f"file://{checkpoint}"))


def test_an_empty_checkpoint_has_no_state(states: States) -> None:
    assert states.newest() is None
    assert states.read(0) is None
    assert not states.spark_has_committed()


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_state_comes_back_byte_for_byte(states: States, size: int) -> None:
    state = random.Random(size).randbytes(size)
    states.write(3, state)
    assert states.read(3) == state
    assert states.newest() == 3


def test_the_newest_three_are_kept(states: States) -> None:
    for batch in (0, 1, 2, 9, 10, 11):
        states.write(batch, b"of %d" % batch)
        assert states.newest() == batch
    assert [states.read(batch) for batch in (1, 2)] == [None, None]
    assert [states.read(batch) for batch in (9, 10, 11)] == [b"of 9", b"of 10", b"of 11"]


def test_a_repeated_batch_replaces_its_state(states: States) -> None:
    states.write(1, b"a longer state")
    states.write(2, b"first")
    states.write(2, b"again")
    assert (states.newest(), states.read(2), states.read(1)) == (2, b"again", b"a longer state")


def test_what_a_kill_left_unfinished_is_no_state(lake: Lake, checkpoint: Path) -> None:
    states = States(LocalFolder(checkpoint))
    states.write(4, b"whole")
    (checkpoint / "scorers" / "_0000000005.npz").write_bytes(b"ha")
    assert states.newest() == 4
    states.write(5, b"whole, too")
    assert [path.name for path in sorted((checkpoint / "scorers").iterdir())] == [
        "0000000004.npz",
        "0000000005.npz",
    ]


def test_sparks_commits_beside_the_states_are_seen(states: States, checkpoint: Path) -> None:
    commits = checkpoint / "commits"
    commits.mkdir(parents=True)
    assert not states.spark_has_committed()
    (commits / ".0.crc").touch()
    assert not states.spark_has_committed()
    (commits / "0").write_text("v1")
    assert states.spark_has_committed()


def test_the_checkpoints_uri_tells_which_file_system(lake: Lake, checkpoint: Path) -> None:
    """What lies on a local disk needs no JVM; both find what the other wrote."""
    local = open_states(lake.spark, f"file://{checkpoint}/")
    assert isinstance(local._checkpoint, LocalFolder)
    local.write(0, b"state")
    other = open_states(lake.spark, f"file:{checkpoint}")
    assert isinstance(other._checkpoint, HadoopFolder)
    assert (other.newest(), other.read(0)) == (0, b"state")
    other.write(1, b"next")
    assert (local.newest(), local.read(1)) == (1, b"next")
