"""Which format a file has, and which columns say what."""

from __future__ import annotations

from typing import Any

import pytest

from tick_pipeline.errors import TradeFileError
from tick_pipeline.producer.formats.layout import Layout, parse_map, resolve_layout

GENERIC = ("event_time", "symbol", "price", "volume")
BINANCE = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
BINANCE_ROW = ("3375213811", "42283.58", "0.0005", "21.14179", "1704067200000", "True", "True")
TAQ = ("DATE", "TIME_M", "EX", "SYM_ROOT", "SYM_SUFFIX", "SIZE", "PRICE")
DATABENTO = ("ts_recv", "ts_event", "instrument_id", "action", "price", "size", "sequence")


def resolve(names: tuple[str, ...], file_name: str = "trades.csv", **options: Any) -> Layout:
    given: dict[str, Any] = {"file_format": "auto", "columns": {}, "symbol": None, **options}
    return resolve_layout(file_name, names, **given)


def labels(layout: Layout) -> dict[str, str]:
    return {field: value.label for field, value in layout.values.items()}


def test_generic_columns_are_found_in_any_order_and_others_are_not_read() -> None:
    layout = resolve(("x", "volume", "price", "y", "symbol", "event_time"))
    assert layout.format == "generic"
    assert labels(layout) == {name: name for name in GENERIC}
    assert sorted(layout.positions) == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("names", "expected", "label"),
    [
        (BINANCE, "binance", "time"),
        (BINANCE_ROW, "binance", "time"),
        (BINANCE_ROW[:6], "binance", "time"),
        (("id", "price", "qty", "base_qty", "time", "is_buyer_maker"), "binance", "time"),
        (TAQ, "taq", "DATE+TIME_M"),
        (tuple(map(str.lower, TAQ)), "taq", "date+time_m"),
        (("DT", "EX", "SYMBOL", "PRICE", "SIZE"), "taq", "DT"),
        (DATABENTO, "databento", "ts_event"),
        ((*DATABENTO, "symbol"), "databento", "ts_event"),
        (GENERIC, "generic", "event_time"),
        (("Event_Time", "SYMBOL", "Price", "Volume"), "generic", "Event_Time"),
    ],
)
def test_the_format_is_found_by_the_columns(
    names: tuple[str, ...], expected: str, label: str
) -> None:
    layout = resolve(names, "BTCUSDT-trades-2024-01-01.csv")
    assert layout.format == expected
    assert layout.values["event_time"].label == label


def test_a_binance_file_without_names_keeps_its_first_row() -> None:
    assert not resolve(BINANCE_ROW, "BTCUSDT-trades-2024-01-01.csv").has_header
    assert resolve(BINANCE, "BTCUSDT-trades-2024-01-01.csv").has_header


@pytest.mark.parametrize(
    ("file_name", "symbol", "expected"),
    [
        ("BTCUSDT-trades-2024-01-01.csv", None, "'BTCUSDT'"),
        ("BTCUSDT-trades-2024-01.csv.gz", None, "'BTCUSDT'"),
        ("BTCUSD_PERP-trades-2024-01-01.parquet", None, "'BTCUSD_PERP'"),
        ("BTCUSDT-trades-2024-01-01.csv", "btc/usdt", "'btc/usdt'"),
        ("x.csv", " BRK B ", "'BRK.B'"),
    ],
)
def test_binance_has_its_symbol_from_the_file_name_or_the_option(
    file_name: str, symbol: str | None, expected: str
) -> None:
    assert resolve(BINANCE, file_name, symbol=symbol).values["symbol"].sql == expected


def test_a_mapped_column_takes_the_place_of_the_formats_own() -> None:
    mapped = {"price": "PX", "event_id": "trade", "sequence": "no"}
    layout = resolve(("event_time", "symbol", "PX", "volume", "trade", "no"), columns=mapped)
    assert labels(layout) == {
        "event_time": "event_time", "symbol": "symbol", "volume": "volume", **mapped
    }  # fmt: skip


def test_mapping_every_field_makes_no_other_format_of_the_file() -> None:
    mapped = {"event_time": "T", "symbol": "S", "price": "P", "volume": "V"}
    assert resolve(("T", "S", "P", "V"), columns=mapped).format == "generic"


def test_a_column_of_exactly_the_name_wins_over_one_in_another_case() -> None:
    layout = resolve(("PRICE", "price", "event_time", "symbol", "volume"))
    assert layout.names[layout.positions[2]] == "price"


def test_parse_map_reads_pairs() -> None:
    assert parse_map("event_time=TIME, price = PX") == {"event_time": "TIME", "price": "PX"}
    assert parse_map(" ") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("price", "--map: 'price' is no field=column, as event_time=TIME,price=PX"),
        ("price=", "--map: 'price=' is no field=column"),
        ("=PX", "--map: '=PX' is no field=column"),
        ("price=PX,,", "--map: '' is no field=column"),
        ("price=A,price=B", "--map names a column for price twice"),
        ("prize=PX", "--map: 'prize' is none of event_time, symbol, price, volume, event_id, seq"),
        ("source=PX", "--map: 'source' is none of"),
    ],
)
def test_a_wrong_map_is_refused(text: str, message: str) -> None:
    with pytest.raises(TradeFileError) as caught:
        parse_map(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (GENERIC, {"file_format": "csv"}, "--format 'csv' is none of auto, databento, taq, binance, generic"),
        (GENERIC, {"columns": {"x": "price"}}, "--map: 'x' is none of"),
        (GENERIC, {"columns": {"price": "PX"}}, "trades.csv has no column 'PX', which --map names for price; it has event_time, symbol, price, volume"),
        (("event_time", "price"), {}, "trades.csv (generic) has no column for symbol, volume; it has event_time, price; name it with --map symbol=COLUMN"),
        (("a;b;c",), {}, "trades.csv (generic) has no column for event_time, symbol, price, volume; it has a;b;c"),
        (("price", *GENERIC), {}, "trades.csv has 2 columns 'price'; rename all but one"),
        (("Price", "PRICE", "event_time", "symbol", "volume"), {}, "trades.csv has 2 columns 'price'"),
        (BINANCE, {}, "trades.csv (binance) tells no symbol; name it with --symbol"),
        (("event_time", "price", "volume"), {}, "trades.csv (generic) tells no symbol; name it with --symbol"),
        (GENERIC, {"symbol": "AAPL"}, "trades.csv tells the symbol in its column symbol; leave --symbol away"),
        (BINANCE, {"symbol": "BTC:USDT"}, "--symbol 'BTC:USDT' is not 1-32 of"),
        (BINANCE, {"symbol": ""}, "--symbol '' is not 1-32 of"),
        (BINANCE, {"symbol": "A\n"}, None),
        (GENERIC, {"file_format": "taq"}, "trades.csv (taq) has no column for event_time, volume"),
        (BINANCE_ROW, {"file_format": "generic"}, "trades.csv (generic) has no column for event_time"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_is_refused_in_one_line(
    names: tuple[str, ...], options: dict[str, Any], message: str | None
) -> None:
    if message is None:
        assert resolve(names, **options).values["symbol"].sql == "'A'"
        return
    with pytest.raises(TradeFileError) as caught:
        resolve(names, **options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_aggregated_trades_of_binance_are_not_taken_for_trades() -> None:
    """They have as many columns, with the time where a trade has its flag."""
    row = ("26129", "0.01633102", "4.70443515", "27781", "27781", "1498793709153", "true")
    with pytest.raises(TradeFileError, match="has no column for"):
        resolve(row, "BTCUSDT-aggTrades-2024-01-01.csv")
