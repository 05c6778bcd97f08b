"""The two deployments: for each port, its adapter.

An adapter is imported where it is made: neither deployment needs the other's libraries, and a command
that asks for one port waits for no other.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from tick_pipeline.event_time import parse_instant
from tick_pipeline.resources.local import open_home

if TYPE_CHECKING:
    from tick_pipeline.home import Home
    from tick_pipeline.landing.redrive import Redrive
    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.resources.inspection import Inspection
    from tick_pipeline.resources.landed_files import LandedFiles
    from tick_pipeline.resources.landing import Landing
    from tick_pipeline.resources.maintenance_port import Maintenance
    from tick_pipeline.resources.notifier import Notifier
    from tick_pipeline.resources.query_engine import QueryEngine
    from tick_pipeline.resources.spark_jobs import SparkJobs
    from tick_pipeline.resources.stream_run import AnomalyStream
    from tick_pipeline.resources.tables import Tables
    from tick_pipeline.settings import Settings
    from tick_pipeline.stream.kinesis import KinesisStream
    from tick_pipeline.stream.load import StreamMeter
    from tick_pipeline.stream.port import Stream


class Deployment(Protocol):
    """Where the pipeline runs: an adapter for each port."""

    @property
    def home(self) -> Home:
        """HOME, initialised if need be; on AWS it has the labels of simulated ticks, and Dagster's state.

        Raises:
            HomeError: the folder holds other things, a HOME of another version, or cannot be created.
        """
        ...

    @property
    def warehouse(self) -> str:
        """Root of the tables of both storage modes: a path, or a URI."""
        ...

    @property
    def first_event_us(self) -> int | None:
        """Event time that no replayed tick may be older than, microseconds; None for any."""
        ...

    @property
    def after_put(self) -> str:
        """The command that makes records land, or tells how they do."""
        ...

    @property
    def follow_command(self) -> tuple[str, ...]:
        """Arguments of the command that goes on moving records into raw; none where AWS does that by itself."""
        ...

    @property
    def look_seconds(self) -> float:
        """How often to look how it stands: a look may cost time, or money."""
        ...

    def stream(self) -> Stream:
        """Takes records."""
        ...

    def stream_meter(self) -> StreamMeter:
        """Tells what the stream took of late."""
        ...

    def landing(self) -> Landing:
        """Moves records from the stream into the raw tables."""
        ...

    def spark_jobs(self) -> SparkJobs:
        """Runs Spark jobs."""
        ...

    def anomaly_stream(self) -> AnomalyStream:
        """Runs the streaming job of anomalies."""
        ...

    def query_engine(self) -> QueryEngine:
        """Runs read-only SQL in Athena's dialect."""
        ...

    def tables(self) -> Tables:
        """Tells how tables are stored."""
        ...

    def inspection(self) -> Inspection:
        """Tells what lies in the tables' folders."""
        ...

    def redrive(self) -> Redrive:
        """Puts on the stream again what failed."""
        ...

    def landed_files(self) -> LandedFiles:
        """Tells what came into raw."""
        ...

    def notifier(self) -> Notifier:
        """Tells people."""
        ...

    def maintenance(self) -> Maintenance:
        """Looks after the tables."""
        ...


class LocalDeployment:
    """Everything on this machine, in HOME."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def home(self) -> Home:
        """See Deployment."""
        return open_home(self._settings)

    @property
    def warehouse(self) -> str:
        """A folder of HOME."""
        return str(self.home.warehouse)

    @property
    def first_event_us(self) -> int | None:
        """Any: folders are made as they are needed."""
        return None

    @property
    def after_put(self) -> str:
        """The delivery loop."""
        return "tick-pipeline deliver"

    @property
    def follow_command(self) -> tuple[str, ...]:
        """The delivery loop."""
        return ("deliver", "--follow")

    @property
    def look_seconds(self) -> float:
        """A look costs milliseconds."""
        return 2.0

    def stream(self) -> Stream:
        """The segments of HOME, with every enabled mode's delivery as its consumer."""
        from tick_pipeline.resources.landing import open_stream

        return open_stream(self.home, self._settings)

    def stream_meter(self) -> StreamMeter:
        """The segments of HOME, by their partition keys."""
        from tick_pipeline.resources.landing import open_stream
        from tick_pipeline.stream.load import LocalStreamMeter

        return LocalStreamMeter(open_stream(self.home, self._settings))

    def landing(self) -> Landing:
        """The delivery loop over the stream of HOME."""
        from tick_pipeline.resources.landing import LocalLanding

        return LocalLanding(self.home, self._settings)

    def spark_jobs(self) -> SparkJobs:
        """Subprocesses on local Spark, or on the master that SPARK_MASTER names."""
        from tick_pipeline.resources.spark_jobs import LocalSparkJobs

        return LocalSparkJobs(self.home, self._settings)

    def anomaly_stream(self) -> AnomalyStream:
        """A process of this machine, which outlives the one that started it."""
        from tick_pipeline.resources.anomaly_stream import LocalAnomalyStream

        return LocalAnomalyStream(self.home, self._settings)

    def query_engine(self) -> QueryEngine:
        """DuckDB over the tables of HOME."""
        from tick_pipeline.resources.query_engine import LocalQueryEngine

        return LocalQueryEngine(self.home, self._settings)

    def tables(self) -> Tables:
        """The Iceberg catalog and the Parquet files of HOME."""
        from tick_pipeline.resources.tables import LocalTables

        return LocalTables(self.home)

    def inspection(self) -> Inspection:
        """The folders of HOME's warehouse, and its Iceberg catalog."""
        from tick_pipeline.resources.inspection import LocalInspection

        return LocalInspection(self.home)

    def redrive(self) -> Redrive:
        """What failed here; HOME remembers what was redriven."""
        from tick_pipeline.landing.redrive import Redrive
        from tick_pipeline.landing.redrive_memory import LocalMemoryFolder

        return Redrive(
            self.landing(),
            self.query_engine(),
            self.stream(),
            LocalMemoryFolder(self.home),
            first_event_us=self.first_event_us,
        )

    def landed_files(self) -> LandedFiles:
        """Snapshots of the Iceberg catalog, and the Parquet files' times."""
        from tick_pipeline.resources.landed_files import LocalLandedFiles

        return LocalLandedFiles(self.home, self._settings)

    def notifier(self) -> Notifier:
        """The log."""
        from tick_pipeline.resources.notifier import LogNotifier

        return LogNotifier()

    def maintenance(self) -> Maintenance:
        """Upkeep of the tables of HOME."""
        from tick_pipeline.resources.local_lake import LocalLake
        from tick_pipeline.resources.maintenance import LakeMaintenance

        return LakeMaintenance(LocalLake(self.home), self.query_engine(), self._settings)


