"""The audit: who did what to what, when, from where, with what result. Rows are only ever added.

No value of a person's stands in it open: ``detail`` is for ids, codes, amounts and settings; what is personal is
given as ``personal`` and sealed. See ``docs/decisions/0013-audit.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.runtime import origin
from hospital.runtime.ids import first_of, new_id
from hospital.security import cipher

FULL = 10_000  # entries that a process remembers as written
_written: set[bytes] = set()
Facts = Mapping[str, Any]


class Filter(Struct, frozen=True):
    """Which entries; an ``actor`` or ``action`` that ends in ``*`` means all that begin so. Empty: any."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    address: str = ""
    since: datetime | None = None
    until: datetime | None = None


def record(tx: Transaction, *, actor: str, action: str, subject: str, result: str, now: datetime, address: str = "",
           detail: Facts | None = None, personal: Facts | None = None, claimed: str = "") -> None:
    """Add an entry, in the transaction of what it tells of.

    ``actor`` is ``account:<id>``, ``operator:<uin>``, ``unknown`` or ``system``; ``claimed`` is a name that was only
    typed. Without ``address`` it is that of the request under way. ``personal``: what was and is, sealed.
    """
    _insert(tx, actor=actor, action=action, subject=subject, result=result, now=now, address=address, detail=detail,
            personal=personal, claimed=claimed, once=None)


def by_account(tx: Transaction, account_id: str, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Add an entry of what an account did, as :func:`record`."""
    record(tx, actor=f"account:{account_id}", action=action, subject=subject, result="done", now=now, detail=detail)


def note(db: Database, *, actor: str, action: str, subject: str, result: str, now: datetime) -> None:
    """Add an entry, once an hour for the same one from the same address: what changes nothing comes often.

    This process remembers what it has written, so a repeat costs no statement; between processes a UNIQUE key decides.
    """
    told = (actor, action, subject, result, origin.current().address, now.strftime("%Y-%m-%dT%H"))
    once = hashlib.sha256("\n".join(told).encode()).digest()
    if once in _written:
        return
    try:
        with db.transaction() as tx:
            _insert(tx, actor=actor, action=action, subject=subject, result=result, now=now, address="", detail=None,
                    personal=None, claimed="", once=once)
    except Duplicate:  # another process had the same to say
        pass
    if len(_written) >= FULL:
        _written.clear()
    _written.add(once)


def _insert(tx: Transaction, *, actor: str, action: str, subject: str, result: str, now: datetime, address: str,
            detail: Facts | None, personal: Facts | None, claimed: str, once: bytes | None) -> None:
    entry, whence = new_id(), origin.current()
    values: dict[str, Any] = {"id": entry, "at": now, "actor": actor[:64], "action": action[:64],
                              "subject": subject[:64], "result": result[:64]}
    more = {"address": address or whence.address, "request_id": whence.request_id[:64], "claimed": claimed[:64],
            "detail": _json(detail) if detail else "", "once": once,
            "personal_enc": cipher.seal(_json(personal), f"audit.personal:{entry}") if personal else None}
    tx.insert_soon("audit", **values, **{name: value for name, value in more.items() if value})


def _json(told: Facts) -> str:
    return json.dumps(told, ensure_ascii=False, default=str)


def opened(source: Database | Transaction, entry_id: str) -> tuple[Row, Facts | None] | None:
    """One entry, and what is sealed in it. None: there is no such entry (any more)."""
    row = source.one("SELECT id, at, actor, claimed, action, subject, result, address, request_id, detail, "
                     "personal_enc, personal_enc IS NOT NULL AS has_personal FROM audit WHERE id = %s", (entry_id,))
    if row is None:
        return None
    sealed = row["personal_enc"]
    return row, json.loads(cipher.unseal(sealed, f"audit.personal:{entry_id}")) if sealed is not None else None


def page(source: Database, wanted: Filter, *, before: str, limit: int) -> list[Row]:
    """Entries, the newest first, older than the id ``before`` (empty: from the newest); what is sealed stays so."""
    conditions, args = ["id < %s"], [min(before or "Z" * 26, first_of(wanted.until) if wanted.until else "Z" * 26)]
    if wanted.since is not None:
        conditions.append("id >= %s")
        args.append(first_of(wanted.since))
    for name in ("actor", "action", "subject", "address"):
        text = getattr(wanted, name)
        if text.endswith("*"):
            conditions.append(f"{name} LIKE %s ESCAPE '!'")
            args.append(text[:-1].replace("!", "!!").replace("_", "!_").replace("%", "!%") + "%")
        elif text:
            conditions.append(f"{name} = %s")
            args.append(text)
    return source.all("SELECT id, at, actor, claimed, action, subject, result, address, request_id, detail, "
                      "personal_enc IS NOT NULL AS has_personal FROM audit "
                      f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT %s", (*args, limit))
