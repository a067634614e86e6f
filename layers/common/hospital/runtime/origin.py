"""Where the request or invocation under way comes from: what each audit entry made in it carries."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True)
class Origin:
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
    """Of an HTTP request. Its address is what the platform says: on the Web form its proxy stands between.

    ``X-Forwarded-For`` is not looked at: its first hop is whatever a client wrote.
    """
    address = environ.get("HTTP_X_SCF_REMOTE_ADDR") or environ.get("REMOTE_ADDR") or ""
    return Origin(address if _ADDRESS.fullmatch(address) else "", request_id)


def of_invocation(context: dict[str, Any]) -> Origin:
    """Of an event function's invocation, as its context has it."""
    uin = str(context.get("tencentcloud_uin", ""))
    return Origin("", str(context.get("request_id", "")), uin if re.fullmatch(r"[0-9]{1,20}", uin) else "")
