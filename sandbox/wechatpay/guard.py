"""Who is calling: the merchant's Authorization header, checked byte for byte."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from sandbox.wechatpay.keys import SCHEME, Keys

ALLOWED_SKEW_SECONDS = 300
_PAIR = re.compile(r'([a-z_]+)="([^"]*)"')
_FIELDS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}


class Refused(Exception):
    """A definite refusal with WeChat Pay's code, its message, the HTTP status and perhaps a detail."""

    def __init__(
        self, code: str, message: str, status: int = 400, detail: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail


class Guard:
    """Checks each call's signature, freshness and that its nonce is new. The caller holds the lock."""

    def __init__(self, keys: Keys, merchant_id: str, merchant_serial: str) -> None:
        self._keys = keys
        self._merchant_id = merchant_id
        self._serial = merchant_serial.upper()
        self._nonces: set[str] = set()
        self._seen: deque[tuple[float, str]] = deque()

    def check(self, authorization: str, method: str, target: str, body: bytes, now: float) -> None:
        """``target``: path and query exactly as sent; ``now`` in seconds. Raises Refused (401)."""
        scheme, _, rest = authorization.partition(" ")
        if not authorization:
            raise _sign_error("Http头Authorization缺失", "authorization is missing")
        fields = dict(_PAIR.findall(rest))
        if scheme != SCHEME or set(fields) != _FIELDS:
            raise _sign_error("Http头Authorization值格式错误", "authorization is malformed")
        if fields["mchid"] != self._merchant_id:
            raise _sign_error("商户号不存在", "mchid unknown", "mchid")
        if fields["serial_no"].upper() != self._serial:
            raise _sign_error("商户证书序列号有误", "serial number does not belong to mchid", "serial_no")
        timestamp = fields["timestamp"]
        if not timestamp.isdecimal() or abs(int(timestamp) - now) > ALLOWED_SKEW_SECONDS:
            raise _sign_error("Http头Authorization中的timestamp已过期", "timestamp out of range", "timestamp")
        head = f"{method}\n{target}\n{timestamp}\n{fields['nonce_str']}\n"
        message = head.encode() + body + b"\n"
        if not self._keys.merchant_signed(message, fields["signature"]):
            raise _sign_error("签名错误", "sign not match", "signature", {
                "method": method, "url": target, "truncated_sign_message": head,
                "sign_message_length": len(message),
            })
        self._remember(fields["nonce_str"], now)

    def _remember(self, nonce: str, now: float) -> None:
        while self._seen and now - self._seen[0][0] > 2 * ALLOWED_SKEW_SECONDS:
            self._nonces.discard(self._seen.popleft()[1])
        if nonce in self._nonces:
            raise _sign_error("随机串重复使用", "nonce_str was used before", "nonce_str")
        self._nonces.add(nonce)
        self._seen.append((now, nonce))


def _sign_error(message: str, issue: str, field: str = "authorization",
                sign_information: dict[str, Any] | None = None) -> Refused:
    detail: dict[str, Any] = {"field": field, "location": "authorization", "detail": {"issue": issue}}
    if sign_information:
        detail["sign_information"] = sign_information
    return Refused("SIGN_ERROR", message, 401, detail)
