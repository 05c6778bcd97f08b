"""Folders of files on a local disk, and wherever else Spark has a file system, as in S3.

On Glue 5.1 `s3://` is Hadoop's S3A, as it is anywhere that Spark is given it
(https://docs.aws.amazon.com/glue/latest/dg/migrating-version-51.html): S3 is spoken to through what Spark
itself reads and writes with, so its credentials, encryption and endpoint count here, too.
"""

# the JVM's objects have no types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false
from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from py4j.protocol import Py4JJavaError

from tick_pipeline.errors import SparkJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark.sql import SparkSession

_LOCAL = "file://"
#: Requests to S3 that wait for one another would take a tenth of a second each.
_AT_ONCE = 8
_COPY_BUFFER_BYTES = 1 << 20
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Folder(Protocol):
    """A folder and what lies below it; paths are relative to it, with slashes.

    What is put at a path appears whole or not at all, and takes the place of what was there at once. One
    writer at a time puts at a path: who that is, is the caller's business.

    Attributes:
        uri: where it is.
    """

    uri: str

    def files(self, path: str) -> dict[str, int]:
        """Data files of a folder below, name -> bytes, by name; empty where there is no such folder.

        Hive's rule says which are data: not those whose name begins with `_` or `.`.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """What a file holds; None where there is none."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Put a file at a path; folders on the way are made."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Put the file of one path at another; the first may stay where it was.

        Raises:
            SparkJobError: there is no such file.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with all that lies below it; nothing where there is neither."""
        ...


class LocalFolder:
    """A folder on a local disk: a file is written beside its place, and renamed.

    What a kill leaves beside it begins with `_`, and goes with the next file of that place.
    """

    def __init__(self, root: Path) -> None:
        """Args: the folder, which need not be there yet."""
        self._root = root
        # A URI as everywhere here: not percent-encoded.
        self.uri = f"{_LOCAL}{root}"

    def files(self, path: str) -> dict[str, int]:
        """See Folder."""
        folder = self._root / path
        if not folder.is_dir():
            return {}
        found = {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}
        return dict(sorted(item for item in found.items() if _is_data(item[0])))

    def read(self, path: str) -> bytes | None:
        """See Folder."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """See Folder; it is on the disk when this returns."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"_{target.name}")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)

    def replace(self, source: str, target: str) -> None:
        """See Folder."""
        place = self._root / target
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            (self._root / source).replace(place)
        except FileNotFoundError as error:
            raise _gone(f"{self.uri}/{source}") from error

    def delete(self, path: str) -> None:
        """See Folder."""
        place = self._root / path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


class HadoopFolder:
    """A folder on a file system that Spark knows, where an object appears once it is whole, as in S3."""

    def __init__(self, spark: SparkSession, uri: str) -> None:
        """Args: the session, and the folder's URI."""
        session: Any = spark
        self.uri = uri
        self._hadoop = session._jvm.org.apache.hadoop  # noqa: SLF001  (the only way to a file system)
        self._java = session._jvm.java  # noqa: SLF001
        self._system = self._hadoop.fs.Path(uri).getFileSystem(session._jsc.hadoopConfiguration())  # noqa: SLF001

    def files(self, path: str) -> dict[str, int]:
        """See Folder."""
        try:
            statuses = self._system.listStatus(self._path(path))
        except Py4JJavaError as error:
            if _is_not_found(error):
                return {}
            raise
        found = {
            status.getPath().getName(): status.getLen() for status in statuses if status.isFile()
        }
        return dict(sorted(item for item in found.items() if _is_data(item[0])))

    def read(self, path: str) -> bytes | None:
        """See Folder."""
        content = self._content(path)
        return None if content is None else bytes(content.toByteArray())

    def write(self, path: str, content: bytes) -> None:
        """See Folder."""
        output = self._system.create(self._path(path), True)
        output.write(bytearray(content))
        output.close()

    def replace(self, source: str, target: str) -> None:
        """See Folder.

        Hadoop cannot rename over what is there, and its own copy would, where reading breaks off, put
        half a file in place: so the source is read whole first, into the driver's memory (2 GiB at most).
        """
        content = self._content(source)
        if content is None:
            raise _gone(f"{self.uri}/{source}")
        output = self._system.create(self._path(target), True)
        content.writeTo(output)
        # Only now it appears; of what failed before, nothing is left.
        output.close()

    def delete(self, path: str) -> None:
        """See Folder."""
        self._system.delete(self._path(path), True)

    def _content(self, path: str) -> Any:
        try:
            source = self._system.open(self._path(path))
        except Py4JJavaError as error:
            if _is_not_found(error):
                return None
            raise
        content = self._java.io.ByteArrayOutputStream()
        self._hadoop.io.IOUtils.copyBytes(source, content, _COPY_BUFFER_BYTES, True)
        return content

    def _path(self, path: str) -> Any:
        return self._hadoop.fs.Path(f"{self.uri}/{path}")


def open_folder(uri: str, spark: SparkSession | None = None) -> Folder:
    """The folder of a URI.

    Args:
        uri: of the folder, not percent-encoded.
        spark: the session; a folder on a local disk needs none.

    Raises:
        SparkJobError: it is not on a local disk, and there is no session.
    """
    uri = uri.rstrip("/")
    if uri.startswith(f"{_LOCAL}/"):
        return LocalFolder(Path(uri.removeprefix(_LOCAL)))
    if spark is None:
        raise SparkJobError(f"{uri} is not on a local disk: without Spark only those are read")
    return HadoopFolder(spark, uri)


def side_by_side(work: Callable[[_Item], _Done], items: Iterable[_Item]) -> list[_Done]:
    """What a function of requests makes of each item, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _is_data(name: str) -> bool:
    return not name.startswith(("_", "."))


def _is_not_found(error: Py4JJavaError) -> bool:
    return str(error.java_exception).startswith("java.io.FileNotFoundException")


def _gone(uri: str) -> SparkJobError:
    return SparkJobError(f"{uri} is gone: another run wrote the same table; run this one again")
