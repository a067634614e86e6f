"""Repeated requests: the first answer under an ``Idempotency-Key`` is given again.

The row is written in the transaction of the command itself, so there is no moment at which one is
there without the other. Kept ≥25 h (WeChat retries for 24 h 4 min), then ``housekeeping`` removes it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from hospital.database.connection import Database, Transaction
from hospital.runtime.errors import BadRequest, Invalid


def check_key(key: str) -> str:
    """The key, if it is one. Raises BadRequest."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", key):
        raise BadRequest("请求缺少防重复标识，请升级小程序后重试。", code="idempotency_key_required")
    return key


def digest(command: str, body: str) -> bytes:
    """What makes two requests the same one."""
    return hashlib.sha256(f"{command}\n{body}".encode()).digest()


def record(tx: Transaction, *, owner: str, key: str, request: bytes, answer: str, now: datetime) -> None:
    """Keep the answer of a command that is about to be committed.

    The transaction's end raises Duplicate when a twin of this request committed first: ``answered`` has its answer.
    """
    tx.insert_soon("repeats", owner_id=owner, request_key=key, request=request, answer=answer, created_at=now)


def answered(db: Database, *, owner: str, key: str, request: bytes) -> str | None:
    """The first answer under a key, or None.

    Raises Invalid when the key was used for another request.
    """
    row = db.one("SELECT request, answer FROM repeats WHERE owner_id = %s AND request_key = %s", (owner, key))
    if row is None:
        return None
    if row["request"] != request:
        raise Invalid("该操作标识已用于其他请求，请返回重试。", code="idempotency_key_reused")
    return str(row["answer"])

