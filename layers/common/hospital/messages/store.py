"""SQL of messages. What a message says is sealed."""

from __future__ import annotations

import json
from datetime import datetime

from hospital.database.connection import Database, Row, Transaction
from hospital.runtime.ids import new_id
from hospital.security import cipher


def insert(tx: Transaction, *, account_id: str, kind: str, key: str, data: dict[str, str], now: datetime) -> str:
    """A new message; its id. Raises Duplicate when there is one of that key."""
    message_id = new_id()
    tx.insert("messages", id=message_id, account_id=account_id, kind=kind, message_key=key, state="QUEUED",
              data_enc=cipher.seal(json.dumps(data, ensure_ascii=False), f"messages.data:{message_id}"),
              created_at=now)
    return message_id


def locked(tx: Transaction, message_id: str) -> Row | None:
    """A message with its receiver's openid and its opened ``data``, locked."""
    row = tx.one("SELECT m.id, m.kind, m.state, m.data_enc, a.openid FROM messages m "
                 "JOIN accounts a ON a.id = m.account_id WHERE m.id = %s FOR UPDATE", (message_id,))
    if row is not None:
        row["data"] = json.loads(cipher.unseal(row["data_enc"], f"messages.data:{message_id}"))
    return row


def set_state(source: Transaction, message_id: str, state: str, code: str = "") -> None:
    """Where a message stands, and why."""
    source.run("UPDATE messages SET state = %s, code = %s WHERE id = %s", (state, code, message_id))


def finish(db: Database, message_id: str, state: str, code: str, now: datetime) -> None:
    """How sending ended."""
    with db.transaction() as tx:
        tx.run("UPDATE messages SET state = %s, code = %s, sent_at = %s WHERE id = %s AND state = 'SENDING'",
               (state, code, now if state == "SENT" else None, message_id))
