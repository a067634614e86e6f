"""Where the request or invocation under way comes from: what each audit entry made in it carries."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

from hospital.runtime.config import config

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


class Origin(Struct, frozen=True):
    """``address`` is the client's, ``uin`` the Tencent Cloud account in an invocation's context; empty: not known."""

    address: str = ""
    request_id: str = ""
    uin: str = ""


_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


def bind(origin: Origin) -> None:
    """Set what this request comes from; the next one sets its own."""
    _origin.set(origin)


def current() -> Origin:
    """What the request under way comes from."""
    return _origin.get() or Origin()


def of_request(environ: dict[str, Any], request_id: str) -> Origin:
    """Of an HTTP request: where the platform says that it comes from, else the connection."""
    address = of_platform(environ) or str(environ.get("REMOTE_ADDR") or "")
    return Origin(address if _ADDRESS.fullmatch(address) else "", request_id)


def of_platform(environ: dict[str, Any]) -> str:
    """The client's address as the platform says it; empty when it says none.

    An event brings it in a field that no client has. On the Web form the platform's proxy stands between and says it
    last in its header: what comes before may be the client's own. ``X-Forwarded-For`` is not looked at.
    """
    header = config().address_header
    if not header or "serverless.event" in environ:
        return str(environ.get("REMOTE_ADDR") or "")
    return str(environ.get(f"HTTP_{header.upper().replace('-', '_')}") or "").rpartition(",")[2].strip()


def of_invocation(context: dict[str, Any]) -> Origin:
    """Of an event function's invocation, as its context has it."""
    uin = str(context.get("tencentcloud_uin", ""))
    return Origin("", str(context.get("request_id", "")), uin if re.fullmatch(r"[0-9]{1,20}", uin) else "")
