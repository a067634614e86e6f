"""HTTP as an event (Function URL, API Gateway), read so that what arrives is the same as on the Web form."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote_plus


def translate(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Tencent's Function-URL or API-Gateway event as the form serverless-wsgi reads; what arrives is as on the Web.

    It would lose ``queryString`` and the caller's address; header case varies, so all are lowered.
    """
    headers = _headers_of(event)
    headers["x-scf-request-id"] = [str(context.get("request_id", ""))]
    headers.pop("transfer-encoding", None)  # the body is here, whole
    source = (event.get("requestContext") or {}).get("sourceIp")
    if not source:  # what the platform says comes last; before it may stand what the caller says
        source = headers.get("x-scf-remote-addr", [""])[0].rpartition(",")[2].strip()
    headers["x-scf-remote-addr"] = [str(source)]  # the gateway's word, where there is one, before any header's
    return {
        "httpMethod": str(event.get("httpMethod") or "GET"),
        "path": _text(event.get("path") or "/"),
        # In this form serverless-wsgi also keeps an answer's repeated headers together.
        "multiValueHeaders": headers,
        "multiValueQueryStringParameters": _query_of(event),
        "requestContext": {"identity": {"sourceIp": str(source)}},
        "body": _body_of(event),
        "isBase64Encoded": False,
    }


def _headers_of(event: dict[str, Any]) -> dict[str, list[str]]:
    """The headers, each once: what came several times is joined as the server of the Web form joins it."""
    found: dict[str, list[str]] = {}
    for name, value in (event.get("headers") or {}).items():
        found.setdefault(str(name).lower(), []).extend(
            _as_wsgi(one) for one in (value if isinstance(value, list) else [value]))
    return {name: [",".join(values)] for name, values in found.items()}


def _query_of(event: dict[str, Any]) -> dict[str, list[str]]:
    """Every value of every name, decoded.

    A text is as it came and read like a form. In a mapping the platform has decoded names and values (documented
    nowhere, seen): only where one still has an escape was nothing decoded.
    """
    given = event.get("queryString") or event.get("queryStringParameters") or {}
    query: dict[str, list[str]] = {}
    if isinstance(given, str):
        for name, value in parse_qsl(_text(given), keep_blank_values=True):
            query.setdefault(name, []).append(value)
        return query
    pairs = [(_text(name), _text(one)) for name, value in given.items()
             for one in (value if isinstance(value, list) else [value])]
    is_raw = any(re.search("%[0-9A-Fa-f]{2}", text) for pair in pairs for text in pair)
    for name, value in pairs:
        name, value = (unquote_plus(name), unquote_plus(value)) if is_raw else (name, value)
        query.setdefault(name, []).append(value)
    return query


def _body_of(event: dict[str, Any]) -> bytes:
    """The body's bytes. What claims to be base64 and is not stays as it came: whoever reads it refuses it."""
    given = event.get("body") or ""
    body = (given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)).encode(errors="replace")
    if str(event.get("isBase64Encoded", "")).lower() in ("true", "1"):
        with suppress(ValueError):
            return base64.b64decode(body, validate=True)
    return body


def _text(value: Any) -> str:
    """A text that has a UTF-8 form: a JSON event can hold halves of characters."""
    return ("" if value is None else str(value)).encode(errors="replace").decode()


def _as_wsgi(value: Any) -> str:
    """A header's value as a server gives it: its bytes, one a character."""
    return _text(value).encode().decode("latin-1")
