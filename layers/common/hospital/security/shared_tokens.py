"""Access tokens of outside systems, shared by all instances and renewed by one at a time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hospital.database.connection import Database
from hospital.security import cipher

LEASE = timedelta(seconds=15)  # longer than asking for a token may take
NONE = datetime(2000, 1, 1, tzinfo=timezone.utc)  # the end of no lease


def read(db: Database, name: str) -> tuple[str, datetime] | None:
    """The token and when it ends; None when there is none yet."""
    row = db.one("SELECT value, expires_at FROM shared_tokens WHERE name = %s", (name,))
    if row is None or row["value"] is None:
        return None
    return cipher.unseal(row["value"], _place(name)), row["expires_at"]


def take_lease(db: Database, name: str, now: datetime) -> bool:
    """Whether the caller is the one who renews it now."""
    if _leased(db, name, now):
        return True
    if db.one("SELECT 1 FROM shared_tokens WHERE name = %s", (name,)) is not None:
        return False
    with db.transaction() as tx:  # apart: a row that is there would stay locked, and many who then change it deadlock
        tx.run("INSERT IGNORE INTO shared_tokens (name, expires_at, lease_until) VALUES (%s, %s, %s)",
               (name, now, NONE))
    return _leased(db, name, now)


def _leased(db: Database, name: str, now: datetime) -> bool:
    with db.transaction() as tx:
        # One further ahead than any lease is of a clock that was wrong.
        return tx.run("UPDATE shared_tokens SET lease_until = %s WHERE name = %s "
                      "AND (lease_until <= %s OR lease_until > %s)",
                      (now + LEASE, name, now, now + LEASE)) == 1


def write(db: Database, name: str, token: str, expires_at: datetime) -> None:
    """A fresh token; the lease ends."""
    with db.transaction() as tx:
        tx.run("UPDATE shared_tokens SET value = %s, expires_at = %s, lease_until = %s WHERE name = %s",
               (cipher.seal(token, _place(name)), expires_at, NONE, name))


def release(db: Database, name: str) -> None:
    """Renewing failed: somebody else may try."""
    with db.transaction() as tx:
        tx.run("UPDATE shared_tokens SET lease_until = %s WHERE name = %s", (NONE, name))


def _place(name: str) -> str:
    return f"shared_tokens.value:{name}"
