"""A stream in memory, for tests of what is put."""
# pyarrow has no types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tick_pipeline.stream.port import Position, PutResult, Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


class MemoryStream:
    """Keeps every record as (partition key, data), in the order of the puts."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes]] = []
        self.puts: list[int] = []

    @property
    def records_per_put(self) -> int:
        """As the local stream's."""
        return 100_000

    def put(self, partition_keys: pa.StringArray, data: pa.BinaryArray) -> PutResult:
        """Append all."""
        keys: list[Any] = partition_keys.to_pylist()
        values: list[Any] = data.to_pylist()
        self.records.extend(zip(keys, values, strict=True))
        self.puts.append(len(keys))
        return PutResult(len(keys), sum(map(len, values)), 0)

    def shards(self) -> list[Shard]:
        """None: nothing here is read through the port."""
        return []

    def read(
        self, shard_id: str, position: Position, *, max_records: int, end: str | None = None
    ) -> Iterator[pa.Table]:
        """Nothing: tests look at `records`."""
        return iter(())
