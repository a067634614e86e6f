"""POST Object: a file posted by a form, under a policy that says which form is meant.

The policy (base64 of JSON) is signed, its conditions are compared with the form's fields and the file's size.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.cos.signature import SignatureError

_REQUIRED = {"q-sign-algorithm", "q-ak", "q-sign-time"}
_PERIOD = re.compile(r"(\d{1,12});(\d{1,12})")


@dataclass(frozen=True)
class Posted:
    """What was posted to a bucket. ``content`` is None when the form had no file."""

    bucket: str
    fields: Mapping[str, str]
    content: bytes | None


def admit(posted: Posted, *, secret_id: str, secret_key: str, token: str, now: float) -> None:
    """Check the form's signature and its policy; ``now`` is seconds since the epoch. Raises SignatureError."""
    fields = posted.fields
    if posted.content is None or "key" not in fields:
        raise SignatureError("InvalidArgument", "the form has no key or no file")
    if fields.get("q-sign-algorithm") != "sha1" or fields.get("q-ak") != secret_id:
        raise SignatureError("InvalidAccessKeyId", "the access key id does not exist")
    if token and fields.get("x-cos-security-token") != token:
        raise SignatureError("InvalidAccessKeyId", "the security token is missing or not the key's")
    period = _PERIOD.fullmatch(fields.get("q-key-time", ""))
    if period is None or not int(period[1]) <= now <= int(period[2]):
        raise SignatureError("AccessDenied", "Request has expired")
    text = _policy_text(fields.get("policy", ""))
    if not hmac.compare_digest(signature(text, fields["q-key-time"], secret_key), fields.get("q-signature", "")):
        raise SignatureError("SignatureDoesNotMatch", "The signature does not match the policy")
    _obey(json.loads(text), posted, len(posted.content), now)


def signature(policy: str, period: str, secret_key: str) -> str:
    """COS's signature of a policy's text."""
    key = hmac.new(secret_key.encode(), period.encode(), hashlib.sha1).hexdigest()
    return hmac.new(key.encode(), hashlib.sha1(policy.encode()).hexdigest().encode(), hashlib.sha1).hexdigest()


def _policy_text(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError):
        raise SignatureError("InvalidPolicyDocument", "the policy is no JSON in base64") from None
    return text


def _obey(policy: dict[str, Any], posted: Posted, size: int, now: float) -> None:
    ends = datetime.fromisoformat(str(policy["expiration"]).replace("Z", "+00:00"))
    if now > ends.timestamp():
        raise SignatureError("AccessDenied", "Invalid according to Policy: Policy expired.")
    values = {**posted.fields, "bucket": posted.bucket, "q-sign-time": posted.fields["q-key-time"]}
    named = set()
    for one in policy["conditions"]:
        rules = [("eq", name, value) for name, value in one.items()] if isinstance(one, dict) else [tuple(one)]
        for operator, name, value in rules:
            if operator == "content-length-range":
                _check_size(size, int(name), int(value))
                continue
            name = name.removeprefix("$")
            named.add(name)
            found = values.get(name, "")
            if not (found == value if operator == "eq" else found.startswith(value)):
                raise SignatureError("AccessDenied", f"Invalid according to Policy: Policy Condition failed: {name}")
    if not named >= _REQUIRED:
        raise SignatureError("InvalidPolicyDocument", f"the policy does not name {', '.join(sorted(_REQUIRED))}")


def _check_size(size: int, least: int, most: int) -> None:
    if size > most:
        raise SignatureError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
    if size < least:
        raise SignatureError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size.")
