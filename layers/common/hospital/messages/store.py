"""SQL of messages and of the inbox, which are the same rows. What a message says is sealed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from hospital.database.connection import Database, Row, Transaction
from hospital.runtime.ids import bounded, new_id
from hospital.security import cipher, sealed

KEY = 96  # characters; a longer key is told apart by a hash

Source = Database | Transaction


def insert(tx: Transaction, *, account_id: str, patient_id: str | None, kind: str, key: str, data: dict[str, str],
           about: str, now: datetime) -> str:
    """A new message, unread; its id. ``about``: what it opens. Raises Duplicate when there is one of that key."""
    message_id = new_id()
    tx.insert("messages", id=message_id, account_id=account_id, patient_id=patient_id, kind=kind,
              message_key=bounded(key, KEY), state="QUEUED",
              data_enc=cipher.seal(json.dumps(data, ensure_ascii=False), f"messages.data:{message_id}"),
              created_at=now, about=about, unread=1)
    return message_id


class Queued(NamedTuple):
    """A message of many that are queued together."""

    account_id: str
    patient_id: str
    kind: str
    key: str
    data: dict[str, str]
    about: str


def insert_many(tx: Transaction, queued: list[Queued], state: str, now: datetime) -> list[str]:
    """New messages, unread, that have no arrow each; their ids, in the same order. Raises Duplicate."""
    rows = [{"id": (message_id := new_id()), "account_id": one.account_id, "patient_id": one.patient_id,
             "kind": one.kind, "message_key": bounded(one.key, KEY), "state": state, "created_at": now,
             "about": one.about, "unread": 1,
             "data_enc": cipher.seal(json.dumps(one.data, ensure_ascii=False), f"messages.data:{message_id}")}
            for one in queued]
    tx.insert_many("messages", rows)
    return [str(row["id"]) for row in rows]


def begin(tx: Transaction, message_id: str) -> bool:
    """From now on it is being sent. False when it is not there to be sent any more."""
    return tx.run("UPDATE messages SET state = 'SENDING' WHERE id = %s AND state = 'QUEUED'", (message_id,)) == 1


def end_soon(tx: Transaction, message_id: str, state: str, code: str, sent_at: datetime | None) -> None:
    """How sending one has ended, along with what is said next."""
    tx.run_soon("UPDATE messages SET state = %s, code = %s, sent_at = %s WHERE id = %s AND state = 'SENDING'",
                (state, code[:32], sent_at, message_id))


def states_of(tx: Transaction, message_ids: list[str]) -> dict[str, str]:
    """Where some messages stand, locked."""
    if not message_ids:
        return {}
    return {row["id"]: row["state"] for row in tx.all(
        f"SELECT id, state FROM messages WHERE id IN ({', '.join(['%s'] * len(message_ids))}) FOR UPDATE",
        message_ids)}


def forget_unsent(tx: Transaction, message_ids: list[str]) -> None:
    """Messages that certainly never reached WeChat are no more: they are written anew."""
    if message_ids:
        tx.run(f"DELETE FROM messages WHERE state = 'QUEUED' AND id IN ({', '.join(['%s'] * len(message_ids))})",
               message_ids)


def locked(tx: Transaction, message_id: str) -> Row | None:
    """A message with its receiver's openid and its opened ``data``, locked along with the account.

    Whoever begins or ends a message of an account looks for the account's next one: one at a time, or each of two
    would leave that to the other.
    """
    row = tx.one("SELECT m.id, m.account_id, m.patient_id, m.kind, m.state, m.about, m.data_enc, a.openid, "
                 "a.openid_enc FROM messages m "
                 "JOIN accounts a ON a.id = m.account_id WHERE m.id = %s FOR UPDATE", (message_id,))
    if row is not None:
        row["openid"] = sealed.value(row, "openid", f"accounts.openid:{row['account_id']}")
        row["data"] = _data(row)
    return row


def _data(row: Row) -> dict[str, str]:
    data: dict[str, str] = json.loads(cipher.unseal(row["data_enc"], f"messages.data:{row['id']}"))
    return data


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


# -- the inbox --------------------------------------------------------------------------------------
class Letter(Struct, frozen=True):
    """A message as it lies in the inbox. ``data`` opens what is sealed, so only who may read it asks for that."""

    id: str
    kind: str
    patient_id: str | None
    about: str | None
    unread: bool
    created_at: datetime
    data_enc: bytes

    @property
    def data(self) -> dict[str, str]:
        """Our names of values, and the texts."""
        return _data({"id": self.id, "data_enc": self.data_enc})


def page_of_account(source: Source, account_id: str, before: str, limit: int) -> list[Letter]:
    """The account's messages, newest first, older than the id ``before`` (empty: from the newest)."""
    return [Letter(**{**row, "unread": bool(row["unread"])}) for row in source.all(
        "SELECT id, kind, patient_id, about, unread, created_at, data_enc FROM messages "
        "WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s", (account_id, before or "Z" * 26, limit))]


def unread(source: Source, account_id: str) -> int:
    """How many messages an account has not read: one look into an index."""
    row = source.one("SELECT COUNT(*) AS number FROM messages WHERE account_id = %s AND unread = 1", (account_id,))
    return int(row["number"]) if row else 0


def mark_read(tx: Transaction, account_id: str, message_id: str) -> bool:
    """One has been read, now or before. False: the account has no such message."""
    return tx.run("UPDATE messages SET unread = 0 WHERE id = %s AND account_id = %s", (message_id, account_id)) == 1


def mark_all_read(tx: Transaction, account_id: str, newest: str) -> None:
    """All have been read up to the one with this id: not one that came since."""
    tx.run("UPDATE messages SET unread = 0 WHERE account_id = %s AND unread = 1 AND id <= %s", (account_id, newest))


# -- what WeChat was allowed ------------------------------------------------------------------------
ALLOWED_AT_MOST = 1000  # more than anybody taps


def answers(source: Source, account_id: str) -> dict[str, Row]:
    """By template: ``answer`` and ``allowed``."""
    return {row["template_id"]: row for row in source.all(
        "SELECT template_id, answer, allowed FROM subscriptions WHERE account_id = %s", (account_id,))}


def answer(tx: Transaction, *, account_id: str, template_id: str, answer: str, more: int, now: datetime) -> None:
    """Keep an answer, which allows so many ``more``."""
    tx.run("INSERT INTO subscriptions (account_id, template_id, answer, allowed, answered_at) "
           "VALUES (%s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE answer = %s, "
           "allowed = LEAST(allowed + %s, %s), answered_at = %s",
           (account_id, template_id, answer, more, now, answer, more, ALLOWED_AT_MOST, now))


def use_up(tx: Transaction, account_id: str, template_id: str, *, soon: bool = False) -> None:
    """One of those that were allowed is used; ``soon``: along with what is said next."""
    (tx.run_soon if soon else tx.run)(
        "UPDATE subscriptions SET allowed = allowed - 1 WHERE account_id = %s AND template_id = %s AND allowed > 0",
        (account_id, template_id))


def none_left(tx: Transaction, account_id: str, template_id: str, *, is_long_term: bool) -> None:
    """WeChat says that nothing is allowed (any more); of a long-term template, that the person has refused."""
    tx.run("UPDATE subscriptions SET allowed = 0, answer = CASE WHEN %s THEN 'reject' ELSE answer END "
           "WHERE account_id = %s AND template_id = %s", (is_long_term, account_id, template_id))
