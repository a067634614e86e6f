"""Verification of COS's own request signature (``q-sign-algorithm=sha1&q-ak=…``), in header or query."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

_FIELDS = ("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list",
           "q-signature")
_PERIOD = re.compile(r"(\d{1,12});(\d{1,12})")


class SignatureError(Exception):
    """The request is refused with HTTP 403; ``code`` is COS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class SignedRequest:
    """What a signature is about. ``path`` is decoded and without the bucket; names are in lower case."""

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]


def presented(header: str, parameters: Mapping[str, str]) -> dict[str, str] | None:
    """The signature's fields, from the Authorization header or else the query; None when there is none."""
    if header:
        return dict(item.partition("=")[::2] for item in header.strip().split("&"))
    if "q-signature" in parameters or "q-sign-algorithm" in parameters:
        return {name: parameters[name] for name in _FIELDS if name in parameters}
    return None


def verify(fields: Mapping[str, str], request: SignedRequest, *, secret_id: str, secret_key: str,
           now: float) -> None:
    """Check a presented signature; ``now`` is seconds since the epoch. Raises SignatureError."""
    if any(name not in fields for name in _FIELDS) or fields["q-sign-algorithm"] != "sha1":
        raise SignatureError("InvalidArgument", "the authorization is incomplete or not of sha1")
    if fields["q-ak"] != secret_id:
        raise SignatureError("InvalidAccessKeyId", "the access key id does not exist")
    for period in (fields["q-sign-time"], fields["q-key-time"]):
        bounds = _PERIOD.fullmatch(period)
        if bounds is None:
            raise SignatureError("InvalidArgument", "q-sign-time and q-key-time are start;end in seconds")
        if now < int(bounds[1]):
            raise SignatureError("AccessDenied", "Request is not yet valid")
        if now > int(bounds[2]):
            raise SignatureError("AccessDenied", "Request has expired")
    # COS listens on the default port, so the SDK signs the bare host name; here the Host header has a port.
    host = request.headers.get("host", "")
    for seen in (host, host.rpartition(":")[0]):
        headers = {**request.headers, "host": seen}
        if hmac.compare_digest(_signature(fields, request, headers, secret_key), fields["q-signature"]):
            return
    raise SignatureError("SignatureDoesNotMatch", "The signature does not match the request")


def _signature(fields: Mapping[str, str], request: SignedRequest, headers: Mapping[str, str],
               secret_key: str) -> str:
    content = "\n".join((
        request.method.lower(), request.path, _pairs(fields["q-url-param-list"], request.parameters),
        _pairs(fields["q-header-list"], headers), "",
    ))
    to_sign = f"sha1\n{fields['q-sign-time']}\n{hashlib.sha1(content.encode()).hexdigest()}\n"
    key = _hmac(secret_key, fields["q-key-time"])
    return _hmac(key, to_sign)


def _pairs(listed: str, values: Mapping[str, str]) -> str:
    names = sorted(name for name in listed.split(";") if name)
    return "&".join(f"{name}={quote(values.get(unquote(name), ''), '-_.~')}" for name in names)


def _hmac(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha1).hexdigest()
