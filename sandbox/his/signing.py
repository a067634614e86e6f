"""The signatures of the HIS interface, both ways, and the check of a request.

A request is signed over method, path with query as sent, timestamp, nonce and the body's digest; an
answer over its status, timestamp, the request's nonce and the body's digest. HMAC-SHA256, lower hex.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque

from werkzeug.datastructures import Headers

from sandbox.his.model import Refused

CLIENT, TIMESTAMP = "X-His-Client", "X-His-Timestamp"
NONCE, SIGNATURE = "X-His-Nonce", "X-His-Signature"
DRIFT_SECONDS = 300
REPLAY_SECONDS = 600
NONCE_FORM = re.compile(r"[0-9A-Za-z_-]{16,64}")


def sign_request(key: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature of a request; ``path`` includes the query, byte for byte as sent."""
    return _mac(key, method, path, timestamp, nonce, hashlib.sha256(body).hexdigest())


def sign_answer(key: str, status: int, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature of an answer to the request that carried ``nonce``."""
    return _mac(key, str(status), timestamp, nonce, hashlib.sha256(body).hexdigest())


def _mac(key: str, *parts: str) -> str:
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


class Gate:
    """Lets in the requests of one client that are fresh, rightly signed and seen for the first time."""

    def __init__(self, client_id: str, key: str) -> None:
        self._client_id = client_id
        self._key = key
        self._seen: dict[str, float] = {}
        self._order: deque[tuple[float, str]] = deque()

    def check(self, method: str, path: str, headers: Headers, body: bytes, now: float) -> None:
        """Accept a request at ``now`` (seconds since the epoch) and remember its nonce.

        Raises Refused with CLIENT_UNKNOWN, SIGNATURE_INVALID, TIMESTAMP_EXPIRED or NONCE_REPLAYED.
        """
        if headers.get(CLIENT, "") != self._client_id:
            raise Refused("CLIENT_UNKNOWN", "未登记的接入方", 401)
        timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not NONCE_FORM.fullmatch(nonce):
            raise Refused("SIGNATURE_INVALID", "签名要素缺失或格式错误", 401)
        if abs(now - int(timestamp)) > DRIFT_SECONDS:
            raise Refused("TIMESTAMP_EXPIRED", "请求时间与医院时间相差超过五分钟", 401)
        right = sign_request(self._key, method, path, timestamp, nonce, body)
        if not hmac.compare_digest(right.encode(), headers.get(SIGNATURE, "").encode()):
            raise Refused("SIGNATURE_INVALID", "签名错误", 401)
        self._remember(nonce, now)

    def _remember(self, nonce: str, now: float) -> None:
        while self._order and self._order[0][0] < now - REPLAY_SECONDS:
            self._seen.pop(self._order.popleft()[1], None)
        if nonce in self._seen:
            raise Refused("NONCE_REPLAYED", "请求随机串重复", 401)
        self._seen[nonce] = now
        self._order.append((now, nonce))
