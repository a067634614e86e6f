"""The code printed on a prescription: a signed, expiring token that names one bill and its patient."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from datetime import datetime

VERSION = "HQ1"
MAC_BYTES = 16


def token_of(key: str, bill_no: str, patient_code: str, expiry: datetime) -> str:
    """``HQ1.<payload>.<mac>``; see the contract. ``expiry`` is cut to whole seconds."""
    payload = json.dumps({"b": bill_no, "p": patient_code, "e": int(expiry.timestamp())}, separators=(",", ":"))
    head = f"{VERSION}.{_base64url(payload.encode())}"
    mac = hmac.new(key.encode(), head.encode(), hashlib.sha256).digest()[:MAC_BYTES]
    return f"{head}.{_base64url(mac)}"


def picture_of(token: str) -> bytes:
    """The token as a QR code, a PNG file that any phone's camera reads from paper."""
    import segno

    file = io.BytesIO()
    segno.make_qr(token, error="m").save(file, kind="png", scale=6, border=4)
    return file.getvalue()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
