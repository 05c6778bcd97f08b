"""The command group `anomalies`."""

from __future__ import annotations

import typer

from tick_pipeline.cli.anomalies import evaluate, plot, run, stream

app = typer.Typer(help="Ticks far from their baseline: batch, stream, quality, pictures.")


@app.callback()
def group() -> None:
    """Ticks far from their baseline: batch, stream, quality, pictures."""


app.command("run")(run.run)
app.command("evaluate")(evaluate.evaluate)
app.command("plot")(plot.plot)
app.command("start")(stream.start)
app.command("stop")(stream.stop)
app.command("status")(stream.status)
