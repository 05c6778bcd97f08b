"""The command line's entry: its commands, and how any error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from tick_pipeline import __version__
from tick_pipeline.cli import (
    capacity,
    contracts,
    cost,
    deliver,
    demo,
    doctor,
    lab,
    live,
    maintain,
    ohlc,
    produce,
    query,
    redrive,
    replay,
    report,
    reset,
    status,
    ui,
)
from tick_pipeline.cli.anomalies import app as anomalies
from tick_pipeline.errors import TickPipelineError
from tick_pipeline.settings import unknown_settings

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

app = typer.Typer(
    name="tick-pipeline",
    help="Stock ticks to OHLC candles, in Apache Iceberg and projected Parquet side by side.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("produce")(produce.produce)
app.command("replay")(replay.replay)
app.command("deliver")(deliver.deliver)
app.command("ohlc")(ohlc.ohlc)
app.command("query")(query.query)
app.command("status")(status.status)
app.command("live")(live.live)
app.command("ui")(ui.ui)
app.command("doctor")(doctor.doctor)
app.command("redrive")(redrive.redrive)
app.command("report")(report.report)
app.command("reset")(reset.reset)
app.command("capacity")(capacity.capacity)
app.command("cost")(cost.cost)
app.add_typer(anomalies.app, name="anomalies")
app.add_typer(contracts.app, name="contracts")
app.add_typer(lab.app, name="lab")
app.add_typer(maintain.app, name="maintain")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """Stock ticks to OHLC candles, in Apache Iceberg and projected Parquet side by side."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command.

    Returns:
        0 done; 1 the work failed; 2 bad usage or input; 130 interrupted.
    """
    for line in unknown_settings():
        _complain(line, 0)
    try:
        code = int(app(arguments, prog_name="tick-pipeline", standalone_mode=False) or 0)
        sys.stdout.flush()
    except TyperException as error:
        return _complain(_usage_message(error), error.exit_code)
    except TickPipelineError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does: no error, and nothing more to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  (the last resort: never a traceback on the terminal)
        return _complain(f"{_described(error)}; details: {_keep_traceback()}", 1)
    return _complain("interrupted", code) if code == INTERRUPTED else code


def _complain(message: str, code: int) -> int:
    print("tick-pipeline:", " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return code


def _usage_message(error: TyperException) -> str:
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return f"{message}; --help lists what is allowed"


def _described(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"an error that nobody expected, {type(error).__name__}: {error}"


def _keep_traceback() -> Path:
    handle, name = tempfile.mkstemp(prefix="tick-pipeline-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return Path(name)


if __name__ == "__main__":
    main()
