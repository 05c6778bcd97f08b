"""`deliver`: from segments of the stream into both raw tables, all JSON good, then 0.1 % malformed.

Each figure is one process of its own, its start told apart. The peer is the conversion as it is
usually written: decode each record with a JSON library, then build the table.
"""

# pyarrow and duckdb have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa

from tick_pipeline.contracts.decode import decode
from tick_pipeline.event_time import parse_instant
from tick_pipeline.landing.convert import Converter
from tick_pipeline.landing.delivery import deliver
from tick_pipeline.resources.local import open_home
from tick_pipeline.settings import load_settings
from tick_pipeline.stream.segments import LocalStream

RECORDS = 2_000_000
PUT_RECORDS = 100_000
RUNS = 3
SYMBOLS = 100
_START_US = parse_instant("2026-01-01T10:00:00Z")
_TARGETS = {0.0: 300_000, 0.001: 200_000}
_MILLION = 1_000_000
_GARBAGE = (b"garbage", b"\xff\xfe", b'{"price":"1"}', b"{}{}", b"")


def main() -> None:
    """Print ticks per second, CPU seconds per million and peak memory."""
    for bad_share, target in _TARGETS.items():
        results = [_run_apart(bad_share) for _ in range(RUNS)]
        best = max(results, key=lambda result: result["per_second"])
        print(
            f"deliver to both, {bad_share:.1%} malformed: "
            f"{sorted(round(result['per_second']) for result in results)} ticks/s "
            f"(target {target:,}); best: {best['cpu_seconds']:.2f} CPU-s per million, "
            f"peak {best['peak_mib']:.0f} MiB, process start {best['start_seconds']:.2f} s apart",
            flush=True,
        )
    _compare_conversions()


def deliver_once(home_path: Path, started: float) -> None:
    """The measured process: deliver a HOME's stream and print the figures as JSON."""
    settings = load_settings(home=home_path, _env_file=None)
    home = open_home(settings)
    stream = LocalStream(home.stream)
    start_seconds = time.time() - started
    wall, cpu = time.perf_counter(), time.process_time()
    summaries = deliver(home, settings, stream, modes=settings.storage_modes)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    records = min(summary.records for summary in summaries.values())
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "per_second": records / wall,
                "cpu_seconds": cpu * _MILLION / records,
                "start_seconds": start_seconds,
                "peak_mib": peak_kib / 1024,
            }
        )
    )


def _run_apart(bad_share: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench_landing_") as folder:
        home_path = Path(folder, "home")
        _fill(home_path, bad_share)
        code = (
            "import sys, time; started = time.time(); "
            "from pathlib import Path; from benchmarks.bench_landing import deliver_once; "
            "deliver_once(Path(sys.argv[1]), started)"
        )
        command = [sys.executable, "-c", code, str(home_path)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def _fill(home_path: Path, bad_share: float) -> None:
    settings = load_settings(home=home_path, _env_file=None)
    stream = LocalStream(open_home(settings).stream)
    for first in range(0, RECORDS, PUT_RECORDS):
        keys, data = make_records(first, PUT_RECORDS, bad_share)
        stream.put(keys, data)


def make_records(first: int, count: int, bad_share: float) -> tuple[pa.Array, pa.Array]:
    """Partition keys and records over two event hours; a share of them is garbage."""
    table = duckdb.sql(
        f"""
        select symbol, to_json({{event_id: 'sim-1:' || symbol || ':' || n, source: 'sim-1',
            sequence: n, symbol: symbol, price: round(100 + (hash(n) % 1000) / 100, 2),
            volume: round((hash(n + 7) % 100000) / 1000, 3), event_ts: us,
            event_time: strftime(make_timestamp(us), '%Y-%m-%dT%H:%M:%S.%fZ'),
            sent_ts: us}})::varchar::blob as data
        from (select n, 'SYM' || lpad((hash(n) % {SYMBOLS})::varchar, 3, '0') as symbol,
                     {_START_US} + n * 3600 as us
              from range({first + 1}, {first + count + 1}) as numbers(n))
        """  # noqa: S608  (numbers of this file)
    ).to_arrow_table()
    data = table.column("data").combine_chunks()
    if bad_share:
        records = data.to_pylist()
        for place, index in enumerate(range(0, count, round(1 / bad_share))):
            records[index] = _GARBAGE[place % len(_GARBAGE)]
        data = pa.array(records, pa.binary())
    return table.column("symbol").combine_chunks(), data


def _compare_conversions() -> None:
    """CPU seconds per million: the converter on each form of record, and row by row."""
    _, data = make_records(0, PUT_RECORDS, 0.0)
    spaced = pa.array([json.dumps(json.loads(item)).encode() for item in data.to_pylist()])
    converter = Converter()
    converter.convert(data)
    for name, records in (("canonical", data), ("spaced", spaced)):
        cpu = time.process_time()
        converter.convert(records)
        print(f"convert, {name}: {_per_million(cpu):.2f} CPU-s per million")
    cpu = time.process_time()
    rows = [decode(item) for item in data.to_pylist()]
    pa.Table.from_pylist(rows)
    print(f"row by row, strict: {_per_million(cpu):.2f} CPU-s per million")


def _per_million(cpu_start: float) -> float:
    return (time.process_time() - cpu_start) * _MILLION / PUT_RECORDS
