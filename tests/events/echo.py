"""A door that says what of a request arrived: for the event form and, served as ``scf_bootstrap`` does, for the Web."""

from __future__ import annotations

from typing import Any

from hospital.runtime.http import Api, Call, Model, http_function
from hospital.security.sessions import authenticate
from werkzeug.wrappers import Response


class Search(Model):
    """A query of two fields."""

    q: str = ""
    today: bool = False


class Note(Model):
    """A body."""

    note: str
    count: int


api = Api("echo", authenticate)


@api.get("/echo", public=True)
def read(call: Call, query: Search) -> dict[str, Any]:
    """What of a request arrived."""
    return {"q": query.q, "today": query.today, **seen(call)}


@api.post("/echo", public=True)
def write(call: Call, body: Note) -> dict[str, Any]:
    """What of a request arrived."""
    return {"body": body.model_dump(), **seen(call)}


@api.put("/echo", public=True)
def write_raw(call: Call) -> dict[str, Any]:
    """The bytes."""
    return {"raw": call.raw.hex(), "ids": call.request.args.getlist("id"), "empty": call.request.args.get("empty")}


@api.delete("/echo", public=True)
def nothing() -> None:
    """No content."""


@api.get("/twice", public=True)
def twice() -> Response:
    """One header with two values."""
    answer = Response("{}", mimetype="application/json")
    answer.headers.add("Link", "<a>")
    answer.headers.add("Link", "<b>")
    return answer


@api.get("/large/<size>", public=True)
def large(size: str) -> dict[str, str]:
    """An answer of some length."""
    return {"text": "x" * int(size)}


@api.get("/headers", public=True)
def headers(call: Call) -> dict[str, Any]:
    """Headers that a client may give twice."""
    return {name: call.header(name) for name in ("X-Nonce", "Authorization", "Cookie")}


@api.get("/address", public=True)
def address(call: Call) -> dict[str, str]:
    """From which network a call comes."""
    return {"address": call.address}


def seen(call: Call) -> dict[str, Any]:
    """Headers by whatever case they are asked for, and where the call came from."""
    return {"authorization": call.header("Authorization"), "secret": call.header("X-CLIENT-SECRET"),
            "type": call.header("content-type"), "from": call.request.remote_addr, "id": call.request_id}


app, main_handler = http_function(api)
