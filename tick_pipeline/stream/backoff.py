"""Waiting before a call is tried again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tick_pipeline.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

#: Errors of AWS that pass by themselves, and of the records of a PutRecords.
#: Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
PASSING = frozenset(
    {
        "InternalFailure",
        "InternalFailureException",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)
#: Beyond it only a float would overflow.
_MOST_DOUBLINGS = 64


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter: a wait is anything from nothing to a growing bound.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Attributes:
        attempts: calls, the first one counted, before it is given up.
        base_seconds: bound of the first wait; each next one is twice as long.
        cap_seconds: bound of any wait. As they are, all waits together last at most 53 s.
        sleep: waits that many seconds.
        uniform: draws a number between two.
    """

    attempts: int = 12
    base_seconds: float = 0.1
    cap_seconds: float = 10.0
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform

    def wait(self, failures: int) -> None:
        """Wait after that many failures in a row, 1 or more."""
        growth = 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        self.sleep(self.uniform(0.0, min(self.cap_seconds, self.base_seconds * growth)))

    def call(self, call: Callable[[], Answer]) -> Answer:
        """Call, and again after an error that passes.

        Raises:
            AwsError: another one, or attempts are used up.
        """
        failures = 0
        while True:
            try:
                return call()
            except AwsError as error:  # noqa: PERF203  (a call over the network)
                failures += 1
                if error.code not in PASSING or failures == self.attempts:
                    raise
                self.wait(failures)
