"""Sessions of the mini-program.

A token alone is useless: an event function's return value can end in a log. So the client makes a
secret of its own, gives its SHA-256 at sign-in, and shows the secret with every request. The token is
stored only as a hash, lives for hours (a mini-program signs in again without a tap), and can be ended.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hospital.database.connection import Database, Transaction, database
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import Unauthorized

if TYPE_CHECKING:
    from hospital.runtime.http import Call


@dataclass(frozen=True)
class Caller:
    """Who is asking: an account, proven by token and secret."""

    account_id: str
    token_hash: bytes


def open_session(tx: Transaction, account_id: str, secret_hash: str, hours: int, now: datetime
                 ) -> tuple[str, datetime]:
    """Make a session; its token and the moment it ends. ``secret_hash`` is SHA-256 in hex."""
    token = secrets.token_urlsafe(32)
    expires_at = now + timedelta(hours=hours)
    tx.insert("sessions", token_hash=_hash(token), account_id=account_id,
              secret_hash=bytes.fromhex(secret_hash), expires_at=expires_at, created_at=now)
    return token, expires_at


def authenticate(call: Call) -> Caller:
    """The caller of a request.

    Raises Unauthorized for a missing, forged, ended or expired token, or a wrong secret, all alike.
    """
    scheme, _, token = call.header("Authorization").partition(" ")
    client_secret = call.header("X-Client-Secret")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not 20 <= len(token) <= 100 or not client_secret:
        raise Unauthorized
    token_hash = _hash(token)
    row = database().one("SELECT account_id, secret_hash, expires_at FROM sessions WHERE token_hash = %s",
                         (token_hash,))
    if row is None or row["expires_at"] <= utc_now():
        raise Unauthorized
    if not hmac.compare_digest(row["secret_hash"], _hash(client_secret)):
        raise Unauthorized
    return Caller(row["account_id"], token_hash)


def end_session(db: Database, caller: Caller) -> None:
    """Sign out."""
    with db.transaction() as tx:
        tx.run("DELETE FROM sessions WHERE token_hash = %s", (caller.token_hash,))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
