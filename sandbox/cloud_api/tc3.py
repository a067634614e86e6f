"""Verification of TC3-HMAC-SHA256, the signature of every Tencent Cloud API call."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timezone
from typing import Protocol

ALGORITHM = "TC3-HMAC-SHA256"
WINDOW_SECONDS = 300  # how far the caller's clock may be off

_AUTHORIZATION = re.compile(
    ALGORITHM + r"\s+Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<service>[a-z0-9]+)/tc3_request"
    r",\s*SignedHeaders=(?P<headers>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class Headers(Protocol):
    """Header values by name, in any case."""

    def get(self, key: str, default: str, /) -> str:
        """The value, or else the default."""


class AuthFailure(Exception):
    """The call is refused; ``code`` is the cloud's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def verify(headers: Headers, body: bytes, *, secret_id: str, secret_key: str, token: str,
           now: float) -> str:
    """Check a ``POST /`` and return the service it was signed for.

    ``now`` is seconds since the epoch. Raises AuthFailure.
    """
    given = _AUTHORIZATION.fullmatch(headers.get("Authorization", "").strip())
    if given is None:
        raise AuthFailure("AuthFailure.InvalidAuthorization", "Authorization is missing or malformed")
    timestamp = headers.get("X-TC-Timestamp", "")
    if not re.fullmatch(r"\d{1,12}", timestamp):
        raise AuthFailure("InvalidParameter", "X-TC-Timestamp must be seconds since the epoch")
    if abs(now - int(timestamp)) > WINDOW_SECONDS:
        raise AuthFailure("AuthFailure.SignatureExpire", "the signature has expired; check the local clock")
    if given["id"] != secret_id:
        raise AuthFailure("AuthFailure.SecretIdNotFound", "the SecretId is not found")
    if not hmac.compare_digest(headers.get("X-TC-Token", "").encode(), token.encode()):
        raise AuthFailure("AuthFailure.TokenFailure", "the token is not the one that belongs to the SecretId")
    if given["date"] != datetime.fromtimestamp(int(timestamp), timezone.utc).strftime("%Y-%m-%d"):
        raise AuthFailure("AuthFailure.SignatureFailure", "the credential's date is not the timestamp's")
    signed = given["headers"].split(";")
    if signed != sorted(signed) or not {"content-type", "host"} <= set(signed):
        raise AuthFailure("AuthFailure.SignatureFailure", "content-type and host must be signed, in order")
    expected = signature(headers, body, signed=signed, timestamp=timestamp, date=given["date"],
                         service=given["service"], secret_key=secret_key)
    if not hmac.compare_digest(expected, given["signature"]):
        raise AuthFailure("AuthFailure.SignatureFailure", "the signature does not match the request")
    return str(given["service"])


def signature(headers: Headers, body: bytes, *, signed: list[str], timestamp: str, date: str,
              service: str, secret_key: str) -> str:
    """The signature (hex) that belongs to a ``POST /`` without query."""
    if headers.get("X-TC-Content-SHA256", "") == "UNSIGNED-PAYLOAD":
        body = b"UNSIGNED-PAYLOAD"
    canonical = "\n".join((
        "POST", "/", "", *(f"{name}:{headers.get(name, '').strip().lower()}" for name in signed), "",
        ";".join(signed), hashlib.sha256(body).hexdigest(),
    ))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{timestamp}\n{date}/{service}/tc3_request\n{digest}"
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
