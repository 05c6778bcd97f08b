"""The Iceberg catalog of the AWS deployment: the Glue Data Catalog, by PyIceberg."""

# pyright: reportMissingTypeStubs=false
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchIcebergTableError, NoSuchTableError

from tick_pipeline.errors import AwsError
from tick_pipeline.redaction import without_secrets
from tick_pipeline.resources.aws.clients import aws_errors
from tick_pipeline.storage import CATALOG, StorageMode, glue_database

if TYPE_CHECKING:
    from collections.abc import Generator

    from pyiceberg.table import Table

    from tick_pipeline.resources.aws.clients import AwsClients
    from tick_pipeline.settings import Settings


def open_glue_catalog(clients: AwsClients, settings: Settings) -> GlueCatalog:
    """The catalog, with the session's own client of Glue and its credentials for S3.

    Arrow reads S3 without boto3 and knows neither profiles' roles nor single sign-on, so it is given what the
    session has now. Those credentials may end within the hour: open the catalog for each piece of work.

    Raises:
        AwsError: there are no credentials, or they could not be renewed.
        SettingsError: the profile is not known.
    """
    with aws_errors("opening the Glue Data Catalog"):
        found = clients.session.get_credentials()
        if found is None:
            raise NoCredentialsError
        credentials = found.get_frozen_credentials()
        properties = {
            "s3.region": clients.session.region_name,
            "s3.endpoint": settings.aws_endpoint_url,
            "s3.access-key-id": credentials.access_key,
            "s3.secret-access-key": credentials.secret_key,
            "s3.session-token": credentials.token,
        }
        given = {name: value for name, value in properties.items() if value}
        return GlueCatalog(CATALOG, client=clients.client("glue"), **given)


def load_iceberg_table(clients: AwsClients, settings: Settings, table: str) -> Table:
    """An Iceberg table as it is now.

    Raises:
        AwsError: it is not there, or was not to be read.
    """
    database = glue_database(str(settings.project), StorageMode.ICEBERG)
    with lake_errors(f"reading {database}.{table}"):
        return open_glue_catalog(clients, settings).load_table((database, table))


@contextmanager
def lake_errors(what: str) -> Generator[None]:
    """What PyIceberg and Arrow say of Glue and S3 as this project's errors, each one line.

    Args:
        what: was done, as `reading tick_pipeline_iceberg.raw`.

    Raises:
        AwsError: a table is not there, or a call was refused or did not come through.
    """
    with aws_errors(what):
        try:
            yield
        except (NoSuchTableError, NoSuchIcebergTableError) as error:
            raise AwsError(
                f"{what}: there is no such Iceberg table in the Glue Data Catalog; `terraform apply` makes it",
                code="EntityNotFoundException",
            ) from error
        except OSError as error:
            said = without_secrets(" ".join(str(error).split()))
            raise AwsError(f"{what}: S3 was not to be read or written ({said})") from error
