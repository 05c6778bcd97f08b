"""Every error that this project raises on purpose.

TickPipelineError
|-- InputError                  what the user gave cannot be used            exit code 2
|   |-- SettingsError           an environment variable or .env line
|   |-- ContractError           a contract file, or an incompatible change of one
|   |-- TradeFileError          a file of trades to replay
|   |-- ScenarioError           a scenario or one of its numbers
|   `-- QueryError              an SQL text, or a query's name or parameter
`-- WorkError                   the work was understood and failed           exit code 1
    |-- HomeError               the local state is of another version, or no state of ours
    |-- BusyError               another process holds what this one needs
    |-- StreamError             a put or a read of the stream
    |-- LandingError            a delivery into a raw table
    |-- RuntimeMissingError     a jar, a JVM or a file that set-up provides is not there
    |-- AwsError                a call of AWS was refused, or did not come through
    `-- SparkJobError           a Spark job ended with an error

A message is one line: what happened, the value given, what is allowed or to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class TickPipelineError(Exception):
    """Root of the tree; the command line shows it as one line."""

    exit_code = 1


class InputError(TickPipelineError):
    """What the user gave cannot be used."""

    exit_code = 2


class SettingsError(InputError):
    """An environment variable or a line of .env cannot be used."""


class ContractError(InputError):
    """A contract file is wrong, or a change of one is incompatible."""


class TradeFileError(InputError):
    """A file of trades cannot be replayed."""


class ScenarioError(InputError):
    """A scenario, or one of its numbers, is not known or out of range."""


class QueryError(InputError):
    """An SQL text, or a query's name or parameter, cannot be run."""


class WorkError(TickPipelineError):
    """The work was understood and failed."""


class HomeError(WorkError):
    """The local state is of another version, or not ours."""


class BusyError(WorkError):
    """Another process holds what this one needs."""


class StreamError(WorkError):
    """A put or a read of the stream failed."""


class LandingError(WorkError):
    """A delivery into a raw table failed."""


class RuntimeMissingError(WorkError):
    """A jar, a JVM or another file that set-up provides is not there."""


#: Codes of an AwsError where AWS itself said none: nobody answered, or nobody could ask.
NOT_REACHED, NO_CREDENTIALS = "NotReached", "NoCredentials"


class AwsError(WorkError):
    """A call of AWS was refused, or did not come through; `code` is AWS's own, if it said one, or one of the above."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class SparkJobError(WorkError):
    """A Spark job ended with an error; `log_tail` is the end of what it said, `run` its run's facts."""

    def __init__(
        self, message: str, *, log_tail: str = "", run: Mapping[str, str | float] | None = None
    ) -> None:
        super().__init__(message)
        self.log_tail = log_tail
        self.run = run or {}
