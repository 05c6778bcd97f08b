"""The twin of AWS: the emulator, and the gateway before it that does what the emulator does not."""

# boto3 has no types of its own, and makes its clients at run time.
# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from tick_pipeline_tests.twin.athena import Athena
from tick_pipeline_tests.twin.emulator import ACCESS_KEY, REGION, SECRET_KEY
from tick_pipeline_tests.twin.firehose import Firehose
from tick_pipeline_tests.twin.gateway import Gateway, run_gateway
from tick_pipeline_tests.twin.glue_definitions import GlueDefinitions
from tick_pipeline_tests.twin.glue_runs import GlueRuns
from tick_pipeline_tests.twin.glue_tables import GlueTables
from tick_pipeline_tests.twin.kinesis_limits import KinesisLimits

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tick_pipeline_tests.twin.emulator import Emulator
    from tick_pipeline_tests.twin.gateway import Service


@dataclass(frozen=True)
class Twin:
    """A running twin."""

    emulator: Emulator
    gateway: Gateway

    @property
    def url(self) -> str:
        """Where all of AWS answers."""
        return self.gateway.url

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which any AWS SDK of a child process speaks to it, and to nothing else."""
        return {**self.emulator.environment, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:
        """boto3's client of a service, with credentials of its own: the same for each call, for making one is slow."""
        return _client(self.url, service)

    def reset(self) -> None:
        """Forget everything."""
        self.gateway.reset()
        self.emulator.reset()


@contextmanager
def run_twin(emulator: Emulator) -> Generator[Twin]:
    """The twin over a running emulator, for as long as the block runs."""
    with run_gateway(emulator.url, _services) as gateway:
        yield Twin(emulator, gateway)


def _services(gateway: Gateway) -> Sequence[Service]:
    definitions = GlueDefinitions(gateway)
    return [
        KinesisLimits(gateway),
        Firehose(gateway),
        GlueTables(gateway),
        definitions,
        GlueRuns(gateway, definitions),
        Athena(gateway),
    ]


@cache
def _client(url: str, service: str) -> Any:
    untyped: Any = boto3
    return untyped.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
