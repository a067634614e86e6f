"""Sessions of the mini-program.

A token alone is useless: an event function's return value can end in a log. So the client makes a
secret of its own, gives its SHA-256 at sign-in, and shows the secret with every request. The token is
stored only as a hash, lives for hours (a mini-program signs in again without a tap), and can be ended:
by its owner, by operators, by being idle, and by a newer one when an account has too many.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from hospital.database.connection import Database, Row, Transaction, database
from hospital.database.policy import VERSION, Policy
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import RetryWhole, Unauthorized
from hospital.runtime.ids import derived
from hospital.security import audit, cipher

if TYPE_CHECKING:
    from hospital.runtime.http import Call

COARSE = timedelta(minutes=5)  # how far last_used_at may lag behind: the write that a busy session costs is this rare
BATCH = 1000


class Caller(Struct, frozen=True):
    """Who is asking: an account, proven by token and secret. ``policy``: the version of the settings at that moment."""

    account_id: str
    token_hash: bytes
    policy: str = ""


class Session(Struct, frozen=True):
    """A session as its owner sees it. ``id`` opens nothing."""

    id: str
    device: str
    started_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool


# -- beginning --------------------------------------------------------------------------------------
def open_session(tx: Transaction, account_id: str, secret_hash: str, settings: Policy, now: datetime, *,
                 device: str = "") -> tuple[str, datetime]:
    """Make a session of a locked account; its token and the moment it ends. ``secret_hash`` is SHA-256 in hex.

    When the account has as many as the hospital allows, the one that was idle for longest ends.
    """
    _make_room(tx, account_id, settings.sessions_per_account - 1, now)
    token = secrets.token_urlsafe(32)
    token_hash = _hash(token)
    expires_at = now + timedelta(hours=settings.session_hours)
    tx.insert("sessions", token_hash=token_hash, account_id=account_id, secret_hash=bytes.fromhex(secret_hash),
              expires_at=expires_at, created_at=now, last_used_at=now, idle_minutes=settings.session_idle_minutes,
              device_enc=cipher.seal(device, _place(token_hash)) if device else None)
    audit.record(tx, actor=f"account:{account_id}", action="session.open", subject=derived(token_hash), result="done",
                 now=now)
    return token, expires_at


def _make_room(tx: Transaction, account_id: str, keep: int, now: datetime) -> None:
    live = [row for row in _rows(tx, account_id) if not _is_over(row, now)]
    for row in live[keep:]:
        _end(tx, account_id, row["token_hash"], actor=f"account:{account_id}", result="displaced", now=now)


# -- using ------------------------------------------------------------------------------------------
def shown(call: Call) -> tuple[str, str]:
    """The token and secret that a request shows, unproven; empty ones when they can't be any."""
    scheme, _, token = call.header("Authorization").partition(" ")
    client_secret = call.header("X-Client-Secret")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not 20 <= len(token) <= 100 or not client_secret:
        return "", ""
    return token, client_secret


def authenticate(call: Call) -> Caller:
    """The caller of a request.

    Raises Unauthorized for a missing, forged, ended, idle or expired token, or a wrong secret, all alike.
    """
    token, client_secret = shown(call)
    if not token:
        raise Unauthorized
    cipher.ready()  # before any transaction: whatever a route does for a caller opens what is sealed
    token_hash, now = _hash(token), utc_now()
    row = database().one(f"SELECT account_id, secret_hash, expires_at, last_used_at, idle_minutes, {VERSION} AS policy "
                         "FROM sessions WHERE token_hash = %s", (token_hash,))
    if row is None or _is_over(row, now):
        raise Unauthorized
    if not hmac.compare_digest(row["secret_hash"], _hash(client_secret)):
        audit.note(database(), actor="unknown", action="session.use", subject=derived(token_hash),
                   result="wrong_secret", now=now)  # whoever has the token has it from somewhere
        raise Unauthorized
    if row["last_used_at"] is not None and row["last_used_at"] + COARSE <= now:
        _touch(token_hash, now)
    return Caller(row["account_id"], token_hash, row["policy"])


