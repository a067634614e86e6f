"""What the measured functions call, as bare WSGI callables: the sandbox's own would be what is measured.

``cloud`` tells the secrets in its variable ``SECRETS`` and lets itself be asked to start functions; ``his`` answers
whatever it is asked with the bytes of the file ``HIS_ANSWER``, signed with ``HIS_KEY``. ``wechat`` takes messages.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

Start = Callable[..., Any]
WECHAT_TOKEN = "benchmark-token"


def cloud(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """The platform's API."""
    asked = json.loads(environ["wsgi.input"].read() or b"{}")
    told = {"SecretString": json.loads(os.environ["SECRETS"])[asked["SecretName"]]} if "SecretName" in asked else {}
    body = json.dumps({"Response": {**told, "RequestId": "benchmark"}}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def data_keys(env: Mapping[str, str]) -> dict[str, str]:
    """Keys of personal data, made up, as ``SECRETS`` has them."""
    return {env["DATA_KEY_SECRET"]: secrets.token_hex(16), env["LOOKUP_KEY_SECRET"]: secrets.token_hex(32)}


def his(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """The HIS."""
    body, digest = _canned()
    timestamp = str(int(time.time()))
    signature = sign(os.environ["HIS_KEY"], "200", timestamp, environ.get("HTTP_X_HIS_NONCE", ""), digest)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                              ("X-His-Timestamp", timestamp), ("X-His-Signature", signature)])
    return [body]


def wechat(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """WeChat: a token for an hour, and every message is taken whose token is that."""
    told: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}
    asked = json.loads(environ["wsgi.input"].read() or b"{}")
    if environ["PATH_INFO"].endswith("stable_token"):
        told = {"access_token": WECHAT_TOKEN, "expires_in": 3600}
    elif environ.get("QUERY_STRING") != f"access_token={WECHAT_TOKEN}" or not asked.get("touser"):
        told = {"errcode": 40001, "errmsg": "invalid credential"}
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def sign(key: str, *parts: str) -> str:
    """As the HIS and its callers sign."""
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=1)
def _canned() -> tuple[bytes, str]:
    body = Path(os.environ["HIS_ANSWER"]).read_bytes()
    return body, hashlib.sha256(body).hexdigest()
