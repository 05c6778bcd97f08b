"""Each format from a file of the venue's own shape, and every way in which a file or a row is bad."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import gzip
import os
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tick_pipeline.errors import TradeFileError
from tick_pipeline.producer.formats.layout import resolve_layout
from tick_pipeline.producer.formats.reader import open_trade_file
from tick_pipeline_tests.producer.replay_helper import replay, tape

DATA = Path(__file__).parent / "data"
GOOD = "2024-01-02T09:30:00Z,AAPL,187.5,100"


def seen(path: Path, **options: Any) -> list[tuple[str, str, float, float]]:
    """(event_time, symbol, price, volume) of each tick that is sent."""
    return [
        (tick["event_time"], tick["symbol"], tick["price"], tick["volume"])
        for tick in replay(path, **options)[1]
    ]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(TradeFileError) as caught:
        replay(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_generic_reads_every_way_to_write_a_time() -> None:
    assert seen(DATA / "generic.csv") == [
        ("2014-09-17T13:30:00.531657Z", "ETF", 23.82, 3),
        ("2014-09-17T13:30:00.531930Z", "BRK.B", 142000.5, 1038),
        ("2014-09-17T13:30:01.000000Z", "ETF", 23.82, 0),
        ("2014-09-17T13:30:02.500000Z", "eth/usd", 0.00001, 0.25),
        ("2014-09-17T13:30:03.000001Z", "A.B-C_d", 1, 0.5),
    ]


def test_binance_without_names_in_milliseconds() -> None:
    _, ticks = replay(DATA / "BTCUSDT-trades-2024-01-01.csv")
    assert [
        (tick["event_id"], tick["event_time"], tick["price"], tick["volume"]) for tick in ticks
    ] == [
        ("BTCUSDT:3375213811", "2024-01-01T00:00:00.000000Z", 42283.58, 0.0005),
        ("BTCUSDT:3375213812", "2024-01-01T00:00:00.004000Z", 42283.59, 0.002),
        ("BTCUSDT:3375213813", "2024-01-01T00:00:00.004000Z", 42283.59, 0.002),
    ]


def test_binance_with_names_in_microseconds() -> None:
    assert seen(DATA / "ETHUSDT-trades-2025-01-01.csv") == [
        ("2025-01-01T00:00:00.123456Z", "ETHUSDT", 3337.78, 0.15),
        ("2025-01-01T00:00:00.123457Z", "ETHUSDT", 3337.77, 1.2),
    ]


def test_taq_with_date_and_time_is_exchange_local_in_both_seasons() -> None:
    assert seen(DATA / "taq_ctm.csv") == [
        ("2018-01-02T14:30:00.013547Z", "BRK.B", 198.86, 100),
        ("2018-01-02T14:30:00.013547Z", "AAPL", 170.16, 200),
        ("2018-07-02T20:00:00.500000Z", "AAPL", 187.18, 300),
    ]


def test_taq_with_dt_is_local_unless_an_offset_is_written() -> None:
    assert seen(DATA / "taq_dt.csv") == [
        ("2018-01-02T14:30:00.124000Z", "XXX", 157.4, 100),
        ("2018-07-02T13:30:00.124000Z", "BRK.A", 281000, 1),
    ]
    assert seen(DATA / "taq_dt.csv", timezone="Asia/Tokyo")[0][0] == "2018-01-02T00:30:00.124000Z"


def test_databento_in_raw_units_loses_no_digit() -> None:
    assert seen(DATA / "databento_raw.csv") == [
        ("2023-09-29T11:14:16.182973Z", "15144", 430.4, 300),
        ("2023-09-29T11:14:16.182973Z", "15144", 9007199.254740993, 1),
        ("2023-09-29T11:14:16.182974Z", "15144", 1e-9, 1),
    ]


def test_databento_in_pretty_units() -> None:
    assert seen(DATA / "databento_pretty.csv") == [
        ("2023-09-29T11:13:16.182973Z", "SPY", 430.4, 300),
        ("2023-09-29T12:00:00.250233Z", "SPY...240119C00450000", 430.77, 5),
    ]


def test_csv_compressed_and_parquet_tell_the_same_trades(tmp_path: Path) -> None:
    plain = DATA / "generic.csv"
    packed = tmp_path / "generic.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert replay(packed)[1] == replay(plain)[1]
    names, *rows = [line.split(",") for line in plain.read_text("utf-8").splitlines()]
    parquet = tmp_path / "generic.parquet"
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), parquet)
    assert seen(parquet) == seen(plain)


MOMENT = datetime(2024, 1, 2, 9, 30, 0, 123456, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([MOMENT], pa.timestamp("us", "America/New_York")),
        pa.array([MOMENT], pa.timestamp("us", "UTC")),
        pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")),
        pa.array([1704187800123456789], pa.timestamp("ns")),
        pa.array([1704187800123456789], pa.timestamp("ns", "Asia/Tokyo")),
        pa.array([1704187800123456789], pa.int64()),
        pa.array([1704187800123456789], pa.uint64()),
        pa.array([1704187800123456]),
        pa.array([1704187800123456.0]),
        pa.array([1704187800.123456]),
        pa.array([Decimal("1704187800.123456")]),
        pa.array(["2024-01-02T09:30:00.123456789Z"], pa.large_string()),
        pa.array(["2024-01-02T09:30:00.123456"]).dictionary_encode(),
    ],
    ids=lambda times: str(times.type),
)
def test_typed_times_of_parquet_are_the_same_instant(tmp_path: Path, times: Any) -> None:
    path = tmp_path / "typed.parquet"
    one = {"symbol": ["A"], "price": [430.0], "volume": pa.array([7], pa.int32())}
    pq.write_table(pa.table({"event_time": times, **one}), path)
    assert seen(path) == [("2024-01-02T09:30:00.123456Z", "A", 430.0, 7.0)]


def test_databento_prices_of_parquet_are_units_only_where_they_are_integers(tmp_path: Path) -> None:
    path = tmp_path / "databento.parquet"
    common = {"ts_event": pa.array([MOMENT]), "symbol": ["SPY"], "size": [1]}
    pq.write_table(pa.table({**common, "price": pa.array([430.0])}), path)
    assert seen(path)[0][2] == 430.0
    pq.write_table(pa.table({**common, "price": pa.array([430_000_000_000])}), path)
    assert seen(path)[0][2] == 430.0


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffevent_time,symbol,price,volume\n{GOOD}\n",
        f"event_time,symbol,price,volume\r\n{GOOD}\r\n",
        f"event_time,symbol,price,volume\n{GOOD}",
        f"event_time,symbol,price,volume\n{GOOD}\n\n\r\n\n",
        '"event_time", symbol ,"price",volume\n"2024-01-02T09:30:00Z","AAPL","187.5","100"\n',
        "event_time,symbol,price,volume\n 2024-01-02 09:30:00Z , AAPL ,+1.875e2,\t100\n",
        'event_time,symbol,price,volume,note\n2024-01-02 09:30,AAPL,187.5,1e2,"a, ""b"" c"\n',
    ],
    ids=["bom", "crlf", "no-line-end", "blank-end", "quoted", "blanks", "commas-in-quotes"],
)
def test_harmless_ways_to_write_csv_make_no_difference(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(text.encode())
    assert seen(path) == [("2024-01-02T09:30:00.000000Z", "AAPL", 187.5, 100.0)]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (",A,1,1", "event_time is missing"),
        ("yesterday,A,1,1", "event_time 'yesterday' is no time"),
        ("2023-02-29,A,1,1", "event_time '2023-02-29' is no time"),
        ("20240102093000,A,1,1", "event_time '20240102093000' is outside 2000-2100"),
        ("1999-12-31T23:59:59.999999Z,A,1,1", "event_time '1999-12-31T23:59:59.999999Z' is outside 2000-2100"),
        ("2100-01-01,A,1,1", "event_time '2100-01-01' is outside 2000-2100"),
        ("0,A,1,1", "event_time '0' is outside 2000-2100"),
        ("2024-01-02,,1,1", "symbol is missing"),
        ("2024-01-02,A:B,1,1", "symbol 'A:B' is not 1-32 of A-Z a-z 0-9 . - / _"),
        (f"2024-01-02,{'A' * 33},1,1", f"symbol '{'A' * 33}' is not 1-32 of"),
        ("2024-01-02,Ä,1,1", "symbol 'Ä' is not 1-32 of"),
        ("2024-01-02,A,,1", "price is missing"),
        ("2024-01-02,A, ,1", "price is missing"),
        ("2024-01-02,A,abc,1", "price 'abc' is no number"),
        ("2024-01-02,A,1_000,1", "price '1_000' is no number"),
        ('2024-01-02,A,"1,5",1', "price '1,5' is no number"),
        ("2024-01-02,A,0x10,1", "price '0x10' is no number"),
        ("2024-01-02,A,nan,1", "price 'nan' is no number"),
        ("2024-01-02,A,inf,1", "price 'inf' is no number"),
        ("2024-01-02,A,1e400,1", "price '1e400' is too large for a double"),
        ("2024-01-02,A,0,1", "price '0' is not above 0"),
        ("2024-01-02,A,-1.5,1", "price '-1.5' is not above 0"),
        ("2024-01-02,A,1e-400,1", "price '1e-400' is not above 0"),
        ("2024-01-02,A,1,", "volume is missing"),
        ("2024-01-02,A,1,x", "volume 'x' is no number"),
        ("2024-01-02,A,1,-1", "volume '-1' is below 0"),
        ("2024-01-02,A,1,1e999", "volume '1e999' is too large for a double"),
        ("2024-01-02,A,1", "has 3 values where there are 4 columns"),
        ("2024-01-02,A,1,1,1", "has 5 values where there are 4 columns"),
        ("", "event_time is missing"),
        (f"{'z' * 500},A,1,1", f"event_time '{'z' * 60}…' is no time"),
        ('"a\nb",A,1,1', "event_time 'a\\nb' is no time"),
    ],
)  # fmt: skip
def test_a_bad_row_refuses_the_file_with_its_line_column_and_value(
    tmp_path: Path, row: str, detail: str
) -> None:
    path = tape(tmp_path / "trades.csv", [GOOD, GOOD, row, GOOD, "2024-01-02,A,0,1"])
    message = refusal(path)
    assert message.startswith(f", line 4: {detail}")
    assert message.endswith("--skip-invalid; nothing was sent")


def test_the_first_bad_line_is_told_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    path = tape(tmp_path / "trades.csv", [GOOD, "2024-01-02,A,1", "2024-01-02,A,0,1", "x,A,1,1"])
    assert refusal(path).startswith(", line 3: has 3 values")
    path = tape(tmp_path / "trades.csv", [GOOD, "2024-01-02,A,0,1", "x,A,1,1", "2024-01-02,A,1"])
    assert refusal(path).startswith(", line 3: price '0'")


def test_a_row_of_parquet_and_of_a_file_without_names_counts_from_one(tmp_path: Path) -> None:
    parquet = tmp_path / "trades.parquet"
    columns = {"event_time": [MOMENT] * 2, "symbol": ["A", "A"], "volume": [1, 1]}
    pq.write_table(pa.table({**columns, "price": [1.0, float("nan")]}), parquet)
    assert refusal(parquet).startswith(", row 2: price 'nan' is no number")
    binance = tmp_path / "BTCUSDT-trades-2024-01-01.csv"
    good = "1,42283.5,0.5,1.5,1704067200000,True,True\n"
    binance.write_text(good + good.replace("0.5,", "half,"), encoding="utf-8")
    assert refusal(binance).startswith(", line 2: qty (volume) 'half' is no number")


def test_bytes_that_are_not_utf8_cost_their_own_row(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(
        b"event_time,symbol,price,volume,id\n" + GOOD.encode() + b",\xff\n"
        b"2024-01-02,A\xff,1,1,1\n" + GOOD.encode() + b",2\n"
    )
    assert len(seen(path, skip_invalid=True)) == 2
    summary, _ = replay(path, skip_invalid=True, columns={"event_id": "id"})
    assert summary.skipped == {
        "event_id is not UTF-8": 1,
        "symbol is not 1-32 of A-Z a-z 0-9 . - / _": 1,
    }


def test_wrong_local_times_of_an_exchange_are_bad_rows(tmp_path: Path) -> None:
    path = tape(tmp_path / "t.csv", ["2018-03-11 02:30:00,A,1,1"], names="DT,SYMBOL,PRICE,SIZE")
    assert "does not exist in the time zone: its clocks skip it" in refusal(path)
    tape(path, ["2018-11-04 01:30:00,A,1,1"], names="DT,SYMBOL,PRICE,SIZE")
    assert "DT (event_time) '2018-11-04 01:30:00' is two instants in the time zone" in refusal(path)
    tape(path, ["2018-11-04 01:30:00-05:00,A,1,1"], names="DT,SYMBOL,PRICE,SIZE")
    assert seen(path)[0][0] == "2018-11-04T06:30:00.000000Z"
    tape(path, ["20180102,,A,1,1"], names="DATE,TIME_M,SYMBOL,PRICE,SIZE")
    assert refusal(path).startswith(", line 2: DATE+TIME_M (event_time) is missing")
    assert refusal(path, timezone="Mars/Base").startswith("--timezone 'Mars/Base' is no time zone")


def test_databento_rows_that_are_no_trades_are_bad(tmp_path: Path) -> None:
    names = "ts_event,instrument_id,action,price,size"
    path = tape(tmp_path / "d.csv", ["1695986056182973421,1,A,430400000000,1"], names=names)
    assert refusal(path).startswith(", line 2: action 'A' is no trade")
    tape(path, [f"1695986056182973421,1,T,{2**63 - 1},1"], names=names)
    assert refusal(path).startswith(f", line 2: price '{2**63 - 1}' is undefined")
    tape(path, ["18446744073709551615,1,T,1,1"], names=names)
    assert "is no time" in refusal(path)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", "x", str(2**63), ""])
def test_a_mapped_sequence_that_is_no_whole_number_from_one_is_bad(
    tmp_path: Path, text: str
) -> None:
    names = "event_time,symbol,price,volume,no"
    path = tape(tmp_path / "trades.csv", [f"{GOOD},{text}"], names=names)
    assert refusal(path, columns={"sequence": "no"}).startswith(", line 2: no (sequence)")


def test_bad_rows_that_are_skipped_are_counted_by_reason_with_samples(tmp_path: Path) -> None:
    bad = ["2024-01-02,A,0,1", "2024-01-02,A,1", "2024-01-02,A,-3,1", "2024-01-02,A:,0,1"]
    path = tape(tmp_path / "trades.csv", [GOOD, *bad, GOOD, "2024-01-02,A,1,1,1", GOOD])
    summary, ticks = replay(path, skip_invalid=True)
    assert (summary.rows, summary.sent) == (8, 3)
    assert summary.skipped == {
        "wrong number of values": 2,
        "symbol is not 1-32 of A-Z a-z 0-9 . - / _": 1,
        "price is not above 0": 2,
    }
    assert [(sample.row, sample.detail) for sample in summary.samples] == [
        (4, "has 3 values where there are 4 columns"),
        (6, "symbol 'A:' is not 1-32 of A-Z a-z 0-9 . - / _"),
        (3, "price '0' is not above 0"),
    ]
    assert [tick["sequence"] for tick in ticks] == [1, 2, 3]


def test_line_numbers_hold_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line ends fall on, before and behind the ends of blocks, and bad lines on each of them."""
    rows = [GOOD if line % 7 else "2024-01-02,A,1" for line in range(2, 100)]
    path = tape(tmp_path / "trades.csv", [*rows, "", GOOD, "", ""])
    file = open_trade_file(path)
    layout = resolve_layout(path.name, file.first_row, file_format="auto", columns={}, symbol=None)
    for block_bytes in range(2 * len(GOOD), 4 * len(GOOD)):
        monkeypatch.setattr("tick_pipeline.producer.formats.reader._BLOCK_BYTES", block_bytes)
        chunks = list(file.chunks(layout))
        numbers = [row for chunk in chunks for row in chunk.table["row"].to_pylist()]
        wrong = [(item.row, item.values) for chunk in chunks for item in chunk.wrong_widths]
        assert wrong == [(line, 3) for line in range(7, 100, 7)]
        assert numbers == [line for line in range(2, 102) if line % 7 or line > 99]
        assert len(chunks) > 10


