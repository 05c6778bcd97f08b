"""`anomalies plot`: candles, the band around them and the anomalies, as PNG and HTML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tick_pipeline.cli.options import (
    AsJson,
    StorageModeOption,
    chosen_modes,
    deployment_of,
    instant,
)
from tick_pipeline.cli.output import human_bytes, progress_bar, say, show, show_json
from tick_pipeline.errors import InputError, WorkError
from tick_pipeline.event_time import format_instant
from tick_pipeline.settings import load_settings, scoring_rules

if TYPE_CHECKING:
    from tick_pipeline.plots.picture import Picture

_SUFFIXES = (".png", ".html")


def plot(
    symbol: Annotated[
        str | None, typer.Option(help="Whose; the one with the most anomalies if not given.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="ISO 8601, UTC; three hours of candles if not given.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(help="ISO 8601, UTC, exclusive; the newest candle if not given.")
    ] = None,
    storage_mode: StorageModeOption = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(help="A .png or .html file, may be repeated; both, here, if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw one-minute candles, the price's mean and its limits, and each anomaly at its tick."""
    from tick_pipeline.plots.load import Wanted, load_picture

    for path in output or []:
        if path.suffix not in _SUFFIXES:
            raise InputError(f"--output {path}: must end in {' or '.join(_SUFFIXES)}")
    settings = load_settings()
    wanted = Wanted(
        symbol=symbol,
        start_us=None if start is None else instant(start, "--start"),
        end_us=None if end is None else instant(end, "--end"),
    )
    mode = chosen_modes(settings, storage_mode)[0]
    engine = deployment_of(settings).query_engine()
    with progress_bar("plot"):
        picture = load_picture(engine, mode, wanted, scoring_rules(settings))
        name = f"anomalies-{picture.symbol.replace('/', '-')}"
        paths = output or [Path(f"{name}{suffix}") for suffix in _SUFFIXES]
        for path in paths:
            _write(path, _drawn(picture, path.suffix))
    if picture.unplaced:
        say(f"{picture.unplaced} anomalies have no tick in {mode}.ticks and are not marked")
    if as_json:
        show_json(_document(picture, paths))
        return
    say(f"{picture.title}, {len(picture.candles):,} candles")
    for path in paths:
        say(f"{path.suffix.removeprefix('.')}: {human_bytes(path.stat().st_size)}")
        show(str(path))


def _drawn(picture: Picture, suffix: str) -> bytes:
    # Each library takes half a second to import, so only where its kind of file is asked for.
    if suffix == ".png":
        from tick_pipeline.plots.png import png_bytes

        return png_bytes(picture)
    from tick_pipeline.plots.html import html_text

    return html_text(picture).encode()


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror}") from error


def _document(picture: Picture, paths: list[Path]) -> dict[str, Any]:
    return {
        "symbol": picture.symbol,
        "storage_mode": picture.storage_mode,
        "start": format_instant(picture.start_us),
        "end": format_instant(picture.end_us),
        "candles": len(picture.candles),
        "alerts": picture.alerts,
        "unplaced": picture.unplaced,
        "files": [{"path": path, "bytes": path.stat().st_size} for path in paths],
    }
