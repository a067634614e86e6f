"""SQL of messages. What a message says is sealed."""

from __future__ import annotations

import json
from datetime import datetime

from hospital.database.connection import Row, Transaction
from hospital.runtime.ids import bounded, new_id
from hospital.security import cipher, sealed

KEY = 96  # characters; a longer key is told apart by a hash


def insert(tx: Transaction, *, account_id: str, patient_id: str, kind: str, key: str, data: dict[str, str],
           now: datetime) -> str:
    """A new message; its id. Raises Duplicate when there is one of that key."""
    message_id = new_id()
    tx.insert("messages", id=message_id, account_id=account_id, patient_id=patient_id, kind=kind,
              message_key=bounded(key, KEY), state="QUEUED",
              data_enc=cipher.seal(json.dumps(data, ensure_ascii=False), f"messages.data:{message_id}"),
              created_at=now)
    return message_id


def locked(tx: Transaction, message_id: str) -> Row | None:
    """A message with its receiver's openid and its opened ``data``, locked along with the account.

    Whoever begins or ends a message of an account looks for the account's next one: one at a time, or each of two
    would leave that to the other.
    """
    row = tx.one("SELECT m.id, m.account_id, m.patient_id, m.kind, m.state, m.data_enc, a.openid, a.openid_enc "
                 "FROM messages m "
                 "JOIN accounts a ON a.id = m.account_id WHERE m.id = %s FOR UPDATE", (message_id,))
    if row is not None:
        row["openid"] = sealed.value(row, "openid", f"accounts.openid:{row['account_id']}")
        row["data"] = json.loads(cipher.unseal(row["data_enc"], f"messages.data:{message_id}"))
    return row


def is_sending(tx: Transaction, message_id: str) -> bool:
    """Is it still under way, and not given up for lost meanwhile; locked as by :func:`locked`."""
    return tx.one("SELECT m.id FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = %s "
                  "AND m.state = 'SENDING' FOR UPDATE", (message_id,)) is not None


def next_unsent(tx: Transaction, account_id: str, topic: str) -> str | None:
    """The oldest message that an account is still to be sent, or is being sent; not one that staff gave up."""
    row = tx.one("SELECT m.id FROM messages m JOIN outbox o ON o.subject_id = m.id AND o.topic = %s "
                 "AND o.state = 'PENDING' WHERE m.account_id = %s AND m.state IN ('QUEUED', 'SENDING') "
                 "ORDER BY m.created_at, m.id LIMIT 1", (topic, account_id))
    return str(row["id"]) if row else None


def set_state(tx: Transaction, message_id: str, state: str, code: str, sent_at: datetime | None = None) -> None:
    """Where a message stands, why, and since when it is sent."""
    tx.run("UPDATE messages SET state = %s, code = %s, sent_at = %s WHERE id = %s", (state, code, sent_at, message_id))
