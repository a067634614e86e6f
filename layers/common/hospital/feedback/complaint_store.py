"""SQL of complaints and of what happened to them. What anybody wrote is sealed."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from hospital.database.connection import Database, Duplicate, Transaction
from hospital.feedback import rules
from hospital.feedback.model import MOVES, Complaint, Entry, NewComplaint, TextState
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction
DRAWS = 5  # numbers that are tried: of a thousand million hardly two are the same


def insert(tx: Transaction, complaint_id: str, account_id: str, new: NewComplaint, text_state: TextState, *,
           due: tuple[datetime, datetime] | None, now: datetime) -> Complaint:
    """A complaint, received. ``due``: when staff are reminded, and when the answer is owed."""
    warn_at, due_at = due or (None, None)
    for draws_left in reversed(range(DRAWS)):
        try:
            tx.insert("complaints", id=complaint_id, account_id=account_id, number=rules.new_number(secrets.randbelow),
                      kind=new.kind, about=new.about, about_id=new.about_id, state="RECEIVED", text_state=text_state,
                      warn_at=warn_at, due_at=due_at, created_at=now, changed_at=now)
            break
        except Duplicate:
            if not draws_left:
                raise
    note(tx, complaint_id, "RECEIVED", new.text, now)
    found = by_id(tx, complaint_id)
    assert found is not None
    return found


def by_id(source: Source, complaint_id: str, *, lock: bool = False) -> Complaint | None:
    """One complaint."""
    return _complaint(source, f"id = %s{' FOR UPDATE' if lock else ''}", (complaint_id,))


def of_number(source: Source, number: str) -> Complaint | None:
    """The complaint of a number that was read out."""
    return _complaint(source, "number = %s", (number,))


def of_account(source: Source, account_id: str, complaint_id: str, *, lock: bool = False) -> Complaint | None:
    """One of the account's; None when unknown or another's."""
    return _complaint(source, f"id = %s AND account_id = %s{' FOR UPDATE' if lock else ''}", (complaint_id, account_id))


def page_of_account(source: Source, account_id: str, before: str, limit: int) -> list[Complaint]:
    """The account's, newest first, older than the id ``before`` (empty: from the newest)."""
    return [Complaint.of(row) for row in source.all(
        "SELECT * FROM complaints WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s",
        (account_id, before or "Z" * 26, limit))]


def page(source: Source, states: list[str], *, kind: str, due_before: datetime | None, after: str, limit: int
         ) -> list[Complaint]:
    """Complaints in some states, the oldest first, from an id on; of a kind, or owed before a moment."""
    conditions, args = [f"state IN ({', '.join(['%s'] * len(states))})", "id > %s"], [*states, after]
    if kind:
        conditions.append("kind = %s")
        args.append(kind)
    more: list[Any] = [*args]
    if due_before is not None:
        conditions.append("due_at < %s")
        more.append(due_before)
    return [Complaint.of(row) for row in source.all(
        f"SELECT * FROM complaints WHERE {' AND '.join(conditions)} ORDER BY id LIMIT %s", (*more, limit))]


def move(tx: Transaction, one: Complaint, state: str, now: datetime, **changes: Any) -> Complaint:
    """Move a locked complaint along the table; as it is then. Raises IllegalMove."""
    if state not in MOVES[one.state]:
        raise IllegalMove(f"complaint {one.id}: {one.state} to {state}")
    return change(tx, one, now, state=state, **changes)


def change(tx: Transaction, one: Complaint, now: datetime, **changes: Any) -> Complaint:
    """Change a locked complaint where it stands; as it is then."""
    columns = {**changes, "changed_at": now}
    tx.run(f"UPDATE complaints SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), one.id))
    found = by_id(tx, one.id)
    assert found is not None
    return found


def note(tx: Transaction, complaint_id: str, what: str, text: str, now: datetime, *, actor: str = "") -> None:
    """Add what happened."""
    entry_id = new_id()
    tx.insert("complaint_entries", id=entry_id, complaint_id=complaint_id, what=what, actor=actor[:64], at=now,
              text_enc=cipher.seal(text, f"complaint_entries.text:{entry_id}") if text else None)


def entries(source: Source, complaint_id: str) -> list[Entry]:
    """What happened, the earliest first, opened."""
    return [Entry(row["what"], row["actor"], cipher.unseal(row["text_enc"], f"complaint_entries.text:{row['id']}")
                  if row["text_enc"] is not None else "", row["at"])
            for row in source.all("SELECT id, what, actor, text_enc, at FROM complaint_entries WHERE complaint_id = %s "
                                  "ORDER BY id", (complaint_id,))]


def _complaint(source: Source, where: str, args: tuple[Any, ...]) -> Complaint | None:
    row = source.one(f"SELECT * FROM complaints WHERE {where}", args)
    return Complaint.of(row) if row else None