def _is_over(row: Row, now: datetime) -> bool:
    if row["expires_at"] <= now:
        return True
    if row["idle_minutes"] is None or row["last_used_at"] is None:  # of code from before
        return False
    idle_until: datetime = row["last_used_at"] + timedelta(minutes=row["idle_minutes"])
    return idle_until <= now


def _touch(token_hash: bytes, now: datetime) -> None:
    try:
        with database().transaction() as tx:
            tx.run("UPDATE sessions SET last_used_at = %s WHERE token_hash = %s AND last_used_at < %s",
                   (now, token_hash, now))
    except RetryWhole as again:  # the next request writes it
        log.event("session.not-touched", reason=str(again))


# -- seeing and ending ------------------------------------------------------------------------------
def sessions_of(db: Database, caller: Caller, now: datetime) -> list[Session]:
    """The account's own sessions, the last used one first."""
    return [Session(derived(row["token_hash"]), _device(row), row["created_at"],
                    row["last_used_at"] or row["created_at"], _ends_at(row), row["token_hash"] == caller.token_hash)
            for row in _rows(db, caller.account_id) if not _is_over(row, now)]


def end_session(db: Database, caller: Caller, now: datetime) -> None:
    """Sign out."""
    with db.transaction() as tx:
        _end(tx, caller.account_id, caller.token_hash, actor=f"account:{caller.account_id}", result="signed_out",
             now=now)


def end_one(db: Database, caller: Caller, session_id: str, now: datetime) -> bool:
    """End one of the account's sessions. False when it has none with this id."""
    with db.transaction() as tx:
        for row in _rows(tx, caller.account_id):
            if derived(row["token_hash"]) == session_id:
                return _end(tx, caller.account_id, row["token_hash"], actor=f"account:{caller.account_id}",
                            result="by_owner", now=now)
    return False


def end_others(db: Database, caller: Caller, now: datetime) -> int:
    """End all of the account's sessions but the one that asks; how many."""
    with db.transaction() as tx:
        return sum(_end(tx, caller.account_id, row["token_hash"], actor=f"account:{caller.account_id}",
                        result="by_owner", now=now)
                   for row in _rows(tx, caller.account_id) if row["token_hash"] != caller.token_hash)


def end_all(tx: Transaction, account_id: str, *, actor: str, now: datetime) -> int:
    """End every session of an account, by operators; how many."""
    return sum(_end(tx, account_id, row["token_hash"], actor=actor, result="by_operator", now=now)
               for row in _rows(tx, account_id))


def end_everybodys(db: Database) -> int:
    """End every session there is, in small transactions: keys or tokens have leaked; how many."""
    ended = 0
    while True:
        with db.transaction() as tx:
            gone = tx.run(f"DELETE FROM sessions LIMIT {BATCH}")
        ended += gone
        if gone < BATCH:
            return ended


def _rows(source: Database | Transaction, account_id: str) -> list[Row]:
    """An account's sessions, the last used one first."""
    return source.all("SELECT token_hash, expires_at, created_at, last_used_at, idle_minutes, device_enc FROM sessions "
                      "WHERE account_id = %s ORDER BY COALESCE(last_used_at, created_at) DESC, created_at DESC",
                      (account_id,))


def _end(tx: Transaction, account_id: str, token_hash: bytes, *, actor: str, result: str, now: datetime) -> bool:
    if not tx.run("DELETE FROM sessions WHERE token_hash = %s AND account_id = %s", (token_hash, account_id)):
        return False
    audit.record(tx, actor=actor, action="session.end", subject=derived(token_hash), result=result, now=now,
                 detail={"account": account_id})
    return True


def _ends_at(row: Row) -> datetime:
    expires_at: datetime = row["expires_at"]
    if row["idle_minutes"] is None or row["last_used_at"] is None:
        return expires_at
    idle_until: datetime = row["last_used_at"] + timedelta(minutes=row["idle_minutes"])
    return min(expires_at, idle_until)


def _device(row: Row) -> str:
    return cipher.unseal(row["device_enc"], _place(row["token_hash"])) if row["device_enc"] is not None else ""


def _place(token_hash: bytes) -> str:
    return f"sessions.device:{token_hash.hex()}"


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
