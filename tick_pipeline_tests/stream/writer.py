"""A process that puts batch after batch until it is killed; each line it prints is an acknowledged batch.

python writer.py ROOT WRITER
"""

# pyarrow has no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pyarrow as pa

from tick_pipeline.stream.segments import LocalStream

BATCH_RECORDS = 120
KEYS = [f"K{index % 37}" for index in range(BATCH_RECORDS)]


def main() -> None:
    """Put records whose data is `<writer>:<batch>:<index>`."""
    stream, writer = LocalStream(Path(sys.argv[1])), sys.argv[2]
    keys = pa.array(KEYS)
    for batch in itertools.count():
        data = [f"{writer}:{batch}:{index}".encode() for index in range(BATCH_RECORDS)]
        stream.put(keys, pa.array(data, pa.binary()))
        sys.stdout.write(f"{batch}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
