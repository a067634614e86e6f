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


@dataclass(frozen=True)
class EventForm:
    """How requests become a function's events; platforms and their versions differ.

    A query key that comes more than once has a list [?]. With ``query`` "raw" its names and values stay as they came,
    percent signs and plus signs too; with ``flags`` "text" ``isBase64Encoded`` is always there, as a word.
    """

    form: str = "url"  # of a Function URL; "gateway": of an API Gateway shaped trigger
    query: str = "decoded"
    flags: str = "boolean"

    def event(self, call: HttpCall) -> dict[str, Any]:
        """The event that the function is given."""
        query = _query(call.query, raw=self.query == "raw")
        content = _body(call.body)
        if self.flags == "text":
            content["isBase64Encoded"] = "true" if content["isBase64Encoded"] else "false"
        return _gateway_event(call, query, content) if self.form == "gateway" else _url_event(call, query, content)


FORMS = {"form": ("url", "gateway"), "query": ("decoded", "raw"), "flags": ("boolean", "text")}


def _url_event(call: HttpCall, query: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Few keys, header names in lower case; a body that is not UTF-8 comes in base64, marked."""
    if content["isBase64Encoded"] is False:
        del content["isBase64Encoded"]
    return {"headers": {name.lower(): value for name, value in call.headers}, "httpMethod": call.method,
            "path": call.path, "queryString": query, **content}


def _gateway_event(call: HttpCall, query: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestContext": {
            "requestId": call.request_id, "path": call.path, "httpMethod": call.method,
            "sourceIp": call.remote, "stage": "release", "identity": {},
        },
        "headers": dict(call.headers),
        "httpMethod": call.method,
        "path": call.path,
        "pathParameters": {},
        "queryString": query,
        "queryStringParameters": {},
        "headerParameters": {},
        "stageVariables": {"stage": "release"},
        **content,
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


def _query(text: str, *, raw: bool) -> dict[str, Any]:
    query: dict[str, Any] = {}
    pairs = ([(name, value) for name, _, value in (part.partition("=") for part in text.split("&") if part)] if raw
             else parse_qsl(text, keep_blank_values=True))
    for key, value in pairs:
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
