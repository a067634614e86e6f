"""HTTP for event functions: the two forms in which a request becomes an event, and the answer's way back."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sandbox.scf.errors import InvokeError
from sandbox.scf.web import Headers, WebAnswer


@dataclass(frozen=True)
class HttpCall:
    """One request as the function is to see it. ``path`` is decoded, ``query`` is raw."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    remote: str
    request_id: str


def url_event(call: HttpCall) -> dict[str, Any]:
    """The event of a Function URL: few keys, header names in lower case.

    A query key that comes more than once has a list [?]; a body that is not UTF-8 comes in base64, marked.
    """
    event: dict[str, Any] = {
        "headers": {name.lower(): value for name, value in call.headers},
        "httpMethod": call.method,
        "path": call.path,
        "queryString": _query(call.query),
    }
    event.update(_body(call.body))
    if not event["isBase64Encoded"]:
        del event["isBase64Encoded"]
    return event


def gateway_event(call: HttpCall) -> dict[str, Any]:
    """The event of an API Gateway shaped trigger."""
    return {
        "requestContext": {
            "requestId": call.request_id, "path": call.path, "httpMethod": call.method,
            "sourceIp": call.remote, "stage": "release", "identity": {},
        },
        "headers": dict(call.headers),
        "httpMethod": call.method,
        "path": call.path,
        "pathParameters": {},
        "queryString": _query(call.query),
        "queryStringParameters": {},
        "headerParameters": {},
        "stageVariables": {"stage": "release"},
        **_body(call.body),
    }


def answer_from(result: Any) -> WebAnswer:
    """The HTTP answer that a handler's return value stands for.

    Raises InvokeError(407) when it stands for none.
    """
    if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
        raise InvokeError(407, "Invalid scf response format: statusCode is missing")
    headers: Headers = []
    given = result.get("headers") or {}
    if not isinstance(given, dict):
        raise InvokeError(407, "Invalid scf response format: headers is not a mapping")
    for name, value in given.items():
        headers.extend((str(name), str(item)) for item in (value if isinstance(value, list) else [value]))
    body = result.get("body", "")
    if not isinstance(body, str):
        body = json.dumps(body, ensure_ascii=False)
    try:
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except binascii.Error as error:
        raise InvokeError(407, "Invalid scf response format: body is not base64") from error
    return WebAnswer(result["statusCode"], headers, content)


def _query(raw: str) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for key, value in parse_qsl(raw, keep_blank_values=True):
        if key not in query:
            query[key] = value
        elif isinstance(query[key], list):
            query[key].append(value)
        else:
            query[key] = [query[key], value]
    return query


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode("utf-8"), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}
