"""The platform's envelope: who is calling, and answers signed the same way."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections import deque
from typing import Any

from sandbox.ebill.model import Refused

VERSION = "1.0"
SUCCESS = "S0000"
_FIELDS = {"appid", "data", "noise", "version", "sign"}
_REMEMBERED = 100_000


def sign(app_id: str, key: str, data: str, noise: str) -> str:
    """Upper-case MD5 over the fields in their fixed order; ``data`` as sent (base64)."""
    text = f"appid={app_id}&data={data}&noise={noise}&key={key}&version={VERSION}"
    return hashlib.md5(text.encode(errors="surrogatepass")).hexdigest().upper()


def packed(content: Any) -> str:
    """``content`` as base64 of its UTF-8 JSON; a text as base64 of itself."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


class Gate:
    """Opens requests of the one caller and seals the answers. The caller holds the system's lock."""

    def __init__(self, app_id: str, key: str) -> None:
        self._app_id = app_id
        self._key = key
        self._noises: set[str] = set()
        self._seen: deque[str] = deque()

    def open(self, raw: bytes) -> dict[str, Any]:
        """The business data of a request.

        Raises Refused: E0001 form, E0002 caller, E0003 version, E0004 signature, E0005 noise seen before,
        E0006 data.
        """
        try:
            body = json.loads(raw.decode())
        except (ValueError, RecursionError):
            raise Refused("E0001", "请求报文不是合法的JSON") from None
        if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in _FIELDS):
            raise Refused("E0001", "请求报文缺少appid、data、noise、version或sign")
        if body["appid"] != self._app_id:
            raise Refused("E0002", "应用账号不存在")
        if body["version"] != VERSION:
            raise Refused("E0003", "接口版本号不支持")
        if not hmac.compare_digest(sign(self._app_id, self._key, body["data"], body["noise"]).encode(),
                                   body["sign"].encode(errors="surrogatepass")):
            raise Refused("E0004", "签名验证失败")
        self._remember(body["noise"])
        try:
            data = json.loads(base64.b64decode(body["data"], validate=True).decode())
        except (ValueError, RecursionError, binascii.Error):
            raise Refused("E0006", "业务数据不是Base64编码的JSON") from None
        if not isinstance(data, dict):
            raise Refused("E0006", "业务数据应为JSON对象")
        return data

    def answer(self, result: str, message: Any) -> dict[str, str]:
        """The signed answer: ``message`` is an object, or a text for an error."""
        data, noise = packed({"result": result, "message": packed(message)}), secrets.token_hex(16)
        return {"data": data, "noise": noise, "sign": sign(self._app_id, self._key, data, noise)}

    def _remember(self, noise: str) -> None:
        if not 1 <= len(noise) <= 64:
            raise Refused("E0001", "noise应为1至64个字符")
        if noise in self._noises:
            raise Refused("E0005", "noise重复,请求被视为重放")
        self._noises.add(noise)
        self._seen.append(noise)
        if len(self._seen) > _REMEMBERED:
            self._noises.discard(self._seen.popleft())
