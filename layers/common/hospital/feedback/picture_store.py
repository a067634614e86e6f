"""SQL of pictures."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from hospital.database.connection import Database, Transaction
from hospital.feedback.model import PICTURE_MOVES, Picture
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id

Source = Database | Transaction


def insert(tx: Transaction, account_id: str, upload_until: datetime, now: datetime) -> Picture:
    """A picture that is to be uploaded, to a place nobody can guess."""
    picture_id = new_id()
    tx.insert("pictures", id=picture_id, account_id=account_id, state="AWAITED", upload_until=upload_until,
              raw_key=f"uploads/{secrets.token_hex(16)}", clean_key=f"pictures/{secrets.token_hex(16)}.jpg",
              created_at=now, changed_at=now)
    found = by_id(tx, picture_id)
    assert found is not None
    return found


def by_id(source: Source, picture_id: str, *, lock: bool = False) -> Picture | None:
    """One picture."""
    row = source.one(f"SELECT * FROM pictures WHERE id = %s{' FOR UPDATE' if lock else ''}", (picture_id,))
    return Picture.of(row) if row else None


def of_account(source: Source, account_id: str, picture_id: str, *, lock: bool = False) -> Picture | None:
    """One of the account's that is still there; None when unknown or another's."""
    row = source.one("SELECT * FROM pictures WHERE id = %s AND account_id = %s AND state <> 'REMOVED'"
                     f"{' FOR UPDATE' if lock else ''}", (picture_id, account_id))
    return Picture.of(row) if row else None


def of_complaint(source: Source, complaint_id: str) -> list[Picture]:
    """A complaint's pictures in their order."""
    return [Picture.of(row) for row in source.all(
        "SELECT * FROM pictures WHERE complaint_id = %s ORDER BY position, id", (complaint_id,))]


def attach(tx: Transaction, picture_id: str, account_id: str, complaint_id: str, position: int, now: datetime) -> bool:
    """Put an uploaded picture of the account's into a complaint. False when it can't be: not there, or in another."""
    return tx.run("UPDATE pictures SET complaint_id = %s, position = %s, changed_at = %s WHERE id = %s "
                  "AND account_id = %s AND complaint_id IS NULL AND state IN ('UPLOADED', 'READY')",
                  (complaint_id, position, now, picture_id, account_id)) == 1


def move(tx: Transaction, one: Picture, state: str, now: datetime, **changes: Any) -> None:
    """Move a locked picture along the table. Raises IllegalMove."""
    if state not in PICTURE_MOVES[one.state]:
        raise IllegalMove(f"picture {one.id}: {one.state} to {state}")
    columns = {"state": state, "changed_at": now, **changes}
    tx.run(f"UPDATE pictures SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), one.id))


def left_over(source: Source, before: datetime, limit: int) -> list[str]:
    """Pictures in no complaint that were begun before a moment, and of which something may be left."""
    return [row["id"] for row in source.all(
        "SELECT id FROM pictures WHERE complaint_id IS NULL AND created_at < %s AND state <> 'REMOVED' "
        "ORDER BY created_at LIMIT %s", (before, limit))]
