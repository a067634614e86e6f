"""What a COS request is called: the names that faults and the journal speak of."""

from __future__ import annotations

from collections.abc import Collection

_BUCKET_PARTS = ("acl", "cors", "lifecycle", "location", "policy", "tagging", "versioning", "website",
                 "logging", "replication", "notification", "encryption")
_VERBS = {"GET": "get", "PUT": "put", "DELETE": "delete", "HEAD": "head", "POST": "post",
          "OPTIONS": "options"}


def operation_of(method: str, bucket: str, key: str, query: Collection[str], *, copies: bool) -> str:
    """The operation's name in snake case, as the SDK's method is called.

    ``query`` holds the names of the query's parameters in lower case, ``copies`` says whether the request
    names a copy source.
    """
    if not bucket:
        return "list_buckets"
    return _on_object(method, query, copies) if key else _on_bucket(method, query)


def _on_object(method: str, query: Collection[str], copies: bool) -> str:
    verb = _VERBS.get(method, "unknown")
    for part in ("acl", "tagging"):
        if part in query:
            return f"{verb}_object_{part}"
    if method == "POST" and "uploads" in query:
        return "create_multipart_upload"
    if "uploadid" in query:
        names = {"PUT": "upload_part_copy" if copies else "upload_part", "GET": "list_parts",
                 "POST": "complete_multipart_upload", "DELETE": "abort_multipart_upload"}
        return names.get(method, "unknown")
    return "copy_object" if method == "PUT" and copies else f"{verb}_object"


def _on_bucket(method: str, query: Collection[str]) -> str:
    verb = _VERBS.get(method, "unknown")
    for part in _BUCKET_PARTS:
        if part in query:
            return f"{verb}_bucket_{part}"
    if method == "POST" and "delete" in query:
        return "delete_objects"
    if method == "GET":
        if "uploads" in query:
            return "list_multipart_uploads"
        return "list_objects_versions" if "versions" in query else "list_objects"
    return "create_bucket" if method == "PUT" else f"{verb}_bucket"