class AwsDeployment:
    """What `terraform apply` made, by the names that the settings give."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def home(self) -> Home:
        """See Deployment."""
        return open_home(self._settings)

    @property
    def warehouse(self) -> str:
        """A prefix of the bucket."""
        from tick_pipeline.resources.aws.s3_files import warehouse_uri

        return warehouse_uri(str(self._settings.bucket))

    @property
    def first_event_us(self) -> int | None:
        """Where Athena's projected partitions begin, and Firehose's: what is older is in no table."""
        return parse_instant(str(self._settings.partitions_start))

    @cached_property
    def _clients(self) -> AwsClients:
        from tick_pipeline.resources.aws.clients import AwsClients

        return AwsClients(self._settings)

    @property
    def after_put(self) -> str:
        """Firehose delivers by itself."""
        return "tick-pipeline status"

    @property
    def follow_command(self) -> tuple[str, ...]:
        """None: two Firehoses deliver."""
        return ()

    @property
    def look_seconds(self) -> float:
        """CloudWatch has a value a minute, and bills each that is read."""
        return 60.0

    def stream(self) -> KinesisStream:
        """The Kinesis stream."""
        from tick_pipeline.stream.kinesis import KinesisStream

        return KinesisStream(
            self._clients.client("kinesis"),
            str(self._settings.stream),
            rejected=self.home.stream / "rejected",
            pinned=self._settings.stream_pinned_symbols,
        )

    def stream_meter(self) -> StreamMeter:
        """The metrics of the Kinesis stream."""
        from tick_pipeline.stream.kinesis_load import KinesisMeter

        return KinesisMeter(self._clients, self.stream(), self._settings.stream_pinned_symbols)

    def landing(self) -> Landing:
        """Firehose, observed."""
        from tick_pipeline.resources.aws.firehose_landing import FirehoseLanding

        return FirehoseLanding(self._clients, self._settings)

    def spark_jobs(self) -> SparkJobs:
        """Runs of Glue jobs."""
        from tick_pipeline.resources.aws.glue_jobs import GlueSparkJobs

        return GlueSparkJobs(self._clients, self._settings)

    def anomaly_stream(self) -> AnomalyStream:
        """A run of a Glue streaming job."""
        from tick_pipeline.resources.aws.glue_anomaly_stream import GlueAnomalyStream

        return GlueAnomalyStream(self._clients, self._settings)

    def query_engine(self) -> QueryEngine:
        """Athena."""
        from tick_pipeline.resources.aws.athena import AthenaQueryEngine

        return AthenaQueryEngine(self._clients, self._settings)

    def tables(self) -> Tables:
        """The Glue Data Catalog, and the objects in S3."""
        from tick_pipeline.resources.aws.glue_tables import GlueTables

        return GlueTables(self._clients, self._settings)

    def inspection(self) -> Inspection:
        """The prefixes of the bucket, and the Glue Data Catalog."""
        from tick_pipeline.resources.aws.glue_inspection import GlueInspection

        return GlueInspection(self._clients, self._settings)

    def redrive(self) -> Redrive:
        """What Firehose could not deliver; the bucket remembers what was redriven."""
        from tick_pipeline.landing.redrive import Redrive
        from tick_pipeline.resources.aws.s3_redrive_memory import S3MemoryFolder

        return Redrive(
            self.landing(),
            self.query_engine(),
            self.stream(),
            S3MemoryFolder(self._clients, str(self._settings.bucket)),
            first_event_us=self.first_event_us,
        )

    def landed_files(self) -> LandedFiles:
        """Snapshots in the Glue Data Catalog, and S3's listing."""
        from tick_pipeline.resources.aws.glue_landed_files import GlueLandedFiles

        return GlueLandedFiles(self._clients, self._settings, self.home)

    def notifier(self) -> Notifier:
        """The topic of SNS."""
        from tick_pipeline.resources.aws.sns_notifier import SnsNotifier

        return SnsNotifier(self._clients, self._settings)

    def maintenance(self) -> Maintenance:
        """Upkeep of the tables in the bucket, as far as Glue's optimizers leave it to us."""
        from tick_pipeline.resources.aws.glue_lake import GlueLake
        from tick_pipeline.resources.maintenance import LakeMaintenance

        lake = GlueLake(self._clients, self._settings, self.home)
        return LakeMaintenance(lake, self.query_engine(), self._settings)


_DEPLOYMENTS: dict[str, type[LocalDeployment | AwsDeployment]] = {
    "local": LocalDeployment,
    "aws": AwsDeployment,
}


def open_deployment(settings: Settings) -> Deployment:
    """The deployment that TICK_PIPELINE_DEPLOYMENT names; nothing is opened or called yet."""
    return _DEPLOYMENTS[settings.deployment](settings)
