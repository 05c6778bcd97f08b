"""The session of the folder above, with what the streaming job sets on top while its tests run."""

# pyspark's types are partial
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tick_pipeline.spark.session import STREAM_CONF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline_tests.spark.lake import Lake


@pytest.fixture(scope="module")
def stream_lake(lake: Lake) -> Iterator[Lake]:
    """The lake, with the streaming job's configuration; other tests share the session."""
    conf = lake.spark.conf
    before = {name: conf.get(name, None) for name in STREAM_CONF}
    for name, value in STREAM_CONF.items():
        conf.set(name, value)
    yield lake
    for name, value in before.items():
        if value is None:
            conf.unset(name)
        else:
            conf.set(name, value)
