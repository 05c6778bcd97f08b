"""`make bench`, or `python -m benchmarks NAME…`: one section per station, ratios against a peer."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(wanted: list[str]) -> None:
    """Run the named benchmarks, or all, in the order of a tick's life."""
    order = ("producer", "landing", "ohlc", "anomalies", "stream", "orchestration", "limits")
    found = {path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")}
    unknown = sorted(set(wanted) - found)
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(sorted(found))}")
    for name in sorted(
        wanted or found,
        key=lambda item: (item not in order, order.index(item) if item in order else 0),
    ):
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
