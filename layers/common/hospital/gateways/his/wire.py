"""Calls to the HIS: signatures both ways, and the three outcomes of every call."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.clock import BEIJING
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 2.0
READ_SECONDS = 6.0
LIST_SECONDS = 20.0
BILLS_SECONDS = 3.0  # a patient is looking at the screen; last known bills are shown instead
CLOCK_SKEW = 300  # seconds by which an answer's timestamp may differ

AnswerT = TypeVar("AnswerT", bound="Answer")


class Answer(BaseModel):
    """What the HIS answers; fields that we don't read are ignored, so it may add some."""

    model_config = ConfigDict(extra="ignore", defer_build=True, frozen=True)


class NotGenuine(Exception):
    """Not signed by the hospital, or not readable. ``reason`` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(key: str, *parts: str) -> str:
    """Lower hex HMAC-SHA256 over the parts, one a line."""
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def moment_text(moment: datetime) -> str:
    """As the HIS writes times."""
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def day_query(day: date, cursor: str) -> str:
    """The query of a page of a day's list."""
    return urlencode({"date": day.isoformat(), "limit": "200", **({"cursor": cursor} if cursor else {})})


def get(path: str, answer: type[AnswerT], seconds: float | None = None) -> AnswerT:
    """Read; waits ``seconds`` for an answer, or as long as such a read may take. Raises Rejected, Unanswered."""
    return _call("GET", path, b"", answer, seconds or (
        LIST_SECONDS if "?" in path or path in ("/departments", "/doctors") else READ_SECONDS))


def post(path: str, body: dict[str, Any], answer: type[AnswerT]) -> AnswerT:
    """Write. Raises Rejected, Unanswered."""
    return _call("POST", path, json.dumps(body, ensure_ascii=False).encode(), answer, READ_SECONDS)


def _call(method: str, path: str, body: bytes, answer: type[AnswerT], seconds: float) -> AnswerT:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError, NewConnectionError

    settings = config()
    key = secret(settings.his_key_secret)
    target = f"/his/v1{path}"
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    headers = {
        "Content-Type": "application/json", "X-His-Client": settings.his_client_id,
        "X-His-Timestamp": timestamp, "X-His-Nonce": nonce,
        "X-His-Signature": sign(key, method, target, timestamp, nonce, hashlib.sha256(body).hexdigest()),
    }
    try:
        response = _pool().request(method, settings.his_base + target, body=body, headers=headers,
                                   timeout=Timeout(connect=CONNECT_SECONDS, read=seconds), retries=False,
                                   redirect=False)
        content = response.data
    except NewConnectionError as error:
        raise Unanswered(f"his: {type(error).__name__}", sent=False) from None
    except HTTPError as error:
        raise Unanswered(f"his: {type(error).__name__}") from None
    return _read(response, content, key, nonce, answer)


def _read(response: BaseHTTPResponse, content: bytes, key: str, nonce: str, answer: type[AnswerT]) -> AnswerT:
    given = response.headers
    timestamp = given.get("X-His-Timestamp", "")
    expected = sign(key, str(response.status), timestamp, nonce, hashlib.sha256(content).hexdigest())
    if not (hmac.compare_digest(given.get("X-His-Signature", ""), expected)
            and timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= CLOCK_SKEW):
        raise Unanswered(f"his: status {response.status} without a valid signature")
    if response.status >= 500 or response.status == 401:
        # 401 is about our clock or nonce, not about the business: an earlier copy may have taken effect.
        raise Unanswered(f"his: status {response.status}")
    try:
        if response.status >= 400:
            refusal = json.loads(content)
            raise Rejected(str(refusal["code"]), str(refusal.get("message", "")))
        return answer.model_validate_json(content)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Unanswered(f"his: unreadable answer ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    from urllib3 import PoolManager

    return PoolManager(num_pools=4, maxsize=32)
