"""What the hospital pushes."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from hospital.gateways.his.wire import (
    CLOCK_SKEW,
    Answer,
    Moment,
    NotGenuine,
    Number,
    OptionalNumber,
    read_json,
    sign,
)
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

EVENTS_CLIENT = "his"  # whom the contract lets push


class Event(Answer):
    """What a push says: where to look, never what is true."""

    event_id: Number
    type: Annotated[str, Field(pattern=r"^[!-~]{1,32}$")]
    occurred_at: Moment
    patient_code: OptionalNumber = None  # a session is nobody's
    bill_no: OptionalNumber = None
    refund_no: OptionalNumber = None
    trade_no: OptionalNumber = None
    schedule_code: OptionalNumber = None

    @property
    def is_of_session(self) -> bool:
        """Whether it is about a session, and so about no patient."""
        return self.type.startswith("SESSION_")


class Unreadable(Exception):
    """Rightly signed, and not an event that could be kept: ``fields`` names what is wrong (none: it is no JSON)."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


def check_signature(headers: Headers, body: bytes) -> None:
    """Check a push for client, freshness and signature over its raw bytes. Raises NotGenuine.

    The signed path is that of our address as the hospital has it on file, whatever gateways made of it since.
    """
    timestamp, nonce = headers.get("X-His-Timestamp", ""), headers.get("X-His-Nonce", "")
    if headers.get("X-His-Client") != EVENTS_CLIENT:
        raise NotGenuine("another client")
    if not (re.fullmatch(r"[0-9]{1,12}", timestamp) and abs(time.time() - int(timestamp)) <= CLOCK_SKEW):
        raise NotGenuine("stale timestamp")
    if not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", nonce):
        raise NotGenuine("no nonce")
    key = secret(config().his_key_secret)
    expected = sign(key, "POST", config().his_events_path, timestamp, nonce, hashlib.sha256(body).hexdigest())
    if not hmac.compare_digest(headers.get("X-His-Signature", "").encode(errors="replace"), expected.encode()):
        raise NotGenuine("signature does not verify")


def read_event(body: bytes) -> Event:
    """What a genuine push says. Raises Unreadable."""
    try:
        event = read_json(body, Event)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        names = {".".join(str(part) for part in one["loc"]) or "body" for one in problems}
        raise Unreadable([] if any(one["type"] == "json_invalid" for one in problems) else sorted(names)) from None
    needed = "schedule_code" if event.is_of_session else "patient_code"
    if not getattr(event, needed):
        raise Unreadable([needed])
    return event
