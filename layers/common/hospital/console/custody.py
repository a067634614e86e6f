"""Commands about who may come in, and about what is kept of people: sessions, the audit, what is sealed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from hospital.console.command import Command
from hospital.console.entries import note, operator
from hospital.database import outbox
from hospital.database.connection import Database, Row
from hospital.gateways import cos
from hospital.runtime.canonical import Id, OptionalId, Text
from hospital.runtime.errors import Conflict, Invalid, NotFound
from hospital.runtime.ids import new_id
from hospital.security import audit, cipher, sealing, sessions

FORGET = "audit.forget"  # an arrow: the opened entry's file goes
STAYS = timedelta(hours=1)


class EndSessions(Command):
    """Whose sessions end: an account's, or ``everyone``'s (when keys or tokens have leaked); and why."""

    account_id: OptionalId = ""
    everyone: bool = False
    note: Annotated[Text, Field(min_length=2, max_length=400)]


class SealPersonal(Command):
    """The word that every function runs the new code."""

    all_functions_are_new: Literal[True]


class ListAudit(Command):
    """Which entries: of an ``actor`` or of ``actions`` (``operator:*``, ``booking.*``), about a ``subject``, from an
    ``address``, ``since`` and before ``until``; newest first, page by page: ``before`` is the ``next`` of the last one.
    """

    actor: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""
    actions: Annotated[str, Field(max_length=64, pattern=r"^[ -~]*$")] = ""
    subject: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""
    address: Annotated[str, Field(max_length=45, pattern=r"^[0-9A-Fa-f:.]*\*?$")] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class OpenEntry(Command):
    """An entry as ``audit.list`` names it, and why what is sealed in it must be read."""

    entry_id: Id
    note: Annotated[Text, Field(min_length=2, max_length=400)]


def end_sessions(db: Database, command: EndSessions, now: datetime) -> dict[str, Any]:
    """Sign an account out everywhere, or everybody: they sign in again, who is not them does not."""
    if command.everyone == bool(command.account_id):
        raise Invalid("请指定一个账号，或指定全部账号。", fields=["account_id", "everyone"])
    ended = sessions.end_everybodys(db) if command.everyone else 0
    with db.transaction() as tx:
        if command.account_id:
            ended = sessions.end_all(tx, command.account_id, actor=operator(), now=now)
        note(tx, command, command.account_id or "everyone", now, detail={"ended": ended})
    return {"ended": ended}


def seal_personal(db: Database, command: SealPersonal, now: datetime) -> dict[str, Any]:
    """Seal what stands open since code from before; to be given once none of it runs, and again while some is left."""
    sealed, left = sealing.seal_all(db, now)
    with db.transaction() as tx:
        note(tx, command, "all", now, detail={"sealed": sealed, "left": left})
    return {"sealed": sealed, "left": left}


def list_audit(db: Database, command: ListAudit, now: datetime) -> dict[str, Any]:
    """A page of entries. What is sealed in them stays so: what a command returns ends in a log."""
    wanted = audit.Filter(command.actor, command.actions, command.subject, command.address, command.since,
                          command.until)
    page = audit.page(db, wanted, before=command.before, limit=command.limit + 1)
    shown = page[:command.limit]
    return {"entries": [_shown(row) for row in shown], "next": shown[-1]["id"] if len(page) > len(shown) else None}


def open_entry(db: Database, command: OpenEntry, now: datetime) -> dict[str, Any]:
    """Open what is sealed in one entry, into a file in COS that goes after an hour: what is returned ends in a log.

    Raises NotFound, Conflict (nothing is sealed in it), Rejected, Unanswered.
    """
    cipher.ready()
    found = audit.opened(db, command.entry_id)
    if found is None:
        raise NotFound("没有该审计记录，或已超过保存期限。", code="entry_not_found")
    row, personal = found
    if personal is None:
        raise Conflict("该审计记录没有加密内容。", code="nothing_sealed")
    return hand_out(db, command, command.entry_id, {**_shown(row), "sealed_values": personal}, now)


def hand_out(db: Database, command: Command, subject: str, content: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Put what a command opens into a file in COS that goes after an hour. Raises Rejected, Unanswered."""
    file_id = new_id()
    with db.transaction() as tx:  # before the file can be read: that it was opened, and that it goes
        outbox.publish(tx, FORGET, file_id, due=now + STAYS, now=now)
        note(tx, command, subject, now, "opened", detail={"file": _key(file_id)})
    cos.put(_key(file_id), json.dumps(content, ensure_ascii=False, indent=1).encode(), content_type="application/json")
    return {"file": _key(file_id), "until": (now + STAYS).isoformat()}


def forget(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """An opened entry's file goes. Raises Unanswered."""
    cos.remove(_key(job.subject_id))
    return None


def _key(file_id: str) -> str:
    return f"audit/{file_id}.json"


def _shown(row: Row) -> dict[str, Any]:
    return {**{name: row[name] or "" for name in ("id", "actor", "claimed", "action", "subject", "result", "address",
                                                  "request_id")},
            "at": row["at"].isoformat(), "detail": json.loads(row["detail"]) if row["detail"] else {},
            "has_sealed_values": bool(row["has_personal"])}


WORKER: dict[str, outbox.Handler] = {FORGET: forget}
