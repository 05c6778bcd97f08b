"""Listings and removals of more objects than one request takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from tick_pipeline.errors import AwsError
from tick_pipeline.resources.aws.s3_objects import delete_objects, list_keys, list_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tick_pipeline.resources.aws.clients import AwsClients


@dataclass
class _S3:
    """Answers as S3 does, two objects a page, and keeps what it was asked."""

    keys: list[str] = field(default_factory=list[str])
    refused: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pages: int = 0

    def client(self, name: str) -> _S3:
        """Of the one service."""
        assert name == "s3"
        return self

    def get_paginator(self, name: str) -> _S3:
        """Of the one operation."""
        assert name == "list_objects_v2"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """Pages of objects, and an empty one, as S3 may give it."""
        self.asked.append(asked)
        for start in range(0, len(self.keys), 2):
            self.pages += 1
            yield {"Contents": [{"Key": key} for key in self.keys[start : start + 2]]}
        yield {"CommonPrefixes": [{"Prefix": "a/b/"}]}

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        """One object may be refused."""
        keys = [item["Key"] for item in asked["Delete"]["Objects"]]
        self.asked.append({**asked, "count": len(keys)})
        refused = [{"Key": key, "Code": "AccessDenied"} for key in keys if key == self.refused]
        return {"Errors": refused} if refused else {}


def _clients(s3: _S3) -> AwsClients:
    return cast("AwsClients", s3)


def test_a_listing_goes_on_as_far_as_it_is_read() -> None:
    s3 = _S3(["a/1", "a/2", "a/3", "a/4", "a/5"])
    assert next(list_objects(_clients(s3), "bucket", "a/", StartAfter="a/0"))["Key"] == "a/1"
    assert s3.pages == 1
    assert s3.asked == [{"Bucket": "bucket", "Prefix": "a/", "StartAfter": "a/0"}]
    assert list(list_keys(_clients(s3), "bucket", "a/", Delimiter="/")) == [*s3.keys, "a/b/"]


def test_a_thousand_objects_are_removed_at_once_and_none_is_no_request() -> None:
    s3 = _S3()
    delete_objects(_clients(s3), "bucket", (f"a/{n}" for n in range(2001)))
    assert [asked["count"] for asked in s3.asked] == [1000, 1000, 1]
    delete_objects(_clients(s3), "bucket", iter(()))
    assert len(s3.asked) == 3


def test_an_object_that_is_not_removed_is_named() -> None:
    with pytest.raises(AwsError, match=r"deleting s3://bucket/a/1500: AccessDenied") as refused:
        delete_objects(_clients(_S3(refused="a/1500")), "bucket", (f"a/{n}" for n in range(2000)))
    assert refused.value.code == "AccessDenied"
