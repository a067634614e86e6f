"""A small caller of the HIS interface: signs what it sends and checks the signature of what it gets."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from sandbox.clock import Clock
from sandbox.his.signing import (
    CLIENT,
    DRIFT_SECONDS,
    NONCE,
    NONCE_FORM,
    SIGNATURE,
    TIMESTAMP,
    sign_answer,
    sign_request,
)

BASE = "/his/v1"


class Forged(Exception):
    """An answer whose signature doesn't hold; nothing in it may be believed."""


@dataclass
class Caller:
    """One client of the HIS at ``address``; for tests, and for trying things by hand."""

    address: str
    client_id: str
    key: str
    clock: Clock
    timeout: float = 10.0
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        """Status and JSON answer of a read; ``from_`` stands for the query name ``from``."""
        text = urlencode({name.rstrip("_"): value for name, value in query.items()})
        return self.send("GET", BASE + path + (f"?{text}" if text else ""), b"")

    def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """Status and JSON answer of a write."""
        return self.send("POST", BASE + path, json.dumps(body, ensure_ascii=False).encode())

    def send(self, method: str, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        """Send as it is; ``headers`` (underscores for hyphens) override the signed ones.

        Raises Forged, and what requests raises when there is no answer.
        """
        timestamp, nonce = str(int(self.clock.timestamp())), secrets.token_hex(16)
        sent = {
            "Content-Type": "application/json", CLIENT: self.client_id, TIMESTAMP: timestamp, NONCE: nonce,
            SIGNATURE: sign_request(self.key, method, path, timestamp, nonce, body),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        answer = self.session.request(method, self.address + path, data=body, headers=sent,
                                      timeout=self.timeout)
        if answer.status_code >= 500:
            return answer.status_code, None
        self._check(answer, sent[NONCE] if NONCE_FORM.fullmatch(sent[NONCE]) else "")
        return answer.status_code, answer.json()

    def _check(self, answer: requests.Response, nonce: str) -> None:
        stamp = answer.headers.get(TIMESTAMP, "")
        right = sign_answer(self.key, answer.status_code, stamp, nonce, answer.content)
        if not hmac.compare_digest(right.encode(), answer.headers.get(SIGNATURE, "").encode()):
            raise Forged(f"wrong signature on an answer of status {answer.status_code}")
        if abs(self.clock.timestamp() - int(stamp)) > DRIFT_SECONDS:
            raise Forged(f"stale answer of status {answer.status_code}")
