"""Which steps of a visit an account wants to be told of. Of money, and of what changes, it is always told."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Database, Transaction

STEPS = ("checked_in", "queue_near", "next_stop")


def is_wanted(source: Database | Transaction, account_id: str, kind: str) -> bool:
    """Whether the account wants to be told of a step: it does until it says otherwise."""
    row = source.one("SELECT wanted FROM message_wishes WHERE account_id = %s AND kind = %s", (account_id, kind))
    return row is None or bool(row["wanted"])


def all_of(source: Database | Transaction, account_id: str) -> dict[str, bool]:
    """Every step, and whether it is wanted."""
    said = {row["kind"]: bool(row["wanted"]) for row in source.all(
        "SELECT kind, wanted FROM message_wishes WHERE account_id = %s", (account_id,))}
    return {kind: said.get(kind, True) for kind in STEPS}


def choose(tx: Transaction, account_id: str, kind: str, *, wanted: bool, now: datetime) -> None:
    """The account wants to be told of a step, or no more."""
    tx.run("REPLACE INTO message_wishes (account_id, kind, wanted, changed_at) VALUES (%s, %s, %s, %s)",
           (account_id, kind, int(wanted), now))