def test_a_file_of_wrong_widths_only_is_told(tmp_path: Path) -> None:
    path = tape(tmp_path / "trades.csv", ["2024-01-02,A,1"] * 3)
    assert refusal(path).startswith(", line 2: has 3 values where there are 4 columns")
    summary, ticks = replay(path, skip_invalid=True)
    assert (summary.rows, ticks) == (3, [])
    assert summary.skipped == {"wrong number of values": 3}


def test_a_file_of_many_blocks_is_judged_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tick_pipeline.producer.formats.reader._BLOCK_BYTES", 2000)
    path = tape(tmp_path / "trades.csv", [GOOD] * 350 + ["", "2024-01-02,A,0,1", ""])
    assert refusal(path).startswith(", line 352: event_time is missing")
    summary, ticks = replay(path, skip_invalid=True)
    assert (summary.rows, len(ticks)) == (352, 350)
    assert [sample.row for sample in summary.samples] == [352, 353]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", " is empty"),
        ("t.csv", b"\n\n", " has no column names in its first line"),
        ("t.csv", b"event_time,symbol,price,volume", " holds no trades: no row follows"),
        ("t.csv", b"event_time,symbol,price,volume\n\n", " holds no trades: no row follows"),
        ("t.csv", b"\xff\xfee\x00v\x00", " is not UTF-8 text in its first line"),
        ("t.csv", b"a\x00b\n", " is no text: its first line holds a NUL byte"),
        ("t.csv", b"x" * 2_000_000, " is no CSV file: its first line is over 1,048,576 bytes"),
        ("t.csv.gz", b"event_time,symbol", " is no gzip file, though its name says so"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), " is empty"),
        ("t.csv.gz", gzip.compress(b"event_time,symbol\n" * 999, mtime=0)[:40], " is a damaged gzip file: Comp"),
        ("t.csv.gz", b"\x1f\x8bnonsense", " is a damaged gzip file: Unknown compression method"),
        ("t.parquet", b"event_time,symbol", " is no parquet file, though its name says so"),
        ("t.parquet", b"PAR1 and no more", " cannot be read: "),
        ("t.zip", b"PK\x03\x04", " is a zip archive; unpack it and replay the file in it"),
        ("t.csv", b"event_time,symbol,price,volume\n" + b"9" * 20_000_000, " cannot be read: "),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).startswith(message)


