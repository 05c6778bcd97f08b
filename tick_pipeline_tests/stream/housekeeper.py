"""A process that reads, commits, merges and expires until it is killed.

python housekeeper.py ROOT
"""

from __future__ import annotations

import sys
from pathlib import Path

from tick_pipeline.event_time import now_us
from tick_pipeline.stream.segments import LocalStream


def main() -> None:
    """Merge all that there is, over and over; retention is a day, so it drops nothing."""
    stream = LocalStream(Path(sys.argv[1]))
    while True:
        stream.commit(
            "reader", {shard.shard_id: shard.latest for shard in stream.shards() if shard.latest}
        )
        report = stream.merge_segments(before_us=now_us() + 1)
        stream.expire(now_us())
        sys.stdout.write(f"{report.merged_into}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
