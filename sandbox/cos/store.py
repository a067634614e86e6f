"""The objects themselves: moto's S3, spoken to in process. Imported on first use, because moto is slow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.request import Request
from moto.s3 import models
from moto.s3.responses import S3Response

from sandbox.clock import Clock

PART_BYTES = 1024 * 1024  # the least a part but the last may have: COS asks for 1 MB where S3 asks for 5
_KNOWN_CALLER = ("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request, "
                 "SignedHeaders=host, Signature=0")  # only its form matters: the shim has verified the caller


@dataclass(frozen=True)
class StoreAnswer:
    """What moto answered, in S3's words."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Store:
    """One process has one store, because moto keeps its state in the module; a new one begins empty."""

    def __init__(self, clock: Clock, buckets: Iterable[str]) -> None:
        def utcnow() -> datetime:
            return clock.now().replace(tzinfo=None)

        setattr(models, "utcnow", utcnow)  # noqa: B010 - moto's objects are dated by the sandbox's clock
        setattr(models, "S3_UPLOAD_PART_MIN_SIZE", PART_BYTES)  # noqa: B010
        self._backend: Any = models.s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._backend.reset()
        for bucket in buckets:
            self.create(bucket)

    def create(self, bucket: str) -> None:
        """Make an empty bucket; one that is there stays as it is."""
        if bucket not in self._backend.buckets:
            self._backend.create_bucket(bucket, "us-east-1")

    def listing(self, bucket: str) -> list[dict[str, Any]] | None:
        """Key and size of every object of a bucket; None when there is no such bucket."""
        if bucket not in self._backend.buckets:
            return None
        return [{"key": key.name, "size": key.size} for key in self._backend.buckets[bucket].keys.values()]

    def content(self, bucket: str, key: str) -> bytes | None:
        """An object's bytes; None when there is none."""
        found = self._backend.buckets[bucket].keys.get(key) if bucket in self._backend.buckets else None
        return bytes(found.value) if found is not None else None

    def serve(self, method: str, bucket: str, key: str, query: str, headers: dict[str, str], body: bytes,
              *, anonymous: bool) -> StoreAnswer:
        """Do one S3 request. ``key`` is decoded, ``query`` raw, header names are S3's."""
        path = f"/{quote(bucket)}" + (f"/{quote(key)}" if key else "")
        url = f"http://localhost{path}" + (f"?{query}" if query else "")
        sent = {**headers, "Host": "localhost", "Content-Length": str(len(body))}
        if not anonymous:
            sent["Authorization"] = _KNOWN_CALLER
        request = Request.from_primitives(method, url, sent, body)
        dispatch = S3Response.key_dispatch if key else S3Response.ambiguous_dispatch
        status, answered, content = dispatch(request, url, request.headers)
        content = content.encode() if isinstance(content, str) else bytes(content)
        return StoreAnswer(status, [(str(name), str(value)) for name, value in answered.items()], content)
