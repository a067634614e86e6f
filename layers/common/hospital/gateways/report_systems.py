"""The hospital's systems that make reports, LIS and PACS: what they push is checked, what they list is read.

The same signature both ways as with the HIS (``docs/report-contract.yaml``), each system with a key of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlencode

from msgspec import Struct
from pydantic import Field, ValidationError

from hospital.gateways.his.wire import CLOCK_SKEW, Answer, NotGenuine, read_json, sign
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from urllib3 import PoolManager
    from werkzeug.datastructures import Headers

Sender = Literal["lis", "pacs"]
Form = Literal["hl7", "fhir", "json"]
SENDERS: tuple[Sender, ...] = ("lis", "pacs")
CONNECT_SECONDS, READ_SECONDS = 2.0, 20.0
PAGE = 20  # of up to 6 MB each, in the worst case


class Sent(Struct, frozen=True):
    """What a system has sent: its bytes, and in which form."""

    form: Form
    content: bytes


class Page(Struct, frozen=True):
    """A part of a list of changes. ``next``: from where to ask on; None when this was all for now."""

    sent: list[Sent]
    position: str
    has_more: bool


class _Change(Answer):
    form: Form
    content: str


class _Changes(Answer):
    changes: Annotated[list[_Change], Field(max_length=200)]
    position: Annotated[str, Field(pattern=r"^[!-~]{0,200}$")]
    has_more: bool


def _key(sender: Sender) -> str:
    return secret(config().lis_key_secret if sender == "lis" else config().pacs_key_secret)


def check_signature(headers: Headers, body: bytes) -> Sender:
    """Who pushes, by freshness and signature over the raw bytes. Raises NotGenuine."""
    timestamp, nonce = headers.get("X-Report-Timestamp", ""), headers.get("X-Report-Nonce", "")
    sender = next((one for one in SENDERS if one == headers.get("X-Report-Client")), None)
    if sender is None:
        raise NotGenuine("another client")
    if not (re.fullmatch(r"[0-9]{1,12}", timestamp) and abs(time.time() - int(timestamp)) <= CLOCK_SKEW):
        raise NotGenuine("stale timestamp")
    if not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", nonce):
        raise NotGenuine("no nonce")
    expected = sign(_key(sender), "POST", config().report_push_path, timestamp, nonce, hashlib.sha256(body).hexdigest())
    if not hmac.compare_digest(headers.get("X-Report-Signature", "").encode(errors="replace"), expected.encode()):
        raise NotGenuine("signature does not verify")
    return sender


def changes(sender: Sender, position: str) -> Page:
    """What a system has sent, or would have, since a position (empty: ever). Raises Rejected, Unanswered."""
    target = f"/reports/v1/changes?{urlencode({'since': position, 'limit': PAGE})}"
    try:
        told = read_json(_get(sender, target), _Changes)
        return Page([Sent(one.form, base64.b64decode(one.content, validate=True)) for one in told.changes],
                    told.position, told.has_more)
    except (ValidationError, binascii.Error, ValueError) as error:
        raise Unanswered(f"{sender}: unreadable answer ({type(error).__name__})") from None


def _get(sender: Sender, target: str) -> bytes:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError, NewConnectionError

    settings = config()
    base = settings.lis_base if sender == "lis" else settings.pacs_base
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    signature = sign(_key(sender), "GET", target, timestamp, nonce, hashlib.sha256(b"").hexdigest())
    headers = {"X-Report-Client": "miniprogram", "X-Report-Timestamp": timestamp, "X-Report-Nonce": nonce,
               "X-Report-Signature": signature}
    try:
        answer = _pool().request("GET", base + target, headers=headers, retries=False, redirect=False,
                                 timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS))
        content = answer.data
    except NewConnectionError as error:
        raise Unanswered(f"{sender}: {type(error).__name__}", sent=False) from None
    except HTTPError as error:
        raise Unanswered(f"{sender}: {type(error).__name__}") from None
    stamp = answer.headers.get("X-Report-Timestamp", "")
    expected = sign(_key(sender), str(answer.status), stamp, nonce, hashlib.sha256(content).hexdigest())
    if not (hmac.compare_digest(answer.headers.get("X-Report-Signature", "").encode(errors="replace"),
                                expected.encode())
            and re.fullmatch("[0-9]{1,12}", stamp) and abs(time.time() - int(stamp)) <= CLOCK_SKEW):
        raise Unanswered(f"{sender}: status {answer.status} without a valid signature")
    if answer.status >= 500 or answer.status == 401:
        raise Unanswered(f"{sender}: status {answer.status}")
    if answer.status >= 400:
        raise Rejected(f"status-{answer.status}")
    return content


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    from urllib3 import PoolManager

    return PoolManager(num_pools=2, maxsize=4)
