"""What the hospital pushes."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hospital.gateways.his.wire import CLOCK_SKEW, Answer, NotGenuine, sign
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

EVENTS_CLIENT = "his"  # whom the contract lets push


class Event(Answer):
    """What a push says: where to look, never what is true."""

    event_id: str
    type: str
    occurred_at: datetime
    patient_code: str
    bill_no: str | None = None
    refund_no: str | None = None
    trade_no: str | None = None


def open_event(headers: Headers, body: bytes) -> Event:
    """Check a push for client, freshness and signature over its raw bytes, then read it. Raises NotGenuine.

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
    if not hmac.compare_digest(headers.get("X-His-Signature", "").encode(), expected.encode()):
        raise NotGenuine("signature does not verify")
    try:
        return Event.model_validate_json(body)
    except ValidationError:
        raise NotGenuine("unreadable") from None