def test_a_gzip_file_cut_after_good_rows_sends_nothing(tmp_path: Path) -> None:
    rows = [f"2024-01-02T09:30:{second:02d}Z,A,{second + 1},1" for second in range(60)] * 200
    whole = gzip.compress("\n".join(["event_time,symbol,price,volume", *rows]).encode())
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[:-20])
    assert refusal(path).startswith(" is a damaged gzip file: ")
    path.write_bytes(whole[:-8] + b"\0" * 8)
    assert refusal(path).startswith(" is a damaged gzip file: CRC check failed")


def test_a_folder_a_missing_and_an_unreadable_file_are_told(tmp_path: Path) -> None:
    assert refusal(tmp_path) == " is a folder; name one file of trades"
    assert refusal(tmp_path / "none.csv") == ": No such file or directory"
    if os.geteuid() != 0:
        path = tape(tmp_path / "t.csv", [GOOD])
        path.chmod(0)
        assert refusal(path) == ": Permission denied"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": "fast"}, "--speed 'fast' is neither max nor a multiple"),
        ({"speed": "0x"}, "--speed '0x' is neither"),
        ({"speed": "-1x"}, "--speed '-1x' is neither"),
        ({"source": " "}, "--source is empty"),
        ({"format": "xlsx"}, "--format 'xlsx' is none of"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    assert refusal(tape(tmp_path / "t.csv", [GOOD]), **options).startswith(message)
